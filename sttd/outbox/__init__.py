"""The outbox: results appear whole or not at all, and sources are filed away."""

from sttd.fs.moves import make_folder
from sttd.outbox.clean import clean, tidy
from sttd.outbox.failure import file_failure
from sttd.outbox.meta import Meta
from sttd.outbox.names import of_private
from sttd.outbox.plan import Plan
from sttd.outbox.publish import Unkept, publish
from sttd.outbox.source import Filed, file_source, put_back
from sttd.outbox.stage import stage, stage_copy
from sttd.outbox.undo import undo

__all__ = [
    "Filed", "Meta", "Plan", "Unkept", "clean", "file_failure", "file_source", "make_folder", "of_private", "publish", "put_back",
    "stage", "stage_copy", "tidy", "undo",
]  # fmt: skip
