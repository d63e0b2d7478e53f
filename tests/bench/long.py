"""Rows 3, 4 and 7: one long recording, against faster-whisper's sequential and batched paths; their time, and their words.

sttd's time is that of the whole command: start, load, transcript on disk, end. The others' clock runs only while they
transcribe.
"""

from __future__ import annotations

from pathlib import Path

from tests.bench import contenders, material, random_model, recordings
from tests.bench.side_by_side import Bench, Figure, Row, Turns, alone

_SHARE = {"demo": 1.0, "base": 1 / 12, "small": 1 / 24, "real": 1 / 12}  # of 2 h
_BATCHES = (4, 8, 16)


def rows(bench: Bench, wanted: set[int]) -> list[Row]:
    found = []
    for name in material.names(bench) if wanted & {3, 4} else ():
        found += _times(bench, wanted, name)
    if 7 in wanted:
        found.append(_words(bench))
    return found


def _times(bench: Bench, wanted: set[int], name: str) -> list[Row]:
    model = material.model(bench, name)
    heard = material.long(bench, name, bench.seconds(7200 * _SHARE[name]))
    print(f"{heard.seconds:.0f} s, {material.WORDS[name]}", flush=True)
    batch = _best_batch(bench, model, name) if 4 in wanted else 0
    everyone = {
        "sttd": lambda: contenders.sttd_cold(heard.files, model),
        "sequential": lambda: contenders.plain_loop(heard.files, model),
        f"batched by {batch}": lambda: contenders.batched(heard.files, model, batch),
    }
    left_out = {"sequential"} if 3 not in wanted else {f"batched by {batch}"} if 4 not in wanted else set()
    turns = Turns({key: run for key, run in everyone.items() if key not in left_out}, material.checker(heard, name))
    turns.run(bench.runs)
    what = f"one recording of {heard.seconds / 60:.0f} min, {material.WORDS[name]}: time ÷ faster-whisper"
    bounds = {"sequential": (3, f"{what}, sequential", 0.6, 0.4)}
    bounds[f"batched by {batch}"] = (4, f"{what}, batched by {batch} (its best)", 1.0, 0.8)
    return [
        Row(number, text, turns.ratio("sttd", key), must, beyond, notes=turns.seconds("sttd", key))
        for key, (number, text, must, beyond) in bounds.items()
        if key not in left_out
    ]


def _best_batch(bench: Bench, model: Path, name: str) -> int:
    """The batch size with which the batched pipeline is quickest on this machine, of one try each."""
    heard = material.long(bench, name, bench.seconds(600 if name == "demo" else 120))
    return min(_BATCHES, key=lambda batch: contenders.batched(heard.files, model, batch).seconds)


def _words(bench: Bench) -> Row:
    """Word error rates in points: all decode with their own temperatures above 0, so that runs differ."""
    heard = recordings.long(bench.cache, bench.seconds(3600))
    model = random_model.folder("demo")
    print(f"{heard.seconds:.0f} s, words", flush=True)
    turns = Turns(
        {
            "sttd": lambda: contenders.sttd_cold(heard.files, model),
            "sequential": lambda: contenders.plain_loop(heard.files, model),
            "batched": lambda: contenders.batched(heard.files, model, 8),
        },
        lambda _, outcome: f"{recordings.errors(heard.said, outcome):.2%} wrong",  # the row itself is the judgement
    ).run(bench.runs)
    rates = {key: [100 * recordings.errors(heard.said, o) for o in turns.outcomes[key]] for key in turns.contenders}
    figure = Figure.of([mine - min(others) for mine, *others in zip(*rates.values(), strict=True)])
    notes = ", ".join(f"{key} {Figure.of(values).middle:.2f} %" for key, values in rates.items())
    what = f"word error rate on {heard.seconds / 60:.0f} min, demo, in points − the better of faster-whisper's paths"
    return Row(7, what, figure, 0.3, -0.5, notes=notes)


if __name__ == "__main__":
    alone(rows, {3, 4, 7})
