"""The configuration as a file: whatever a valid one holds comes back, and durations are what systemd takes them for."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from sttd.config import Config, Paths, sections
from sttd.config.key import SHORTEST
from sttd.configfile import load, render
from sttd.configfile.languages import CODES
from sttd.configfile.values import LONGEST, read
from sttd.units import format_duration, parse_duration
from tests.properties import words

# what a TOML file can hold as text: no lone surrogates
texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=30)
filled = texts.filter(lambda text: text.strip() and "\0" not in text)
micros = st.integers(0, int(LONGEST * 1e6)).map(lambda count: count / 1e6)
PATHS = [field.name for field in dataclasses.fields(Paths)]
suffixes = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)


def accepted(strategy, kind, rules):
    """What the reader of this kind takes, as it takes it: how it is written down is what the test is about."""

    def taken(value):
        try:
            return (read(value, kind, rules),)
        except ValueError:
            return ()

    return strategy.map(taken).filter(bool).map(lambda found: found[0])


def values(field: dataclasses.Field):
    """Values that a key may have, by its kind."""
    rules, kind = field.metadata, field.metadata["kind"]
    whole = st.integers(int(rules.get("least", 0)), rules.get("most", 10**9))
    lasting = micros.map(lambda seconds: max(seconds, rules.get("least", 0.0)))
    choices = st.sampled_from(rules.get("choices", ("",)))
    found = {
        "path": filled.filter(lambda text: ".." not in text).map(lambda text: f"/{field.name}/{text}"),
        "duration": st.just(float("inf")) | lasting if rules.get("endless") else lasting,
        "durations": st.lists(micros, min_size=1, max_size=4),
        "size": st.just("infinity") | st.integers(0, 2**53),
        "bool": st.booleans(),
        "int": whole,
        "auto": st.just("auto") | whole.filter(bool),  # no workers: that needs a [[pool.remote]] table
        "tracks": st.sampled_from(["auto", "all"]) | st.integers(1, 256),
        "str": filled if rules.get("filled") else texts,
        "list": st.lists(suffixes, min_size=1, max_size=4),
        "choice": choices,
        "number": st.floats(rules.get("least"), rules.get("most")),
        "fraction": st.floats(0, 1),
        "fractions": st.lists(st.floats(0, 1), min_size=1, max_size=6),
        "percent": st.floats(0, 100),
        "formats": st.lists(choices, min_size=1, max_size=5),
        "names": st.lists(texts, max_size=3),
        "language": st.just("") | st.sampled_from(sorted(CODES)),
        "hosts": st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,20}[a-z0-9]", fullmatch=True), max_size=3),
        "address": st.tuples(st.ip_addresses(v=4).map(str), st.integers(0, 65535)).map(
            lambda pair: f"{pair[0]}:{pair[1]}"
        ),
        "languages": st.lists(st.sampled_from(sorted(CODES)), max_size=3),
    }[kind]
    return st.just(field.default) | accepted(found, kind, rules)


SECTIONS = {
    section.field: st.builds(
        section.default_factory, **{key.name: values(key) for key in dataclasses.fields(section.default_factory)}
    )
    for section in sections()
}


def consistent(config: Config) -> Config:
    """With what must hold between values: levels and times that rise, and one way to say the language."""
    memory, transcribe, subtitles, pool = config.memory, config.transcribe, config.subtitles, config.pool
    shorter, longer = sorted((pool.part_length, pool.split_after))
    pool = dataclasses.replace(pool, part_length=shorter, split_after=longer, backend="local")
    low, middle, high = sorted((memory.moderate, memory.high, memory.critical))
    if low < middle < high:
        memory = dataclasses.replace(memory, moderate=low, high=middle, critical=high)
    else:
        memory = dataclasses.replace(memory, moderate=80.0, high=90.0, critical=95.0)
    if transcribe.language:
        transcribe = dataclasses.replace(transcribe, languages=())
    shortest, longest = sorted((subtitles.shortest, subtitles.longest))
    subtitles = dataclasses.replace(subtitles, shortest=shortest, longest=max(longest, SHORTEST))
    return dataclasses.replace(config, memory=memory, transcribe=transcribe, subtitles=subtitles, pool=pool)


@words.percent(40)
@given(st.builds(Config, **SECTIONS).map(consistent))
def test_any_configuration_that_is_taken_is_the_same_after_it_was_written_and_read(config):
    """Every key of every section at once: render, load, render gives the same values and the same file."""
    with words.folder() as folder:
        path = Path(folder, "sttd.toml")
        path.write_text(render(config), encoding="utf-8", newline="")
        first = load(path, environ={})
        chosen = {name: folder for name in PATHS if (folder := getattr(config.paths, name)) != Path()}
        assert first == dataclasses.replace(config, paths=dataclasses.replace(first.paths, **chosen))
        path.write_text(render(first), encoding="utf-8", newline="")
        assert load(path, environ={}) == first


units = st.sampled_from(
    "us usec µs ms msec s sec second seconds m min minutes h hr hours d day days w weeks M months y".split()
)
counts = st.integers(0, 5000).map(str) | st.decimals(0, 500, places=3).map(str) | st.sampled_from([".5", "0.25", "1."])
spans = st.lists(st.tuples(counts, st.sampled_from(["", " "]), units | st.just(""), st.sampled_from([" ", "", "  "])),
                 min_size=1, max_size=4).map(lambda parts: "".join("".join(part) for part in parts))  # fmt: skip
nonsense = st.text("0123456789.smh -e", min_size=1, max_size=8)


def timespans(texts: list[str]) -> list[float | None]:
    """Seconds of each, as systemd reads them; None where it refuses."""
    found: list[float | None] = []
    for text in texts:
        done = subprocess.run(["systemd-analyze", "timespan", "--", text], capture_output=True, text=True, check=False)
        micro = [line.partition(":")[2] for line in done.stdout.splitlines() if line.strip().startswith("μs:")]
        found.append(int(micro[0]) / 1e6 if micro else None)
    return found


def ours(text: str) -> float | None:
    try:
        return parse_duration(text)
    except ValueError:
        return None


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is the oracle")
@words.percent(12)
@given(st.lists(spans, min_size=4, max_size=8), st.lists(nonsense, min_size=2, max_size=4))
def test_any_time_span_is_what_systemd_takes_it_for(good, bad):
    """Numbers, units and spaces put together in any way: the same seconds, and the same refusals."""
    for text, theirs in zip([*good, *bad], timespans([*good, *bad]), strict=True):
        mine = ours(text)
        assert (mine is None) == (theirs is None), text
        assert mine is None or mine == pytest.approx(theirs, rel=1e-9, abs=2e-6), text


@given(micros)
def test_a_duration_that_was_written_is_read_to_the_microsecond(seconds):
    """Up to the longest one that a key takes."""
    assert round(parse_duration(format_duration(seconds)), 6) == seconds
