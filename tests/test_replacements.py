"""Names are written as a person wants them, whole words alone; what was heard is kept, and a bad list is an error in words."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import subprocess
import sys

import pytest
from hypothesis import given, strategies as st

from sttd import outbox, replacements
from sttd.errors import ConfigError
from sttd.outbox.formats.record import read
from sttd.part import Segment
from sttd.replacements import BadReplacements, Replacements, parse
from tests.outbox.test_outbox import make

LIST = """\
\ufeff# names
jon smith → John Smyth
jon -> Jon B.

open ai → OpenAI
เอสทีที → STT
北京 → 北京市
मी → मीरा
um →
"""


@pytest.mark.parametrize(
    ("heard", "written"),
    [
        (
            "Jon Smith and jon met JON  SMITH.",
            "John Smyth and Jon B. met John Smyth.",
        ),  # the longest; any case; any space
        ("Jonathan, Jon's jon-boy, anjon", "Jonathan, Jon B.'s Jon B.-boy, anjon"),
        ("Open AI opens open airs", "OpenAI opens open airs"),
        ("ใช้เอสทีทีดี", "ใช้STTดี"),
        ("เอสทีที่", "เอสทีที่"),  # within a cluster: another word
        ("我在北京。", "我在北京市。"),
        ("मीना मी", "मीना मीरा"),
        ("so um yes", "so  yes"),
        ("", ""),
    ],
)
def test_whole_words_are_replaced(heard, written):
    assert Replacements(parse(LIST.removeprefix("\ufeff"))).apply(heard) == written


def test_what_was_written_is_not_looked_at_again():
    assert Replacements([("a", "b"), ("b", "a")]).apply("a b") == "b a"


texts = st.text("ab AB.'กาำเ่→", max_size=30)


@given(texts, st.lists(texts.map(str.strip).filter(bool), max_size=4))
def test_what_is_written_as_it_is_heard_changes_no_letter(text, heard):
    """Whatever the list: nothing between two names is lost, or there twice."""
    made = Replacements((each, each) for each in heard).apply(text)
    assert "".join(made.lower().split()) == "".join(text.lower().split())
    assert Replacements(()).apply(text) == text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a → b\nno arrow", "line 2: write it as `heard → written` (or ->), not 'no arrow'"),
        ("→ b", "line 1: write it as `heard → written` (or ->), not '→ b'"),
        ("a → b → c", "line 1: write it as `heard → written` (or ->), not 'a → b → c'"),
        ("Ann  Lee → x\n\nann lee → y", "line 3: 'ann lee' stands in line 1 already"),
        ("\n".join(f"word{i} → x" for i in range(5001)), "line 5001: more than 5,000 pairs"),
    ],
)
def test_a_line_that_is_no_pair_is_named(text, sentence):
    with pytest.raises(ValueError, match="line") as caught:
        parse(text)
    assert str(caught.value) == sentence


def test_a_file_that_cannot_be_read_is_an_error_in_words(tmp_path):
    """A missing one, a folder, a FIFO, what is not text, and a line that is none."""
    (tmp_path / "bytes").write_bytes(b"\xff")
    (tmp_path / "line").write_text("oops")
    os.mkfifo(tmp_path / "fifo")
    for name, words in (
        ("none", "cannot be read (No such file or directory)"), ("", "cannot be read (not a regular file)"),
        ("fifo", "cannot be read (not a regular file)"), ("bytes", "is not UTF-8 text (byte 1)"),
        ("line", "line 1: write it as"),
    ):  # fmt: skip
        with pytest.raises(BadReplacements) as caught:
            replacements.read(tmp_path / name)
        assert str(caught.value).startswith(f"[transcribe] replace: {(tmp_path / name)}: {words}")


# what becomes of a result


def said(text: str) -> Segment:
    return Segment(0.0, 2.0, text, -0.2, 1.1, 0.01, 0.0, "en")


def results(tmp_path, listed: str, segments):
    """The staged texts by suffix."""
    config, job, _ = make(tmp_path)
    path = tmp_path / "names.txt"
    path.write_text(listed)
    config = dataclasses.replace(config, transcribe=dataclasses.replace(config.transcribe, replace=path))
    plan = outbox.stage(
        job, outbox.Meta.of(job, finished_at=1.0), lambda: iter(segments), config, outbox.Places(config.paths)
    )
    staged = config.paths.transcripts / ".sttd-staging" / plan.staging
    return {each.name: each.read_text("utf-8") for each in staged.iterdir()}


def test_every_format_has_what_is_to_be_written_and_the_json_also_what_was_heard(tmp_path):
    found = results(tmp_path, "jon → John", [said("I met Jon."), said("Who?")])
    assert all("I met John." in text for text in found.values())
    assert [name for name, text in found.items() if "Jon." in text] == ["json"]
    first, second = json.loads(found["json"])["segments"]
    assert (first["text"], first["heard"]) == ("I met John.", "I met Jon.")
    assert (second["text"], "heard" in second) == ("Who?", False)


def test_a_copy_of_a_result_is_written_as_the_list_is_now(tmp_path):
    """From what was heard, not from what an older list made of it."""
    first = results(tmp_path, "jon → John", [said("I met Jon.")])
    _, segments = read(io.BytesIO(first["json"].encode()))
    assert "I met Jonah." in results(tmp_path, "jon → Jonah", list(segments))["txt"]


def test_a_text_is_looked_at_closely_only_where_a_pair_may_begin(monkeypatch):
    """48 hours are written in seconds: a border costs much more to find than a first letter."""
    looked: list[int] = []
    is_border = replacements._is_border
    monkeypatch.setattr(replacements, "_is_border", lambda text, at: looked.append(at) or is_border(text, at))
    text = "we met at the bank, " * 1000
    assert Replacements([("jon", "John")]).apply(f"{text}Jon") == f"{text}John"
    assert len(looked) == 2


def test_a_list_that_went_bad_holds_a_job_and_says_so(tmp_path):
    with pytest.raises(BadReplacements, match="line 1"):
        results(tmp_path, "jon", [said("I met Jon.")])


def test_check_config_and_a_reload_refuse_a_bad_list(tmp_path):
    """The command line's error, and the error that keeps the daemon's old configuration."""
    from sttd.cli.serve import check_replacements

    path = tmp_path / "names.txt"
    path.write_text("jon\n")
    sets = ["--root", tmp_path, "--set", f"transcribe.replace={path}"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "sttd", *sets, "check-config"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert f"[transcribe] replace: {path}: line 1: write it as `heard → written`" in done.stderr
    config, _, _ = make(tmp_path)
    config = dataclasses.replace(config, transcribe=dataclasses.replace(config.transcribe, replace=path))
    with pytest.raises(ConfigError, match="line 1"):
        check_replacements(config)
    path.write_text("jon → John\n")
    assert check_replacements(config) is config
