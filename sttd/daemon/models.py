"""Whether the configured models are on this machine: looked for at the start, so that nobody learns it from the first job."""

from __future__ import annotations

import os

from sttd.config import Model
from sttd.daemon.context import Context
from sttd.daemon.errands import Errands
from sttd.errors import SttdError
from sttd.host.events import Kind, say
from sttd.hub import cache
from sttd.text import printable


class Models:
    """Asked now and then by the loop. It looks at the start, after a change of [model], and until what is missing has come."""

    def __init__(self, context: Context, errands: Errands) -> None:
        """`errands`: for the looks alone. A model may lie on a share that hangs, and no other work waits behind that."""
        self._context = context
        self._errands = errands
        self._known: Model | None = None  # the configuration that the last look was about
        self._missing: list[str] = []

    def look(self) -> None:
        wanted = self._context.config.model
        if self._context.config.has_others:  # a model that is not here may be on another machine
            return
        if (wanted == self._known and not self._missing) or self._errands.under_way:
            return
        hub = cache.cache(os.environ)

        def work() -> list[str]:
            reasons = (cache.why_missing(name, hub) for name in (wanted.name, wanted.fallback) if name)
            return [printable(reason) for reason in reasons if reason]

        self._errands.post("looks for the models", work, lambda found: self._found(wanted, found), self._failed)

    def _found(self, wanted: Model, missing: list[str]) -> None:
        """Tell what has changed since the last look."""
        news = missing != self._missing or wanted != self._known
        before, self._missing, self._known = self._missing, missing, wanted
        if missing and len(missing) == len([name for name in (wanted.name, wanted.fallback) if name]):
            text = f"no model: {'; '.join(missing)}"
            # no job starts before the next look: it could only find out the same
            if self._context.troubles.begin("model", text, 2 * self._context.config.pool.machine_wait):
                say(Kind.MODEL_ERROR, f"{text}; recordings wait until one is there", error=text)
        elif news and missing:
            say(Kind.MODEL_ERROR, f"a model is missing: {missing[0]}", level="WARNING", error=missing[0])
        if before and not missing:
            self._context.troubles.end("model")

    def _failed(self, error: OSError | SttdError) -> None:
        """The worker that loads a model will report what is wrong."""
        say(Kind.REMARK, f"the models cannot be looked for: {printable(str(error))}", level="DEBUG", error=str(error))
