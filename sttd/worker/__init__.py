"""The child process's side: a model, and parts turned into messages. Imports no other station."""

from sttd.worker.cleanup import Cleaner
from sttd.worker.errors import PartFailed
from sttd.worker.model import LoadedModel, NoModel, load
from sttd.worker.part import run_part

__all__ = ["Cleaner", "LoadedModel", "NoModel", "PartFailed", "load", "run_part"]
