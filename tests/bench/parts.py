"""Row 14: one long recording that is shared out over workers of one thread, against one worker that has all threads.

Both are sttd, from the start of the command to its end. On a machine that does other work too the clock says little: the
notes have the processor time of each, of the daemon and all of its workers.
"""

from __future__ import annotations

import resource
from collections.abc import Callable

from tests.bench import contenders, material
from tests.bench.contenders import CORES
from tests.bench.side_by_side import Bench, Figure, Outcome, Row, Turns, alone

_SHARE = {"demo": 1.0, "base": 1 / 12}  # of 2 h, and of what a part is
_MUST = {"demo": 0.85, "base": 0.95}  # one worker of Whisper's own size uses both cores well
_ONE = {"pool.workers": "1", "model.cpu_threads": str(CORES), "pool.split_after": "never"}


def rows(bench: Bench, wanted: set[int]) -> list[Row]:
    names = [name for name in material.names(bench) if name in _SHARE]
    return [_row(bench, name) for name in names] if 14 in wanted else []


def _row(bench: Bench, name: str) -> Row:
    seconds = bench.seconds(7200 * _SHARE[name])
    heard, model = material.long(bench, name, seconds), material.model(bench, name)
    lengths = {"pool.split_after": f"{max(10, seconds / 6):.0f}s", "pool.part_length": f"{max(10, seconds / 12):.0f}s"}
    several = {"pool.workers": str(CORES), "model.cpu_threads": "1"} | lengths
    print(f"{heard.seconds:.0f} s, {material.WORDS[name]}", flush=True)
    spent: dict[str, list[float]] = {}
    turns = Turns(
        {
            "parts": _timed(spent, "parts", lambda: contenders.sttd_cold(heard.files, model, several)),
            "one": _timed(spent, "one", lambda: contenders.sttd_cold(heard.files, model, _ONE)),
        },
        material.checker(heard, name),
    ).run(bench.runs)
    work = ", ".join(f"{key} {Figure.of(values).middle:.1f} s" for key, values in spent.items())
    what = f"one recording of {heard.seconds / 60:.0f} min, {material.WORDS[name]}: {CORES} workers of 1 thread ÷ 1 of {CORES}"
    notes = f"{turns.seconds('parts', 'one')}; processor time: {work}"
    return Row(14, what, turns.ratio("parts", "one"), _MUST[name], notes=notes)


def _timed(spent: dict[str, list[float]], name: str, run: Callable[[], Outcome]) -> Callable[[], Outcome]:
    """Notes the processor seconds of all that it starts."""

    def timed() -> Outcome:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        outcome = run()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.setdefault(name, []).append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return outcome

    return timed


if __name__ == "__main__":
    alone(rows, {14})
