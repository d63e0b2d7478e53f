"""sttd: every recording that is dropped into a folder becomes a transcript, on this machine."""

__version__ = "0.1.0"
