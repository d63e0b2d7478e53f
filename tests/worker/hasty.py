"""The worker as it is, but for its patience with FFmpeg: one second of processor time."""

from sttd.worker import Cleaner, NoModel, bounds, confine, load, run_part

__all__ = ["Cleaner", "NoModel", "confine", "load", "run_part"]
bounds.COMPUTING = 1.0
