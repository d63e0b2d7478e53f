"""The outbox: results appear whole or not at all, and sources are filed away."""

from sttd.outbox.clean import clean
from sttd.outbox.commit import Filed, file_source, publish
from sttd.outbox.failure import file_failure
from sttd.outbox.meta import Meta
from sttd.outbox.plan import Plan
from sttd.outbox.stage import stage, stage_copy

__all__ = ["Filed", "Meta", "Plan", "clean", "file_failure", "file_source", "publish", "stage", "stage_copy"]
