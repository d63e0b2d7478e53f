"""Requests, and whether the models that they name are here. A model may lie on a share that hangs: the loop looks at none."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from sttd.daemon.errands import Errands
from sttd.errors import SttdError
from sttd.hub import cache
from sttd.ledger.spool import Spool
from sttd.text import printable


class Sought:
    """By request: each look is used once, so that a model that was pulled since is found.

    The callback takes what was found even if its request is gone, so that nothing of that stays.

    Args:
        errands: for these looks alone.
    """

    def __init__(self, errands: Errands) -> None:
        self.errands = errands
        self.found: dict[str, str | None] = {}  # why it is missing, "": it is here; None: it is being looked for

    def is_under_way(self, request: str) -> bool:
        return self.found.get(request, "") is None

    def take(self, request: str) -> str | None:
        """What a look has found: why no worker could load the model, in a sentence; "": it is here; None: there was no look."""
        return self.found.pop(request, None)

    def look(self, request: str, model: str, then: Callable[[], None]) -> None:
        """Look for a model. `then` is called on the loop when there is something to `take`."""
        self.found[request] = None

        def found(_: object) -> None:
            self.found[request] = ""
            then()

        def failed(error: OSError | SttdError) -> None:
            # what the daemon may not look at, its workers will see
            self.found[request] = str(error) if isinstance(error, SttdError) else ""
            then()

        hub = cache.cache(os.environ)
        self.errands.post(f"looks for the model {printable(model)}", lambda: cache.find(model, hub), found, failed)


@dataclass(slots=True)
class Requests:
    spool: Spool  # where people leave them
    sought: Sought  # the models that they name
