"""Models that requests name: whether they are on this machine. One may lie on a share that hangs, so the loop looks at none."""

from __future__ import annotations

import os
from collections.abc import Callable

from sttd.daemon.errands import Errands
from sttd.errors import SttdError
from sttd.hub import cache
from sttd.text import printable


class Sought:
    """By request: each look is used once, so that a model that was pulled since is found.

    Args:
        errands: for these looks alone.
    """

    def __init__(self, errands: Errands) -> None:
        self.errands = errands
        self._found: dict[str, str | None] = {}  # why it is missing, "": it is here; None: it is being looked for

    def is_under_way(self, request: str) -> bool:
        return self._found.get(request, "") is None

    def why_missing(self, request: str, model: str, then: Callable[[], None]) -> str | None:
        """Why no worker could load a model, in a sentence; "": it is here.

        None: it is being looked for. `then` is called on the loop when it is known.
        """
        if self._found.get(request) is None:
            self._look(request, model, then)
            return None
        return self._found.pop(request)

    def forget(self, request: str) -> None:
        """Its owner took it back."""
        self._found.pop(request, None)

    def _look(self, request: str, model: str, then: Callable[[], None]) -> None:
        self._found[request] = None

        def found(_: object) -> None:
            self._found[request] = ""
            then()

        def failed(error: OSError | SttdError) -> None:
            # what the daemon may not look at, its workers will see
            self._found[request] = str(error) if isinstance(error, SttdError) else ""
            then()

        hub = cache.cache(os.environ)
        self.errands.post(f"looks for the model {printable(model)}", lambda: cache.find(model, hub), found, failed)
