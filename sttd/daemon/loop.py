"""The loop that moves jobs from station to station. It waits for events, and never for a file, a worker or a lock."""

from __future__ import annotations

import queue
import signal
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from loguru import logger

from sttd.config import Config
from sttd.daemon import (
    by_folder,
    dispatch,
    filing,
    intake,
    overdue,
    reload,
    requests,
    results,
    retention,
    strays,
    sweep,
    whereabouts,
)
from sttd.daemon.context import Context
from sttd.daemon.draining import is_drained, is_whole, outcome
from sttd.daemon.errands import Errands, Finished
from sttd.daemon.guard import guard
from sttd.daemon.hung import Hung
from sttd.daemon.life import Life, held_up
from sttd.daemon.lookback import LookBack
from sttd.daemon.models import Models
from sttd.daemon.sampling import Sampler
from sttd.daemon.signals import Signal
from sttd.errors import INTERRUPTED, LedgerCorrupt, LedgerError
from sttd.host.events import Kind, say
from sttd.host.sd_notify import Notifier
from sttd.inbox import Away, Found, Gone, Held, Own, Strange
from sttd.part import Chunks, Done, Event, Failed, Lost, Notice, Progress, Started
from sttd.rules.due import Schedule

TICK = 1.0  # seconds: the longest that a request, or a job whose time has come, waits


@dataclass(frozen=True, slots=True)
class Closed:
    """The pool has ended every worker."""


NEED_NO_LEDGER = (Signal, Closed, Away, Started, Progress, Chunks, Notice)
Input = Held | Found | Gone | Strange | Away | Own | Event | Finished | Signal | Closed


