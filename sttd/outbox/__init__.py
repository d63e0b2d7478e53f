"""The outbox: results appear whole or not at all, and sources are filed away."""

from sttd.fs.moves import make_folder
from sttd.outbox.disks import DiskFolder, DiskTrouble, FileTrouble
from sttd.outbox.failure import PutAside, file_failure
from sttd.outbox.follow import Followed, beside, follow, names_beside, results_of
from sttd.outbox.former import left_of
from sttd.outbox.leftovers import remove_leftovers, remove_staging, tidy
from sttd.outbox.meta import Heard, Meta, warnings_of
from sttd.outbox.names import of_private
from sttd.outbox.places import Absent, Places
from sttd.outbox.plan import Plan, open_source
from sttd.outbox.publish import Unkept
from sttd.outbox.source import Filed, keep, put_back
from sttd.outbox.stage import Earlier, stage, stage_copy, writer
from sttd.outbox.undo import undo

__all__ = [
    "Absent", "DiskFolder", "DiskTrouble", "Earlier", "FileTrouble", "Filed", "Followed", "Heard", "Meta", "Places", "Plan", "PutAside", "Unkept", "beside", "file_failure", "follow",
    "keep", "left_of",
    "make_folder", "names_beside", "of_private", "open_source", "put_back", "remove_leftovers", "remove_staging", "results_of", "stage", "stage_copy", "tidy", "undo", "warnings_of",
    "writer",
]  # fmt: skip
