"""The daemon's signs of life: what systemd, `sttd status` and the log are told, and what memory makes it do."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from typing import Any

from sttd import __version__
from sttd.daemon import elsewhere, parts
from sttd.daemon.context import Context, Running
from sttd.daemon.hung import Hung
from sttd.host import memory
from sttd.host.events import Kind, say
from sttd.host.memory import Level
from sttd.host.sd_notify import Notifier
from sttd.hub import cache
from sttd.job import State
from sttd.ledger import live
from sttd.ledger.facts import DAEMON, EXAMPLES, IGNORED, PAUSED
from sttd.part import SAMPLE_RATE, Cause
from sttd.pool.protocol import LOCAL, WorkerView
from sttd.text import printable

LONG = 10.0  # seconds after which file work is named in the status


class Life:
    """Reports once a second at most, and only what has changed."""

    def __init__(self, context: Context, notifier: Notifier, hung: Hung) -> None:
        self._context = context
        self._notifier = notifier
        self._hung = hung
        self._live: dict[str, Any] = {}
        self._status = ""
        self._ignored = (context.ledger.fact(IGNORED), context.ledger.fact(EXAMPLES))
        state = context.config.paths.state
        # `sttd transcribe` has no inbox: another daemon's runtime folder may be in its environment
        self._live_path = live.path_of(state) if context.inbox is not None else live.path_of(state, {})
        self.level = Level.NORMAL
        self.used: float | None = None  # percent of the memory, as of the last look
        self._percent = 0.0  # the same; moves by a point at least, so that an idle daemon writes nothing
        self._asked: tuple[str, int] | None = None  # the attempt that was last asked to give its memory back

    def introduce(self) -> None:
        """Store who we are, and where our figures and the models are, because a command may have another environment."""
        about = {"pid": os.getpid(), "since": self._context.utc(), "version": __version__}
        places = {"live": str(self._live_path), "models": str(cache.cache(os.environ))}
        self._context.ledger.set_fact(DAEMON, about | places)
        if self._context.ledger.fact(PAUSED):  # by a person, perhaps days ago: `--drain` waits for him too
            remedy = f"`{printable(self._context.config.program)} resume`"
            text = f"the queue is paused, since before this start: no job starts until {remedy}"
            say(Kind.QUEUE_PAUSED, text, level="WARNING")

    def tell(self) -> None:
        """Write the live figures, and the status line for systemd."""
        inbox = self.show()["inbox"]
        self._note_ignored(inbox["ignored"], inbox["examples"])
        status = self.status()
        if status != self._status:
            self._notifier.status(status)
            self._status = status

    def show(self) -> dict[str, Any]:
        """Write the live figures. This works even while the ledger cannot be written."""
        figures = self.figures()
        if figures != self._live:
            with contextlib.suppress(OSError):  # the folder cannot be written: nothing is shown
                live.write(self._live_path, figures)
            self._live = figures
        return figures

    def _note_ignored(self, ignored: dict[str, int], examples: dict[str, str]) -> None:
        """Store what the inbox ignores, for `sttd status` after the daemon's end: perhaps only a drain has run."""
        if self._context.inbox is not None and (ignored, examples) != self._ignored:
            with self._context.ledger.transaction():
                self._context.ledger.set_fact(IGNORED, ignored)
                self._context.ledger.set_fact(EXAMPLES, examples)
            self._ignored = (ignored, examples)

    def figures(self) -> dict[str, Any]:
        context = self._context
        inbox = context.inbox
        workers = [self._worker(view) for view in context.pool.workers()]
        return {
            "workers": workers,
            "memory": {"percent": round(self._percent, 1), "level": str(self.level)},
            "inbox": {
                "ignored": dict(inbox.ignored) if inbox else {},
                "settling": inbox.settling if inbox else 0,
                "away": inbox.away if inbox else None,
                "examples": dict(inbox.examples) if inbox else {},
            },
            "remotes": self._sources(),
            "trouble": [*context.troubles.texts(), *elsewhere.unreachable(context)],
            "operations": self._operations(),
        }

    def _sources(self) -> list[dict[str, Any]]:
        """Where workers are; nothing where they are all on this machine."""
        found, late = self._context.pool.sources(), self._context.utc() - self._context.clock()
        if not any(source.is_remote for source in found):
            return []
        return [
            {
                "name": source.name,
                "slots": source.slots,
                "workers": source.workers,
                "away": source.away or None,
                "retry_at": None if source.retry_at is None else round(source.retry_at + late),
            }
            for source in found
            if source.is_remote or source.away
        ]

    def _operations(self) -> list[dict[str, Any]]:
        """File work that takes long: a large file, or, where it does not move on, a file system that hangs."""
        late = self._context.utc() - self._context.clock()
        long = [each for each in self._context.work.operations() if self._context.clock() - each.since >= LONG]
        return [
            {
                "name": each.name,
                "job": each.job,
                "since": round(each.since + late),
                "moved": round((self._hung.moved(each) + late) / LONG) * LONG,  # coarse: it need not change each second
            }
            for each in long
        ]

    def _worker(self, view: WorkerView) -> dict[str, Any]:
        running = self._context.running.get(view.part_id or "")
        if running is None:
            nothing = ("job", "source", "progress", "total", "attempt", "resumed_at")
            figures: dict[str, Any] = dict.fromkeys(nothing) | {"done": 0.0}
        else:
            figures = _attempt(running)
        return {"pid": view.pid, "state": view.state, "model": view.model, **figures, "name": view.name}

    def status(self) -> str:
        """One line of figures for systemd, which shows it to every local user: no name, no path, no text of an error."""
        context = self._context
        counts = context.ledger.counts()
        running = {each.job.id for each in context.running.values()}
        figures = [f"{len(running)} running", f"{counts[State.QUEUED]} queued"]
        figures += [f"{counts[State.DONE]} done", f"{counts[State.FAILED]} failed"]
        if context.stopping:
            figures.insert(0, "stopping")
        elif context.ledger.fact(PAUSED):
            figures.insert(0, "paused")
        kinds = list(context.troubles)
        line = ", ".join(figures)
        return f"{line}; {held_up(kinds, context.config.program)}" if kinds else line

    def watch_memory(self) -> None:
        """Look at the memory figures, and act on a level that was crossed."""
        settings = self._context.config.memory
        use = memory.usage()
        before, self.used = self.level, use.percent
        if abs(use.percent - self._percent) >= 1.0:
            self._percent = use.percent
        self.level = memory.level(use.percent, settings.moderate, settings.high, settings.critical, before)
        if self.level is not before:
            rises = self.level > before
            figures = f"{use.percent:.1f} % of {use.limit / 2**20:.0f} MiB used"
            say(
                Kind.MEMORY_RISES if rises else Kind.MEMORY_FALLS,
                f"memory {'rises' if rises else 'falls'} to {self.level}: {figures}",
                memory_level=str(self.level), memory_before=str(before), memory_percent=use.percent,
                memory_used=use.used, memory_limit=use.limit,
            )  # fmt: skip
        self._act()

    def log_memory(self) -> None:
        use = memory.usage()
        workers = sum(view.rss for view in self._context.pool.workers() if view.node == LOCAL)
        daemon = memory.rss()
        say(
            Kind.MEMORY,
            f"memory: {use.percent:.1f} % of {use.limit / 2**20:.0f} MiB used, workers {workers / 2**20:.0f} MiB, "
            f"daemon {daemon / 2**20:.0f} MiB, level {self.level}",
            memory_level=str(self.level), memory_percent=use.percent, memory_used=use.used, memory_limit=use.limit,
            memory_workers=workers, memory_daemon=daemon,
        )  # fmt: skip

    def _act(self) -> None:
        context, pool = self._context, self._context.pool
        context.starting.busy_only = self.level >= Level.HIGH
        if self.level < Level.MODERATE:
            pool.limit(None)
            return
        pool.clean_up()
        if self.level >= Level.HIGH:
            pool.release_idle()
        if self.level >= Level.CRITICAL:
            self._shrink()

    def _shrink(self) -> None:
        """The largest worker stops at its next checkpoint, and the pool runs one fewer, never less than one."""
        context, pool = self._context, self._context.pool
        busy = [view for view in pool.workers() if view.part_id in context.running and view.node == LOCAL]
        pool.limit(max(1, len(busy) - 1))
        if len(busy) < 2:
            return  # one worker may always go on: others may use the memory
        largest = max(busy, key=lambda view: view.rss)
        running = context.running[largest.part_id or ""]
        attempt = (running.spec.part_id, running.spec.attempt)
        if attempt != self._asked:  # it is asked again at each look, and logged once
            self._asked = attempt
            text = f"memory is critical: worker {largest.pid} ({largest.rss / 2**20:.0f} MiB) is asked to stop"
            say(Kind.MEMORY_SHRINKS, text, running.job, worker=largest.pid, memory_worker=largest.rss)
        pool.stop(running.spec.part_id, running.spec.attempt, Cause.MEMORY)


