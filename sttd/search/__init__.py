"""Search in all transcripts: an index file, which one process builds from the JSON results and keeps up to date.

    follower = Follower(index, ledger, folders)   # the one writer; `run(stop)` in a thread of its own
    Search(index).find("ประชุม budget")     # from any thread

Everything in the index is derived from the ledger and the results. It can be deleted at any time.
"""

from __future__ import annotations

from sttd.search.excerpt import Excerpt
from sttd.search.file import INDEX, IndexTrouble, lock_of
from sttd.search.find import Filters, Found, Hit, Passage, Search
from sttd.search.follow import Coverage, Follower
from sttd.search.index import Offered

__all__ = [
    "INDEX", "Coverage", "Excerpt", "Filters", "Follower", "Found", "Hit", "IndexTrouble", "Offered", "Passage", "Search",
    "lock_of",
]  # fmt: skip
