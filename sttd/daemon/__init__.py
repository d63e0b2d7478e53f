"""The daemon: it moves jobs from station to station, and is the only module that knows them all."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from loguru import logger

from sttd import __version__, inboxes, outbox
from sttd.config import Config
from sttd.configfile import warnings
from sttd.daemon import folders, trial, whereabouts
from sttd.daemon.context import Context
from sttd.daemon.errands import Errands, FileWork
from sttd.daemon.inputs import Inputs
from sttd.daemon.judging import Judging, Trial
from sttd.daemon.listener import Listener
from sttd.daemon.loop import Input, Loop
from sttd.daemon.opening import open_ledger
from sttd.daemon.signals import Signal, signals_taken, take_signals
from sttd.daemon.sweep import recover
from sttd.errors import INTERRUPTED, LedgerCorrupt
from sttd.fs.lock import Lock
from sttd.fs.pulse import Pulse
from sttd.host import descriptors, log, restarts
from sttd.host.events import Kind, say
from sttd.host.sd_notify import Notifier
from sttd.inbox import Inboxes
from sttd.job import Identity
from sttd.ledger import LOCK, SPOOL, spool
from sttd.ledger.names import PULSE
from sttd.pool.build import pool_of
from sttd.rules.deadlines import Deadlines

__all__ = ["Listener", "run", "transcribe"]

TIDY = 2.0  # seconds to wait for the removal of the empty staging folder


def run(config: Config, *, load_config: Callable[[], Config], drain: bool) -> int:
    """Run the daemon until SIGTERM, or with `drain` until every file has come to its end.

    Must be called in the main thread: it takes the signals, and workers die with the thread that started them.

    Returns:
        The exit code: 0, or 1 where `drain` left failed or waiting jobs.

    Raises:
        NotConfigured: a folder is missing, not writable, or not fit for its purpose.
        AlreadyRunning: another daemon holds the state folder or the inbox.
        LedgerError: the ledger cannot be opened, or is damaged for the second time.
    """
    log.setup(config.log.level)
    for warning in warnings(config):
        logger.warning(warning)
    descriptors.raise_limit()
    notifier = Notifier()
    restarts.wait_turn(notifier, os.environ)
    silent = folders.make(config)
    damage: LedgerCorrupt | None = None
    while True:
        try:
            return _serve(config, notifier, load_config, drain=drain, damage=damage, silent=silent)
        except LedgerCorrupt as error:
            if damage is not None:  # made anew once already: it is the disk that is damaged
                raise
            damage = error


def _serve(
    config: Config,
    notifier: Notifier,
    load_config: Callable[[], Config],
    *,
    drain: bool,
    damage: LedgerCorrupt | None,
    silent: list[str],
) -> int:
    """One life of the daemon, with one ledger. Raises LedgerCorrupt if a new ledger is needed.

    `silent`: the folders of results that do not answer. While there are any, half-written leftovers are not removed.
    """
    inputs: Inputs[Input] = Inputs()
    with _stations(config, inputs, notifier, damage) as context:
        known = whereabouts.begin(context)
        waiting = {inboxes.split(source)[0] for source in context.ledger.waiting_sources()}
        inbox = Inboxes(config, inputs.put, known, waiting=waiting)
        context.inbox = inbox
        recover(context, folders_answer=not silent)
        context.work.silent = folders.wait_for(silent, inputs.put)
        try:
            inbox.expect(context.ledger.waiting_sources())
            take_signals(inputs.put)
            context.pool.start(inputs.tell)
            inbox.start()
            watched = ", ".join(map(str, config.inboxes().values()))
            say(Kind.DAEMON_START, f"sttd {__version__} watches {watched}", version=__version__)
            code = Loop(context, inputs, notifier).run(load_config, drain)
            restarts.reset(os.environ)
            return code
        finally:
            inbox.stop()
            inputs.close()
            context.pool.close(0.0)
            say(Kind.DAEMON_STOP, "stopped")


def transcribe(files: Sequence[Path], config: Config, listener: Listener) -> int:
    """Transcribe `files` as the daemon would, in the foreground, with results in `paths.transcripts`.

    The caller has set up the log, and its ledger is new: the jobs are numbered from 1, in the order of the files.

    Returns:
        0, or 1 where a file has no transcript.
    """
    inputs: Inputs[Input] = Inputs()
    notifier = Notifier()
    folders.make(config)
    with _stations(config, inputs, notifier) as context:
        context.places = outbox.Places(config.paths, marked=False)
        recover(context)
        for file in files:
            context.ledger.add(file.name, Identity.of(file.stat()), context.utc(), location=os.path.abspath(file))  # noqa: PTH100
        context.shared.listener = listener
        with signals_taken(inputs.put):
            listener.begin(lambda: inputs.put(Signal(signal.SIGTERM)))
            context.pool.start(inputs.tell)
            try:
                code = Loop(context, inputs, notifier).run(lambda: config, drain=True)
            finally:
                inputs.close()
                context.pool.close(0.0)
        return INTERRUPTED if _came_late(inputs, signal.SIGINT) else code


def _came_late(inputs: queue.SimpleQueue[Input], number: int) -> bool:
    """Whether a signal came after the loop had ended and before the former handlers were back."""
    with contextlib.suppress(queue.Empty):
        while True:
            if inputs.get_nowait() == Signal(number):
                return True
    return False


@contextlib.contextmanager
def _stations(
    config: Config, inputs: queue.SimpleQueue[Input], notifier: Notifier, damage: LedgerCorrupt | None = None
) -> Iterator[Context]:
    """Lock the state folder, open the ledger and start the threads; undo it all at the end."""
    state = config.paths.state
    with contextlib.ExitStack() as held:
        held.callback(Lock(state / LOCK, "the state folder").release)
        pulse = Pulse(state / PULSE)
        held.callback(pulse.close)
        notifier.beat_with(pulse.beat)
        held.callback(notifier.beat_with, lambda: None)
        spool.make(state / SPOOL)
        ledger = open_ledger(config, notifier, damage)
        context = Context(
            config=config,
            ledger=ledger,
            pool=pool_of(config),
            inbox=None,
            work=FileWork(
                errands=Errands(inputs.put),
                checks=Errands(inputs.put, threads=1),
                upkeep=Errands(inputs.put, threads=1),
                models=Errands(inputs.put, threads=1),
                looks={name: Errands(inputs.put, threads=1) for name in config.inboxes()},
            ),
            deadlines=Deadlines(),
            judging=Judging(trial=Trial(trial.SAMPLE)),
        )
        try:
            yield context
        finally:
            for errands in context.work.all():
                errands.close()
            ledger.close()
            if not context.work.operations():  # else a mount may hang
                _tidy(config)


def _tidy(config: Config) -> None:
    """Leave no empty folder among the transcripts. If the share hangs, the folder stays and the daemon ends all the same."""
    thread = threading.Thread(target=outbox.tidy, args=(config,), name="tidy", daemon=True)
    thread.start()
    thread.join(TIDY)
