"""Rows 1 and 2: many short clips, against a loop over faster-whisper and against whisper-ctranslate2.

A loop hears one clip at a time on all cores. sttd has a worker of one thread a core, warm as the loop's model is; against
commands, which load the model themselves, it starts cold as well. One command for each clip is measured on a tenth of
the clips, and all are compared by seconds a clip.
"""

from __future__ import annotations

import dataclasses

from tests.bench import contenders, material, recordings
from tests.bench.contenders import CORES
from tests.bench.side_by_side import Bench, Figure, Outcome, Row, Turns, alone

_SHARED_OUT = {"pool.workers": str(CORES), "model.cpu_threads": "1", "watch.dedupe": "false"}
_FEWER = {"demo": 1.0, "base": 0.1, "small": 0.05, "real": 0.1}  # of the clips, where each costs seconds of computing


def rows(bench: Bench, wanted: set[int]) -> list[Row]:
    found = []
    for name in material.names(bench):
        clips = material.clips(bench, name, bench.count(round(200 * _FEWER[name])))
        model = material.model(bench, name)
        what = f"{len(clips.files)} clips of 2 to 15 s, {material.WORDS[name]}"
        print(what, flush=True)
        if 1 in wanted:
            found.append(_against_a_loop(bench, clips, model, name, what))
        if 2 in wanted and name == "demo":
            found += _against_commands(bench, clips, model, what)
    return found


def _against_a_loop(bench: Bench, clips: recordings.Heard, model, name: str, what: str) -> Row:
    turns = Turns(
        {
            "sttd": lambda: contenders.sttd_warm(clips.files, model, _SHARED_OUT),
            "loop": lambda: contenders.plain_loop(clips.files, model),
        },
        material.checker(clips, name),
    ).run(bench.runs)
    notes = turns.seconds("sttd", "loop")
    return Row(
        1, f"{what}: time ÷ loop over `WhisperModel.transcribe`", turns.ratio("sttd", "loop"), 0.75, 0.55, notes=notes
    )


def _against_commands(bench: Bench, clips: recordings.Heard, model, what: str) -> list[Row]:
    few = dataclasses.replace(clips, files=clips.files[::10], said=clips.said[::10])
    check, check_few = recordings.checker(clips.said, "demo"), recordings.checker(few.said, "demo")

    def checked(name: str, outcome: Outcome) -> str:
        return (check if len(outcome.texts) == len(clips.files) else check_few)(name, outcome)

    turns = Turns(
        {
            "sttd": lambda: contenders.sttd_cold(clips.files, model, _SHARED_OUT),
            "one command": lambda: contenders.whisper_ctranslate2(clips.files, model),
            "one each": lambda: contenders.whisper_ctranslate2_each(few.files, model),
        },
        checked,
    ).run(bench.runs)
    together = turns.ratio("sttd", "one command")
    share = len(few.files) / len(clips.files)
    each = Figure.of([
        mine.seconds * share / theirs.seconds
        for mine, theirs in zip(turns.outcomes["sttd"], turns.outcomes["one each"], strict=True)
    ])  # fmt: skip
    what += ", cold: time ÷ whisper-ctranslate2, one command for"
    notes = turns.seconds("sttd", "one command")
    return [
        Row(2, f"{what} all", together, 0.6, 0.3, notes=notes),
        Row(2, f"{what} each", each, 0.6, 0.3, notes=f"{turns.seconds('one each')} for {len(few.files)} clips"),
    ]


if __name__ == "__main__":
    alone(rows, {1, 2})
