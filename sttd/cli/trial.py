"""`sttd model verify`: a model in a process of its own, and what it heard, in words and figures."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttd.cli.demo import SAMPLES, SPOKEN
from sttd.text import printable, sentence

if TYPE_CHECKING:
    from sttd.config import Config

_PUNCTUATION = re.compile(r"[\s.,;:!?\"'()…“”‘’-]+")


def trial(config: Config, name: str, hub: Path) -> bool:
    """Load and try `name`, and print how it went; returns whether it went well."""
    print(printable(name), flush=True)
    spec = dataclasses.replace(config.model_spec(name), fallback="")
    orders = {
        "model": dataclasses.asdict(spec),
        "cache": str(hub),
        "samples": [str(SAMPLES / sample) for sample in SPOKEN],
    }
    patience = spec.load_timeout + config.pool.job_timeout
    try:
        lines, complaint = _run(orders, None if math.isinf(patience) else patience)
    except subprocess.TimeoutExpired:
        return _failed("it took longer than model.load_timeout and pool.job_timeout together")
    loaded = next((line["loaded"] for line in lines if "loaded" in line), None)
    if loaded is not None:
        print(f"  loaded in {loaded['seconds']:.1f} s on {loaded['device']}, {loaded['compute_type']}")
    problem = next((line["problem"] for line in lines if "problem" in line), "")
    heard = [line["heard"] for line in lines if "heard" in line]
    texts = json.loads((SAMPLES / "words.json").read_text("utf-8"))
    for sample, one in zip(SPOKEN, heard, strict=False):
        _report(SPOKEN[sample], texts[sample]["words"], one)
    if not problem and len(heard) < len(SPOKEN):
        problem = complaint or "its process died"
    if problem:
        return _failed(problem)
    return any(one["text"] for one in heard) or _failed("it heard nothing at all")


def _run(orders: dict[str, Any], patience: float | None) -> tuple[list[dict[str, Any]], str]:
    """The JSON lines that the process printed, and which signal ended it, or else the last line of its standard error.

    Raises:
        subprocess.TimeoutExpired: it took longer than `patience` seconds, and was killed.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-m", "sttd.worker.verify"],
        input=json.dumps(orders), capture_output=True, text=True, errors="replace", timeout=patience, check=False,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"}, encoding="utf-8",
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    complaints = done.stderr.strip().splitlines()
    died = f"its process was ended by signal {-done.returncode}" if done.returncode < 0 else ""
    return lines, died or (complaints[-1] if complaints else "")


def _report(language: str, words: Sequence[str], heard: dict[str, Any]) -> None:
    count = recognised(words, heard["text"])
    print(
        f"  {language}: {count} of {len(words)} words, heard as {heard['language']!r}"
        f" in {heard['seconds']:.1f} s ({heard['audio_seconds']:.1f} s of sound)"
    )
    print(f"    {printable(heard['text'])}", flush=True)


def recognised(words: Sequence[str], text: str) -> int:
    """How many of `words` are in `text`, in their order. Thai is written without spaces: a word may lie in a longer one."""
    place, count = 0, 0
    text = f" {' '.join(_PUNCTUATION.split(text.casefold()))} "
    for word in words:
        sought = f" {word.casefold()} " if word.isascii() else word
        found = text.find(sought, place)
        if found >= 0:
            place, count = found + len(word), count + 1
    return count


def _failed(problem: str) -> bool:
    print(f"  does not work: {sentence(problem)}", flush=True)
    return False
