"""The child process's side: a model, and parts turned into messages. Imports no other station."""

import os

# before numpy is imported, which reads it once: its matrices (the features) are small, and a pool of threads that wait for
# the next one spinning took twice the processor time that the features themselves need
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from sttd.worker.cleanup import Cleaner
from sttd.worker.errors import PartFailed
from sttd.worker.model import LoadedModel, NoModel, load
from sttd.worker.part import run_part

__all__ = ["Cleaner", "LoadedModel", "NoModel", "PartFailed", "load", "run_part"]
