"""The scripted worker of tests/pool, but its script is the part's `source`: a recording here is sound, or bytes that are sent."""

from __future__ import annotations

import os

from sttd.part import Notice
from tests.pool.scripted import WORDS, Cleaner, NoModel, State, confine, load

__all__ = ["Cleaner", "NoModel", "confine", "load", "run_part"]


def run_part(spec, model):
    key = {"part_id": spec.part_id, "attempt": spec.attempt}
    state = State(spec.next_index, spec.resume_from)
    for word in spec.source.split():
        name, _, value = word.partition(":")
        yield from (WORDS | {"device": device, "print": speak})[name](key, state, value, model) or ()


def speak(key, state, value, model):
    """As a library does that thinks of a terminal."""
    os.write(1, b"a library's words\n")


def device(key, state, value, model):
    """What its model is told to use."""
    spec = model.loaded.spec
    yield Notice(level="INFO", text=f"{spec.device} {spec.cpu_threads}", event="device", **key)
