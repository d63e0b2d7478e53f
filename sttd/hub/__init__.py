"""Models on this machine, and their download. The download is used by `sttd model` alone: no daemon or worker imports it."""