class Loop:
    """One thread, one queue of inputs."""

    def __init__(self, context: Context, inputs: queue.SimpleQueue[Input], notifier: Notifier) -> None:
        self._context = context
        self._inputs = inputs
        self._notifier = notifier
        self._hung = Hung(context)
        self._life = Life(context, notifier, self._hung)
        self._look_back = LookBack(context, Errands(inputs.put, threads=1))
        self._upkeep = retention.Upkeep(context)
        self._sampler = Sampler(context)
        self._models = Models(context, Errands(inputs.put, threads=1))
        self._schedule = Schedule()
        self._ticked = context.clock()
        self._waiting: deque[Input] = deque()  # inputs that the ledger could not take yet, oldest first
        self._closing = False
        self._closed = False
        self._drained_out = False
        self._interrupted = False  # by Ctrl-C
        self._patience_ends = float("inf")  # monotonic: how long file work is waited for at the end

    def run(self, load_config: Callable[[], Config], drain: bool) -> int:
        """Until a signal, or with `drain` until every file has come to its end; returns the exit code."""
        self._load_config = load_config
        self._life.introduce()
        self._notifier.ready()
        while True:
            try:
                self._round()
                self._context.troubles.end("ledger", Kind.LEDGER_BACK)
                self._context.troubles.end("system", Kind.LEDGER_BACK)
                if self._is_over():
                    return self._exit_code()
                if drain and not self._context.stopping and self._is_idle() and is_drained(self._context):
                    self._drained_out = True
                    self._life.tell()  # the last look through the inbox may be younger than the last tick
                    self.stop(outcome(self._context))
            except LedgerCorrupt:
                raise
            except (LedgerError, OSError) as error:
                if self._closed:
                    text = f"{error}; the next start finds what could not be noted"
                    say(Kind.LEDGER_TROUBLE, text, error=str(error))
                    return 1
                self._trouble("ledger" if isinstance(error, LedgerError) else "system", error)

    def _round(self) -> None:
        """One input, then what is due."""
        if not self._waiting:
            event = self._next(self._schedule.wait(self._context.clock(), TICK))
            if event is not None:
                self._waiting.append(event)
        if self._waiting:
            self._handle(self._waiting[0])
            self._waiting.popleft()
        overdue = self._context.clock() - self._ticked >= TICK  # endless inputs must not keep the rest waiting
        if overdue or self._is_idle():
            self._tick()

    def _handled(self, event: Input) -> bool:
        """Whether an input could be acted on now: handling it may need the ledger after all."""
        try:
            self._handle(event)
        except (LedgerError, OSError):
            return False
        return True

    def _next(self, wait: float) -> Input | None:
        try:
            return self._inputs.get(timeout=wait) if wait > 0 else self._inputs.get_nowait()
        except queue.Empty:
            return None

    def _handle(self, event: Input) -> None:
        context = self._context
        match event:
            case Found():
                intake.found(context, event)
            case Gone():
                intake.gone(context, event)
            case Held():
                whereabouts.held(context, event)
            case Strange():
                whereabouts.strange(context, event)
            case Away():
                pass  # `look_after` handles it at the next tick, with what else the look found
            case Own():
                strays.put_back(context, event)
            case Finished():
                with guard(context, event.errand.job or 0):
                    event.settle()
            case Signal():
                self._signal(event.number)
            case Closed():
                self._closed = True
            case Started() | Progress() | Chunks() | Notice() | Done() | Failed() | Lost():
                results.handle(context, event)

    def _tick(self) -> None:
        """What is due now."""
        context, now, due = self._context, self._context.clock(), self._schedule.due
        self._ticked = now
        settings = context.config
        if not self._closing:
            context.pool.tick(now)
        if due("sweep", settings.pool.sweep_interval, now):
            overdue.kill(context, now)
            if not context.stopping:
                sweep.clamp_waits(context)
                sweep.sweep(context)
        if due("tick", TICK, now):
            context.deadlines.tick(now, TICK)
            requests.take(context)
            results.save(context)
            self._record()
            filing.resume(context)
            by_folder.step(context)
            sweep.tell_damage(context)
            self._notifier.watchdog()
            whereabouts.look_after(context)
            self._look_back.step()
            self._life.tell()
            self._hung.tell()
            self._sampler.look(self._life.used, self._life.level)
            if context.stopping:
                self._notifier.extend_timeout(30)
        if due("memory", settings.memory.check_cooldown, now):
            self._life.watch_memory()
        if due("memory log", settings.memory.log_interval, now):
            self._life.log_memory()
        if due("models", settings.pool.machine_wait, now) and not context.stopping:
            self._models.look()
        if due("retention", self._upkeep.interval, now) and not context.stopping:
            self._upkeep.begin()
        dispatch.dispatch(context)

    def _record(self) -> None:
        """Write to the manifest what the ledger has for it. If that fails, the ledger goes on without it."""
        try:
            self._context.ledger.record()
        except OSError as error:
            if self._context.troubles.begin("manifest", f"the manifest cannot be written: {error}"):
                text = f"the manifest cannot be written: {error}; work goes on, it is tried again"
                say(Kind.LEDGER_TROUBLE, text, level="ERROR", error=str(error))
        else:
            self._context.troubles.end("manifest")

    def _signal(self, number: int) -> None:
        name = signal.Signals(number).name
        if number == signal.SIGHUP:
            self._notifier.reloading()
            reload.reload(self._context, self._load_config)
            self._notifier.ready()
        elif self._context.stopping:
            logger.warning("{} again: running jobs are stopped at once; their checkpoints stay", name)
            self._patience_ends = self._context.clock()
            self._close(0.0)
        else:
            self._interrupted = number == signal.SIGINT
            self.stop(name)

    def stop(self, why: str) -> None:
        """Nothing new starts; running jobs stop at their next checkpoint and are queued again."""
        say(Kind.DAEMON_STOPPING, f"stopping: {why}")
        self._sampler.store()
        self._context.stopping = True
        self._notifier.stopping()
        if self._context.inbox is not None:
            self._context.inbox.stop()
        # errands that have not begun are in the ledger; those under way may be killed anywhere, but get some time
        for errands in self._context.work.all():
            errands.drop()
        grace = self._context.config.pool.stop_grace
        self._patience_ends = self._context.clock() + grace
        self._close(grace)

    def _is_over(self) -> bool:
        """Whether the daemon may end: the workers have ended, and file work has too, or its time is up."""
        context = self._context
        # attempts without an end are taken up by the next start
        if not self._closed or (context.running and not self._is_idle()):
            return False
        if not context.work.errands.under_way:
            return True
        if context.clock() < self._patience_ends:
            return False
        for operation in context.work.operations():
            age = context.clock() - operation.since
            logger.warning("left in the middle after {:.0f} s: {}; the next start goes on with it", age, operation.name)
        return True

    def _is_idle(self) -> bool:
        return self._inputs.empty() and not self._waiting

    def _close(self, grace: float) -> None:
        self._closing = True

        def close() -> None:
            try:
                self._context.pool.close(grace)
            except Exception:  # noqa: BLE001 - workers end with us; a daemon that never ends would be killed
                logger.exception("the workers could not all be stopped")
            self._inputs.put(Closed())

        threading.Thread(target=close, name="close", daemon=True).start()

    def _exit_code(self) -> int:
        """INTERRUPTED after Ctrl-C; 1 after a drain that left a job without its transcript; else 0."""
        if self._interrupted:
            return INTERRUPTED
        return 1 if self._drained_out and not is_whole(self._context) else 0

    def _trouble(self, name: str, error: LedgerError | OSError) -> None:
        """The ledger cannot be written, or the system gives no more files: log it once, and try again in a while.

        Nothing is lost: inputs are kept. What needs no ledger goes on: chunks are checkpointed, signals are obeyed,
        kills are followed up. Few other inputs can pile up: no job starts, so each running part has one end left,
        and the inbox reports each file once.
        """
        context = self._context
        if context.troubles.begin(name, str(error), TICK):
            say(Kind.LEDGER_TROUBLE, f"{error}; nothing starts until that is over", error=str(error))
            self._notifier.status(held_up([name], context.config.program))
        self._life.show()
        self._notifier.watchdog()
        if context.stopping:
            self._notifier.extend_timeout(30)
        end = context.clock() + TICK
        while (now := context.clock()) < end:
            event = self._next(end - now)
            if event is not None and not (isinstance(event, NEED_NO_LEDGER) and self._handled(event)):
                self._waiting.append(event)
        if not self._closing:
            context.pool.tick(context.clock())
