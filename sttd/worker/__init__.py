"""The child process's side: a model, and parts turned into messages. Imports no other station."""

import os

# before numpy is imported, which reads it once: its matrices (the features) are small, and a pool of threads that wait for
# the next one spinning took twice the processor time that the features themselves need
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# before CTranslate2 is imported. GNU OpenMP lets its threads spin for long where it thinks that each has a core of its own, and
# does so once the thread that loaded the model has ended; with anything else at work on the cores (the next batch being
# prepared, another worker) a window through `base` then took up to eight times the processor time
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from sttd.worker import pages
from sttd.worker.cleanup import Cleaner
from sttd.worker.errors import PartFailed
from sttd.worker.model import LoadedModel, NoModel, load
from sttd.worker.part import run_part

__all__ = ["Cleaner", "LoadedModel", "NoModel", "PartFailed", "load", "run_part"]

pages.keep()  # before there are threads
