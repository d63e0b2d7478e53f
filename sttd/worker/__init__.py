"""The child process's side: a model, and parts turned into messages. Imports no other station."""

from sttd.worker.tuning import tune

tune()  # before anything below loads a library

from sttd.worker.cleanup import Cleaner  # noqa: E402
from sttd.worker.confinement import confine  # noqa: E402
from sttd.worker.errors import NoModel, PartFailed  # noqa: E402
from sttd.worker.model import LoadedModel, load  # noqa: E402
from sttd.worker.part import run_part  # noqa: E402

__all__ = ["Cleaner", "LoadedModel", "NoModel", "PartFailed", "confine", "load", "run_part"]
