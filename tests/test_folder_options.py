"""What a folder's `.sttd.toml` may set, and what it may not."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from sttd.config import Config, Model, Transcribe
from sttd.configfile import KEYS, folder_options
from sttd.configfile.written import write
from sttd.errors import ConfigError

ALLOWED = {
    "transcribe.language", "transcribe.languages", "transcribe.tracks", "transcribe.task", "transcribe.beam_size",
    "transcribe.temperatures", "transcribe.word_timestamps", "transcribe.initial_prompt", "transcribe.hotwords",
    "transcribe.vad", "transcribe.channels", "transcribe.channel_names", "transcribe.vad_threshold", "output.formats", "subtitles.lines", "subtitles.line_length",
    "subtitles.shortest", "subtitles.longest", "subtitles.reading_speed", "model.name",
}  # fmt: skip


def read(text: str | bytes) -> dict:
    return folder_options.read(text if isinstance(text, bytes) else text.encode(), "m/.sttd.toml")


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as error:
        read(text)
    return error.value.problems


def test_only_what_concerns_the_words_may_be_set():
    """Each key of the configuration with its own default as the value: a new key is refused until somebody thinks about it."""
    taken = set()
    for section, keys in KEYS.items():
        for name, key in keys.items():
            default = key.default if key.default is not dataclasses.MISSING else key.default_factory()
            text = f"[{section}]\n{name} = {write(default, key.metadata['kind'])}"
            try:
                read(text)
            except ConfigError as error:
                assert "is not for a folder to set" in str(error)  # noqa: PT017
            else:
                taken.add(f"{section}.{name}")
    assert taken == ALLOWED


def test_what_is_set_is_over_the_configuration_and_the_rest_stays():
    text = """
        [transcribe]
        language = "TH"
        beam_size = 1
        [output]
        formats = ["srt", "TXT", "srt"]
        [subtitles]
        longest = "5s"
        line_length = "auto"
        [model]
        name = "base"
    """
    config = Config(transcribe=Transcribe(languages=("th", "en"), hotwords="sttd"), model=Model(device="cpu"))
    chosen = read(text)
    assert json.loads(json.dumps(chosen)) == chosen
    made = folder_options.overlaid(config, chosen)
    folder_options.check(config, chosen, "x")
    assert made.transcribe == Transcribe(language="th", languages=(), hotwords="sttd", beam_size=1)
    assert (made.output.formats, made.output.source) == (("srt", "txt"), "archive")
    assert (made.subtitles.longest, made.subtitles.line_length, made.subtitles.lines) == (5.0, 0, 2)
    assert made.model == Model(name="base", device="cpu")
    assert made.options().language == "th"
    assert folder_options.written(chosen)[:2] == ['transcribe.language = "th"', "transcribe.languages = []"]


def test_one_of_language_and_languages_puts_the_other_out_of_force():
    config = Config(transcribe=Transcribe(language="th"))
    chosen = read('[transcribe]\nlanguages = ["th", "en"]')
    folder_options.check(config, chosen, "x")
    assert folder_options.overlaid(config, chosen).transcribe == Transcribe(languages=("th", "en"))
    detected = folder_options.overlaid(config, read('[transcribe]\nlanguage = ""'))
    assert detected.transcribe == Transcribe()
    both = read('[transcribe]\nlanguage = "th"\nlanguages = ["en"]')
    with pytest.raises(ConfigError, match=r"^m: \[transcribe\] language and languages are both set"):
        folder_options.check(config, both, "m")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[transcribe]\nlangauge = 'th'", "there is no such key; did you mean language?"),
        ("[transcrib]\nx = 1", "there is no section [transcrib]; did you mean transcribe?"),
        ("language = 'th'", "language stands outside a section: write it below a line such as [transcribe]"),
        ("[transcribe]\nlanguage = 'thai'", "must be a language code that Whisper knows"),
        ("[transcribe]\nbeam_size = 1000", "must be at most 32"),
        ("[transcribe]\ntemperatures = [" + "0," * 1000 + "]", "at most 20 numbers"),
        ("[transcribe]\nhotwords = '''" + "\n".join(["x" * 4000] * 2) + "'''", "must be at most 4,000 characters"),
        ("[transcribe]\nbatch_size = 1", "is not for a folder to set"),
        ("[transcribe]\nreplace = '/etc/passwd'", "is not for a folder to set"),
        ("[output]\nsource = 'delete'", "is not for a folder to set"),
        ("[paths]\narchive = '/tmp'", "is not for a folder to set"),
        ("[expert]\nlog_prob = -3.0", "is not for a folder to set"),
        ("[model]\ndevice = 'cuda'", "is not for a folder to set"),
        ("[notify]\nwebhook = 'http://x'", "[[notify]] is not for a folder to set"),
        ("[[notify]]\nname = 'x'\ncommand = ['/bin/sh']", "[[notify]] is not for a folder to set"),
        ("[subtitles]\nlines = {a = 1}", "must be a whole number, not a table"),
        ("[transcribe\n", "is not valid TOML"),
        (b"[transcribe]\nhotwords = '\xff'", "is not UTF-8 text"),
        ("x = " + "[" * 4000, "nested too deeply"),
        ("x = " + "{a=" * 1500, "nested too deeply"),
        ("x" + ".x" * 30000 + " = 1", "line 1 has more than 5,000 characters"),
        ("#\n" * 40_000, "is over 64 KiB"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_mistake_is_told_in_a_short_sentence(text, said):
    (problem,) = problems(text)
    assert problem.startswith("m/.sttd.toml")
    assert said in problem
    assert len(problem) <= 400


def test_of_many_mistakes_the_first_are_told():
    text = "[transcribe]\n" + "\n".join(f"k{number} = '{'x' * 900}'" for number in range(50))
    told = problems(text)
    assert len(told) == 6
    assert told[-1] == "and 45 more mistakes"
    assert all(len(problem) <= 400 for problem in problems("[transcribe]\nbeam_size = '" + "x" * 4000 + "'"))


def test_what_depends_on_the_configuration_is_checked_with_it():
    config = Config(model=Model(name="/models/thai"))
    for name, good in (("small.en", True), ("demo", True), ("/models/thai/v2", True), ("/etc", False), ("smal", False)):
        chosen = read(f'[model]\nname = "{name}"')
        if good:
            folder_options.check(config, chosen, "m")
        else:
            with pytest.raises(ConfigError, match=r"^m: \[model\] name: '"):
                folder_options.check(config, chosen, "m")
    chosen = read('[subtitles]\nlongest = "1s"')
    folder_options.check(config, chosen, "m")
    slow = dataclasses.replace(config, subtitles=dataclasses.replace(config.subtitles, shortest=3.0))
    with pytest.raises(ConfigError, match=r"^m: \[subtitles\] shortest \(3s\) is over longest \(1s\)"):
        folder_options.check(slow, chosen, "m")


things = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(dt.time(1)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*sorted(ALLOWED), "paths.inbox", "x", "", "a.b.c"]), things, max_size=4))
def test_whatever_the_ledger_holds_a_configuration_comes_of_it(stored):
    """And nothing but what a folder may set is changed."""
    made = folder_options.overlaid(Config(), stored)
    folder_options.written(stored)
    assert (made.paths, made.output.source, made.transcribe.replace) == (Config().paths, "archive", Path())
    assert made.options().batch_size == 8


def test_check_config_checks_the_options_of_a_folder(make_daemon):
    daemon = make_daemon()
    file = daemon.inbox / ".sttd.toml"
    file.write_text('[transcribe]\nlanguage = "th"\n[output]\nformats = ["txt"]\n')
    for path in (daemon.inbox, file):
        done = daemon.sttd("check-config", str(path))
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == (
            f'{file}: good; it sets transcribe.language = "th", transcribe.languages = [], output.formats = ["txt"]\n'
        )
    file.write_text('[transcribe]\nlangauge = "th"\n[paths]\ninbox = "/"\n')
    done = daemon.sttd("check-config", str(daemon.inbox))
    assert done.returncode == 2
    assert "did you mean language?" in done.stderr
    assert "[paths] inbox: is not for a folder to set" in done.stderr
    file.unlink()
    os.mkfifo(file)
    for path in (file, daemon.inbox / "none.toml"):
        done = daemon.sttd("check-config", str(path))
        assert done.returncode == 2
        assert str(path) in done.stderr
    other = daemon.root / "other.toml"
    other.write_text('[model]\nname = "small.en"\n')
    done = daemon.sttd("check-config", str(other))
    assert done.returncode == 0
    assert "counts only where its name is .sttd.toml" in done.stderr
    assert "small.en" in done.stderr
