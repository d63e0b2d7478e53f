"""A worker that does what its recording says, word by word: `started chunk hang`. It runs in real processes.

Words: started, chunk, chunks (one after the other, for ever), progress, notice:TEXT, done, failed:CAUSE, raise, memory, gap, silent (ends without an
end), sleep:SECONDS, segv, score (its oom_score_adj), gil (hangs without giving up the GIL), hang, deaf (ignores SIGTERM), gate:PATH (waits for a file), exit:N, kill:SIGNAL, stop (SIGSTOP to itself),
half (half a message, then it stops itself), foreign (bytes that are no frame), numpy (a message that holds a
foreign value), wound (winds forward: progress for ever), close (closes its pipe), touch:PATH, env (CUDA_VISIBLE_DEVICES
as a notice), grandchild (starts one in its group, told as a notice), burst:N (N notices).

The model's name says how the load goes: `absent`, `hanging`, `crashing`, `stuck` (on the fallback), or else well.
"""

from __future__ import annotations

import ctypes
import fractions
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from sttd.part import SAMPLE_RATE, Cause, Chunk, Chunks, Done, Failed, Loaded, Notice, Progress, Started
from sttd.pool.wire import encode

FOREIGN = b"libfoo: warning: something\n"


class NoModel(Exception):
    gpu_memory = False


@dataclass
class Model:
    loaded: Loaded
    load_seconds: float = 0.0


class Cleaner:
    """As the real one: every so many chunks, or when asked."""

    def __init__(self, every_chunks, cooldown):
        self.every, self.count, self.asked = every_chunks, 0, False

    def hurry(self):
        self.asked = True

    def after(self, chunks, now):
        self.count += chunks
        if self.asked or self.count >= self.every:
            self.count, self.asked = 0, False
            return 3 * 2**20
        return None


def confine(*, cuda):
    """This one does what workers may not."""


def load(spec, notify):
    if spec.name == "absent":
        raise NoModel("no folder 'absent'")
    if spec.name == "crashing":
        os.kill(os.getpid(), signal.SIGSEGV)
    if spec.name == "hanging":
        threading.Event().wait()
    if spec.name == "stuck":
        notify("WARNING", "falling back", "fallback")
        return Model(Loaded(spec, "base", "load timed out", stuck=True))
    return Model(Loaded(spec, spec.name))


def run_part(spec, model):
    key = {"part_id": spec.part_id, "attempt": spec.attempt}
    state = State(spec.next_index, spec.resume_from)
    for word in script_of(spec).split():
        name, _, value = word.partition(":")
        yield from WORDS[name](key, state, value, model) or ()


def script_of(spec):
    """The recording's content, from the handle that a worker is given, or from its path."""
    if spec.handle is not None:
        return os.pread(spec.handle, spec.size, 0).decode()
    return Path(spec.source).read_text()


@dataclass
class State:
    index: int
    position: int


def pipe() -> int:
    """The descriptor that messages go to: the one open connection that can be written."""
    return next(each.fileno() for each in gc.get_objects() if isinstance(each, Connection) and each.writable)


def chunk(key, state, value, model):
    end = state.position + SAMPLE_RATE
    said = Chunk(state.index, state.position, end, (), "en", 0.9, model.loaded.model)
    yield Chunks(chunks=(said,), done=end, **key)
    state.index, state.position = state.index + 1, end


def chunks(key, state, value, model):
    while True:
        yield from chunk(key, state, value, model)
        time.sleep(0.005)


def started(key, state, value, model):
    loaded = model.loaded
    yield Started(
        pid=os.getpid(), model=loaded.model, requested_model=loaded.spec.name, fallback_reason=loaded.fallback_reason,
        stuck=loaded.stuck, load_seconds=0.0, audio_seconds=None, **key,
    )  # fmt: skip


def wound(key, state, value, model):
    while True:
        yield Progress(done=1.0, total=None, **key)
        time.sleep(0.01)


def gate(key, state, value, model):
    while not Path(value).exists():
        time.sleep(0.005)


def write_half(messages, key, state, model):
    frame = encode(next(chunk(key, state, "", model)))
    os.write(messages, frame[: len(frame) // 2])


def half(key, state, value, model):
    write_half(pipe(), key, state, model)
    os.kill(os.getpid(), signal.SIGSTOP)


def grandchild(key, state, value, model):
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield Notice(level="INFO", text=str(other.pid), event="grandchild", **key)


def burst(key, state, value, model):
    for number in range(int(value)):
        yield Notice(level="DEBUG", text=str(number), event="burst", **key)


def say(text):
    return lambda key, state, value, model: (yield Notice(level="INFO", text=text(value), event="said", **key))


def tell(make):
    return lambda key, state, value, model: (yield make(key, state, value))


def do(action):
    return lambda key, state, value, model: action(value) and None


def boom(value):
    raise ValueError("boom")


def no_memory(value):
    raise MemoryError


def hang(value):
    threading.Event().wait()


WORDS = {
    "started": started,
    "chunk": chunk,
    "chunks": chunks,
    "progress": tell(lambda key, state, value: Progress(done=state.position / SAMPLE_RATE, total=None, **key)),
    "notice": say(lambda value: value),
    "env": say(lambda value: str(os.environ.get("CUDA_VISIBLE_DEVICES"))),
    "score": say(lambda value: Path("/proc/self/oom_score_adj").read_text().strip()),
    "done": tell(lambda key, state, value: Done(audio_seconds=1.0, **key)),
    "failed": tell(lambda key, state, value: Failed(cause=Cause[value], error="so it is", retriable=True, **key)),
    "numpy": tell(lambda key, state, value: Notice(level="INFO", text=fractions.Fraction(1, 2), event="x", **key)),
    "gap": tell(
        lambda key, state, value: Chunks(chunks=(Chunk(state.index, 5, 9, (), "en", 1.0, "m"),), done=9, **key)
    ),
    "silent": do(lambda value: None),
    "raise": do(boom),
    "memory": do(no_memory),
    "hang": do(hang),
    "deaf": do(lambda value: signal.signal(signal.SIGTERM, signal.SIG_IGN)),
    "exit": do(lambda value: os._exit(int(value))),
    "kill": do(lambda value: os.kill(os.getpid(), signal.Signals[value])),
    "stop": do(lambda value: os.kill(os.getpid(), signal.SIGSTOP)),
    "gil": do(lambda value: ctypes.PyDLL(None).sleep(600)),
    "sleep": do(lambda value: time.sleep(float(value))),
    "segv": do(lambda value: ctypes.string_at(0)),
    "foreign": do(lambda value: os.write(pipe(), FOREIGN) and hang(value)),
    "close": do(lambda value: os.close(pipe()) or hang(value)),
    "touch": do(lambda value: Path(value).touch()),
    "gate": gate,
    "half": half,
    "wound": wound,
    "grandchild": grandchild,
    "burst": burst,
}
