"""Models on this machine, and how they come here. Used by `sttd model` alone: neither daemon nor worker imports it."""
