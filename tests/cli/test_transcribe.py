"""What `sttd transcribe` refuses, in the words of who typed it: no key of a configuration that he has not seen."""

from __future__ import annotations

import importlib
import os
import pty
import re
import sys

import pytest
from loguru import logger

from sttd.cli.screen import Plain
from sttd.config import Config
from tests import speech

transcribe = importlib.import_module("sttd.cli.transcribe")

KEY = re.compile(r"\[[a-z]+\]|(transcribe|output|paths|model)\.[a-z]+")


@pytest.fixture
def talk(tmp_path):
    return str(speech.encode(tmp_path / "talk.flac", speech.sample("english")))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--language", "thai"), "--language: must be a language code that Whisper knows, such as en, th or zh, not 'thai'; did you mean th?"),
        (("--language", "jp"), "; did you mean ja?"),
        (("--language", "en_US"), "; did you mean en?"),
        (("--language", "germn"), "; did you mean de?"),
        (("--formats", "str,txt"), "--formats: must be one of txt, md, srt, vtt, lrc, json, tsv, not 'str'; did you mean srt?"),
        (("--formats", ""), "--formats: must name at least one"),
        (("--model", ""), "--model: must not be empty"),
        (("--langage", "th"), "No such option '--langage'. Did you mean"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_by_its_option_with_the_nearest_right_one(sttd, talk, words, says):
    done = sttd("transcribe", talk, *words)
    assert done.code == 2
    assert says in done.err
    assert done.err.count("\n") == 1
    assert not KEY.search(done.err)


@pytest.mark.parametrize(
    ("folder", "says"),
    [
        ("taken", "a file is there, and no folder"),
        ("taken/x", "a file is there, and no folder"),
        ("/proc/x", "cannot be made"),
    ],
)
def test_a_folder_that_cannot_be_had_is_named_as_it_was_typed(sttd, talk, tmp_path, monkeypatch, folder, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").touch()
    done = sttd("transcribe", talk, "--set", "model.name=demo", "-o", folder)
    assert done.code == 2
    assert done.err.startswith(f"sttd: -o {folder}: {says}")
    assert not KEY.search(done.err)


def test_a_model_that_was_typed_is_the_one_that_is_used_or_none(sttd, talk):
    """The fallback is there; but who names a model wants that one."""
    done = sttd("transcribe", talk, "--set", "model.fallback=demo", "--model", "smal")
    assert (done.code, done.out) == (1, "")
    assert done.err == "sttd: --model: 'smal' is neither a size nor OWNER/NAME of the hub; did you mean 'small'?\n"


def test_the_other_commands_name_their_options_too(sttd, ledger):
    assert "sttd: --model: must not be empty" in sttd("run", "--model", "").err
    assert "sttd: --language: must be a language code" in sttd("redo", "1", "--language", "thai").err


@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_beside_a_pipe_there_are_no_bars(tmp_path, monkeypatch, kind):
    """`| tee talk.txt` shows the text on the terminal that the bars are on: each picture of them took it away."""
    ours, theirs = pty.openpty()
    reading, writing = (
        os.pipe() if kind == "pipe" else (os.dup(ours), os.open(tmp_path / "text", os.O_CREAT | os.O_WRONLY))
    )
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(theirs, "w") as terminal, os.fdopen(writing, "w") as out:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setattr(sys, "stdout", out)
        screen = transcribe._teller([tmp_path], Config(), written=False)._screen
        monkeypatch.undo()
    logger.remove()
    os.close(ours)
    os.close(reading)
    assert isinstance(screen, Plain) == (kind == "pipe")


def test_what_goes_away_with_the_command_is_waited_for_by_nobody(tmp_path):
    """Ctrl-C waits for no checkpoint in a folder that is removed next. An equal file has a text of its own."""
    config = transcribe.in_scratch(Config(), tmp_path, None)
    assert config.pool.stop_grace == 0.0
    assert config.paths.state.parent == config.paths.transcripts.parent == tmp_path
    assert not config.watch.dedupe


def test_messages_name_what_can_be_typed():
    """`--language` and `--set`, where workers name keys of the service's configuration."""
    from sttd.cli.transcribe import as_typed

    said = "the model does not know the language 'xx': set transcribe.language, or model.name to one that does"
    assert as_typed(said) == "the model does not know the language 'xx': set --language, or --model to one that does"
    assert as_typed('transcribe.tracks = "all" mixes them') == "--set transcribe.tracks=all mixes them"
    assert as_typed("if people talk there, set transcribe.vad = false") == (
        "if people talk there, --set transcribe.vad=false"
    )
