"""What runs in a worker process: it loads a model and turns parts into messages. Imports no other station (pool, ledger, ...)."""

from sttd.worker.tuning import tune

tune()  # before anything below loads a library

from sttd.worker.cleanup import Cleaner  # noqa: E402
from sttd.worker.confinement import confine  # noqa: E402
from sttd.worker.errors import NoModel, PartFailed  # noqa: E402
from sttd.worker.model import LoadedModel, load  # noqa: E402
from sttd.worker.part import run_part  # noqa: E402

__all__ = ["Cleaner", "LoadedModel", "NoModel", "PartFailed", "confine", "load", "run_part"]
