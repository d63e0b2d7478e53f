"""The scripted worker's words, where they would end or stop the process: here they end or stop the fake worker that says them."""

from __future__ import annotations

import os
import signal
import threading
import time

from sttd.part import Started
from tests.pool import scripted
from tests.pool.contract.fake import Dies, FakeWorker
from tests.pool.scripted import Cleaner, NoModel, State, confine, script_of

__all__ = ["Cleaner", "NoModel", "confine", "load", "run_part"]


def me() -> FakeWorker:
    return threading.current_thread().fake  # type: ignore[attr-defined]


def load(spec, notify):
    if spec.name == "crashing":
        raise Dies(-signal.SIGSEGV)
    if spec.name == "hanging":
        me().hang()
    return scripted.load(spec, notify)


def run_part(spec, model):
    key = {"part_id": spec.part_id, "attempt": spec.attempt}
    state = State(spec.next_index, spec.resume_from)
    for word in script_of(spec).split():
        name, _, value = word.partition(":")
        me().live()
        yield from (WORDS.get(name) or scripted.WORDS[name])(key, state, value, model) or ()


def started(key, state, value, model):
    for event in scripted.started(key, state, value, model):
        assert isinstance(event, Started)
        yield type(event)(**{name: getattr(event, name) for name in event.__slots__} | key | {"pid": me().number})


def half(key, state, value, model):
    scripted.write_half(me().messages, key, state, model)
    stop()


def stop(value=""):
    me().is_stopped = True
    me().live()


def die(exitcode):
    raise Dies(exitcode)


def deaf(value):
    me().is_deaf = True


def gate(key, state, value, model):
    while not os.path.exists(value):
        me().live()
        time.sleep(0.005)


def do(action):
    return lambda key, state, value, model: action(value) and None


WORDS = {
    "started": started,
    "half": half,
    "gate": gate,
    "deaf": do(deaf),
    "hang": do(lambda value: me().hang()),
    "gil": do(lambda value: me().hang()),
    "stop": do(stop),
    "exit": do(lambda value: die(int(value))),
    "kill": do(lambda value: die(-signal.Signals[value])),
    "segv": do(lambda value: die(-signal.SIGSEGV)),
    "foreign": do(lambda value: os.write(me().messages, scripted.FOREIGN) and me().hang()),
    "close": do(lambda value: os.close(me().messages) or me().hang()),
}