def _attempt(running: Running) -> dict[str, Any]:
    """How far a worker is; of a recording that is shared out, in its part."""
    done, total, resumed = running.done, running.total, running.spec.resume_from / SAMPLE_RATE
    about: dict[str, Any] = {}
    if running.part is not None and running.job.shared is not None:
        begins, ends = parts.span(running.job, running.part)
        done, total, resumed = max(0.0, done - begins), ends - begins, max(0.0, resumed - begins)
        about = {"part": running.part.number, "parts": running.job.shared.parts, "begins": begins, "ends": ends}
    if total and done > total + 1.0:  # the audio is longer than the file says, by an unknown amount
        total = None if running.part is None else done
    return {
        "job": running.job.id,
        "source": running.job.source,
        "progress": round(min(1.0, done / total), 4) if total else None,
        "done": round(done, 1),
        "total": round(total, 1) if total else None,
        "attempt": running.spec.attempt,
        "resumed_at": round(resumed, 1) if running.spec.next_index else None,
        "since": running.since,
        **about,
    }


def _kind(trouble: str) -> str:
    if trouble.startswith("inbox "):  # one that a [[watch]] table names
        return "inbox"
    if trouble.startswith("disk "):  # of a library
        return "disk"
    return trouble if trouble.isalpha() else "files"


def held_up(troubles: Iterable[str], program: str) -> str:
    """The kinds of trouble, for every local user: names of troubles with single files are left out.

    The command in it has the options of the daemon's own command line, which every local user may read too.
    """
    kinds = dict.fromkeys(_kind(name) for name in troubles)
    return f"held up ({', '.join(kinds)}): `{printable(program)} status` has the reason"
