"""The configuration: where values come from, which ones are refused and how that is said, and the file that is shipped."""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
from pathlib import Path

import pytest
from faster_whisper.tokenizer import _LANGUAGE_CODES
from hypothesis import given, strategies as st

from sttd.config import Config, Memory, Model, Output, Paths, Pool, Transcribe, Watch, sections
from sttd.config.service import NONE
from sttd.config.web import Address
from sttd.configfile import folders, load, render, warnings
from sttd.configfile.languages import CODES
from sttd.configfile.values import LONGEST, read
from sttd.configfile.written import write
from sttd.errors import ConfigError
from sttd.host.capacity import Capacity, capacity
from tests.harness import PATIENCE

SHIPPED = Path(__file__).parent.parent / "etc" / "sttd.toml"
KEYS = [(section.name, key) for section in sections() for key in dataclasses.fields(section.default_factory)]


def problems(tmp_path: Path, text: str = "", **more) -> list[str]:
    """What is said about a file with `text`; each without the file's path."""
    path = tmp_path / "sttd.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, **{"environ": {}, **more})
    return [problem.removeprefix(f"{path}: ") for problem in caught.value.problems]


def written(tmp_path: Path, text: str) -> Path:
    (tmp_path / "tables.toml").write_text(text, encoding="utf-8")
    return tmp_path / "tables.toml"


# where values come from


def test_without_anything_the_defaults_hold():
    assert load(environ={}) == dataclasses.replace(Config(), paths=load(environ={}).paths)


def test_set_goes_over_the_environment_over_the_file_over_the_defaults(tmp_path):
    path = tmp_path / "sttd.toml"
    path.write_text('[pool]\nworkers = 2\nattempts = 4\njobs_per_worker = 6\n[model]\nname = "tiny"\n')
    environ = {"STTD_POOL__ATTEMPTS": "5", "STTD_POOL__JOBS_PER_WORKER": "7", "STTD_OTHER": "x", "PATH": "/bin"}
    pool = load(path, sets=["pool.jobs_per_worker=8"], environ=environ).pool
    assert (pool.workers, pool.attempts, pool.jobs_per_worker, pool.kill_grace) == (2, 5, 8, 10.0)


def test_the_last_set_of_a_key_counts():
    assert load(sets=["pool.attempts=1", "pool.attempts=2"], environ={}).pool.attempts == 2


def test_everything_lies_under_the_root():
    paths = load(root=Path("/data/stt"), environ={"STATE_DIRECTORY": "/var/lib/sttd"}).paths
    assert paths == Paths(
        *(Path("/data/stt") / name for name in ("", "inbox", "transcripts", "archive", "failed", "state"))
    )


def test_a_relative_root_is_below_the_present_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load(root=Path("x"), environ={}).paths.inbox == tmp_path / "x" / "inbox"


def test_the_state_is_systemds_folder_unless_it_is_configured():
    environ = {"STATE_DIRECTORY": "/var/lib/sttd:/var/lib/other"}
    assert load(environ=environ).paths.state == Path("/var/lib/sttd")
    assert load(environ=environ, sets=["paths.state=/data/state"]).paths.state == Path("/data/state")


def test_the_root_on_the_command_line_goes_over_the_file_but_not_over_its_other_paths(tmp_path):
    (tmp_path / "c.toml").write_text('[paths]\nroot = "/a"\narchive = "/tape"\n')
    paths = load(tmp_path / "c.toml", root=Path("/b"), environ={}).paths
    assert (paths.inbox, paths.archive) == (Path("/b/inbox"), Path("/tape"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("watch.polling=yes", True),
        ("watch.polling=OFF", False),
        ("watch.suffixes=.MP3, wav,mp3", ("mp3", "wav")),
        ("transcribe.tracks=ALL", "all"),
        ("transcribe.tracks=2", "2"),
        ("transcribe.channels=Split", "split"),
        ("transcribe.channel_names= Agent, ลูกค้า,Agent", ("Agent", "ลูกค้า", "Agent")),
        ("pool.workers=auto", 0),
        ("pool.workers=3", 3),
        ("pool.job_timeout=1min 30s", 90.0),
        ("pool.job_timeout=infinity", float("inf")),
        ("pool.retry_waits=1s,2min", (1.0, 120.0)),
        ("memory.high=85%", 85.0),
        ("memory.high=85.5", 85.5),
        ("output.formats=json,txt", ("json", "txt")),
        ("transcribe.languages=th,en", ("th", "en")),
        ("expert.log_prob=-0.8", -0.8),
        ("expert.max_new_tokens=auto", 0),
        ("transcribe.languages=", ()),
        ("transcribe.language=TH", "th"),
        ("transcribe.initial_prompt=a=b, c", "a=b, c"),
        ("log.level=debug", "DEBUG"),
        ("paths.inbox=/a/../b/", Path("/b")),
        ("paths.inbox=~/in", Path.home() / "in"),
    ],
)
def test_text_from_the_command_line_becomes_a_value(text, value):
    section, _, key = text.partition("=")[0].partition(".")
    assert getattr(getattr(load(sets=[text], environ={}), section), key) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[pool]\njob_timeout = 90", 90.0),
        ('[pool]\njob_timeout = "1min 30s"', 90.0),
        ('[pool]\nretry_waits = ["1s", 2]', (1.0, 2.0)),
        ('[pool]\nworkers = "auto"', 0),
        ("[memory]\nhigh = 85", 85.0),
        ('[memory]\nhigh = "85 %"', 85.0),
        ('[output]\nformats = ["json"]', ("json",)),
    ],
)
def test_a_value_of_toml_is_taken(tmp_path, text, value):
    path = tmp_path / "sttd.toml"
    path.write_text("﻿" + text.replace("\n", "\r\n"))  # as a Windows editor leaves it
    section, key = text.partition("]")[0][1:], text.split("\n")[1].split(" ")[0]
    assert getattr(getattr(load(path, environ={}), section), key) == value


# what is refused, and how


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[pool]\njob_timout = 5", "[pool] job_timout: there is no such key; did you mean job_timeout?"),
        ("[pool]\nload_timeout = 5", "[pool] load_timeout: there is no such key; load_timeout belongs to [model]"),
        ("[modle]\nx = 1", "[modle] x: there is no section [modle]; did you mean model?"),
        ("[zzz]\nqqq = 1", "[zzz] qqq: there is no section [zzz]"),
        ("workers = 2", "workers stands outside a section: write it below a line such as [pool]"),
        ("[[pool]]\nworkers = 2", "pool stands outside a section: write it below a line such as [pool]"),
        ('[pool]\nworkers = "many"', "[pool] workers: must be a whole number, not 'many' (or \"auto\")"),
        ("[pool]\nworkers = -1", '[pool] workers: must be at least 0, not -1 (or "auto")'),
        ("[pool]\nworkers = 1000", '[pool] workers: must be at most 256, not 1000 (or "auto")'),
        ("[transcribe]\ntracks = 0", '[transcribe] tracks: must be at least 1, not 0 (or "auto", or "all")'),
        ('[transcribe]\nchannel_names = [""]', "[transcribe] channel_names: must not be empty"),
        (
            '[transcribe]\nchannel_names = ["A\\nB"]',
            "[transcribe] channel_names: must hold names of one line each, not 'A\\nB'",
        ),
        (
            f'[transcribe]\nchannel_names = ["{"x" * 41}"]',
            "[transcribe] channel_names: must be at most 40 characters, not 41: it stands before all that is said",
        ),
        ("[pool]\nworkers = true", '[pool] workers: must be a whole number, not True (or "auto")'),
        ("[pool]\nattempts = 2.5", "[pool] attempts: must be a whole number, not 2.5"),
        ('[pool]\nsweep_interval = "0s"', "[pool] sweep_interval: must be at least 1s, not '0s'"),
        ('[watch]\nrescan_interval = "1ms"', "[watch] rescan_interval: must be at least 1s, not '1ms'"),
        ('[pool]\nmachine_wait = "1ms"', "[pool] machine_wait: must be at least 1s, not '1ms'"),
        ("[memory]\ncheck_cooldown = 0", "[memory] check_cooldown: must be at least 1s, not 0"),
        ("[memory]\nlog_interval = 0.5", "[memory] log_interval: must be at least 1s, not 0.5"),
        ('[pool]\njob_timeout = "0s"', "[pool] job_timeout: must be more than 0 s, not '0s'"),
        ("[pool]\nkill_grace = -1", "[pool] kill_grace: must be 0 s or more, not -1"),
        ("[pool]\nkill_grace = nan", "[pool] kill_grace: must be at most 10 years, not nan"),
        ('[pool]\nkill_grace = "infinity"', "[pool] kill_grace: must be at most 10 years, not 'infinity'"),
        (
            '[pool]\nkill_grace = "soon"',
            "[pool] kill_grace: 'soon' is not a duration; write for example 30s, 5min or 1h 30min",
        ),
        ("[pool]\nretry_waits = []", '[pool] retry_waits: must be a list of durations such as ["30s", "2min"], not []'),
        ("[watch]\npolling = 1", "[watch] polling: must be true or false, not 1"),
        ("[watch]\nsuffixes = []", "[watch] suffixes: must name at least one"),
        ('[watch]\nsuffixes = ["a/b"]', "[watch] suffixes: must hold suffixes such as \"mp3\", not 'a/b'"),
        ("[watch.settle]\nx = 1", '[watch] settle: must be a duration such as "30s" or "5min", not a table'),
        ('[model]\nname = " "', "[model] name: must not be empty"),
        ('[model]\ndevice = "cdua"', "[model] device: must be one of auto, cpu, cuda, not 'cdua'; did you mean cuda?"),
        ("[model]\nname = 3", "[model] name: must be text in quotes, not 3"),
        ('[transcribe]\nhotwords = "a\\u0000b"', "[transcribe] hotwords: must not hold a NUL character"),
        (
            '[transcribe]\nlanguage = "thai"',
            "[transcribe] language: must be a language code that Whisper knows, such as en, th or zh, not 'thai'; did you mean th?",
        ),
        ("[transcribe]\nvad_threshold = 1", "[transcribe] vad_threshold: must lie between 0 and 1, not 1"),
        ("[expert]\nlog_prob = 0.5", "[expert] log_prob: must be at most 0.0, not 0.5"),
        ("[expert]\nlog_prob = nan", "[expert] log_prob: must be a number, not nan"),
        ('[expert]\nrepetition_penalty = "much"', "[expert] repetition_penalty: must be a number, not 'much'"),
        ("[expert]\nmax_new_tokens = 9", '[expert] max_new_tokens: must be at least 16, not 9 (or "auto")'),
        ("[expert]\nno_speech = 0", "[expert] no_speech: must lie between 0 and 1, not 0"),
        (
            "[expert]\ncompresion_ratio = 2",
            "[expert] compresion_ratio: there is no such key; did you mean compression_ratio?",
        ),
        ('[memory]\nhigh = "101%"', "[memory] high: must be a percentage above 0 and up to 100, not '101%'"),
        ('[memory]\nhigh = "most"', "[memory] high: must be a number, not 'most'"),
        ('[paths]\ninbox = "in"', "[paths] inbox: must be an absolute path, not 'in': begin it with /"),
        (
            '[paths]\ninbox = "~nobody here/in"',
            "[paths] inbox: must name the home of somebody, not '~nobody here/in': begin it with /",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_clear_sentence(tmp_path, text, sentence):
    assert problems(tmp_path, text) == [sentence]


@pytest.mark.parametrize("key", ["hotwords", "initial_prompt"])
def test_a_text_for_the_model_that_is_too_long_is_refused_with_what_to_keep(tmp_path, key):
    """By characters, not by bytes, of which a Thai one has three."""
    assert problems(tmp_path, f'[transcribe]\n{key} = "{"ก" * 4001}"') == [
        f"[transcribe] {key}: must be at most 4,000 characters, not 4,001: a model takes some 150 words; keep the rarest"
    ]
    path = written(tmp_path, f'[transcribe]\n{key} = "{"ก" * 4000}"')
    assert getattr(load(path, environ={}).transcribe, key) == "ก" * 4000


def test_everything_that_is_wrong_is_said_at_once_with_where_it_stands(tmp_path):
    said = problems(
        tmp_path,
        '[pool]\nworkers = "x"\nattempts = 0\n[memory]\nhigh = 70\n',
        environ={"STTD_POOL__KILL_GRACE": "x", "STTD_POLL__WORKERS": "1"},
        sets=["watch.settle=x", "nonsense"],
    )
    assert len(said) == 7
    assert any(line.startswith("the environment: STTD_POOL__KILL_GRACE: [pool] kill_grace: ") for line in said)
    assert any(
        line.startswith("the environment: STTD_POLL__WORKERS: [poll] workers: there is no section") for line in said
    )
    assert any(line.startswith("--set watch.settle: [watch] settle: ") for line in said)
    assert "--set nonsense: write it as section.key=value, for example --set pool.workers=2" in said


def test_a_bad_value_is_an_error_though_another_goes_over_it(tmp_path):
    assert len(problems(tmp_path, "[pool]\nattempts = 0", sets=["pool.attempts=2"])) == 1


def test_a_bad_key_brings_no_second_complaint_about_what_it_relates_to(tmp_path):
    assert len(problems(tmp_path, '[memory]\nmoderate = 92\nhigh = "x"')) == 1


@pytest.mark.parametrize("text", ["[pool\nworkers = 2", "[pool]\nworkers = 2\nworkers = 3", "[pool]\nworkers = two"])
def test_a_mistake_in_the_toml_is_said_with_its_line(tmp_path, text):
    (said,) = problems(tmp_path, text)
    assert said.startswith("is not valid TOML: ")
    assert re.search(r"line \d|end of document", said)


@pytest.mark.parametrize("value", ["[" * 10_000, "[" * 10_000 + "]" * 10_000, "{a=" * 10_000, "9" * 5_000])
def test_what_toml_allows_and_python_cannot_read_is_a_mistake_in_the_file(tmp_path, value):
    (said,) = problems(tmp_path, f"[pool]\nworkers = {value}")
    assert said.startswith(("brackets are nested too deeply", "is not valid TOML: "))


@pytest.mark.parametrize("value", [f"{{a{'.a' * 3_000} = 1}}", f"[{{a{'.a' * 3_000} = 1}}]", f"0x{'f' * 5_000}"])
def test_a_value_that_is_too_deep_or_too_long_to_show_is_a_bad_value(tmp_path, value):
    keys = "\n".join(
        f"[{section.name}]\n"
        + "\n".join(f"{key.name} = {value}" for key in dataclasses.fields(section.default_factory))
        for section in sections()
    )
    found = problems(tmp_path, keys)
    is_read = not found[0].startswith("brackets")  # by Python; from 3.14 on it reads none of them
    assert len(found) == (len(KEYS) if is_read else 1)


def test_a_file_that_is_not_there_not_readable_or_not_text_is_said(tmp_path):
    for path, words_said in (
        (tmp_path / "none.toml", "there is no such file"),
        (tmp_path, "cannot be read (Is a directory)"),
        (tmp_path / "bytes.toml", "is not UTF-8 text (byte 1)"),
    ):
        (tmp_path / "bytes.toml").write_bytes(b"#\xff")
        with pytest.raises(ConfigError, match=re.escape(f"{path}: {words_said}")):
            load(path, environ={})


@pytest.mark.parametrize(
    ("sets", "sentence"),
    [
        (
            ["paths.archive=/srv/sttd/inbox/done"],
            "archive (/srv/sttd/inbox/done) lies inside the inbox (/srv/sttd/inbox)",
        ),
        (["paths.transcripts=/srv/sttd/inbox"], "inbox and transcripts are the same folder (/srv/sttd/inbox)"),
        (["paths.inbox=/srv/sttd/archive/in"], "inbox (/srv/sttd/archive/in) lies inside archive (/srv/sttd/archive)"),
        (["paths.failed=/srv/sttd/archive/"], "archive and failed are the same folder"),
        (["paths.state=/srv/sttd/inbox/.state"], "state (/srv/sttd/inbox/.state) lies inside the inbox"),
        (["memory.high=80%"], "moderate, high and critical must rise; 80 %, 80 %, 95 % do not"),
        (["transcribe.language=th", "transcribe.languages=th,en"], "language and languages are both set"),
        (["output.place=beside", "watch.suffixes=wav,.TXT"], 'place = "beside" would write txt into the inbox'),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path, sets, sentence):
    (said,) = problems(tmp_path, sets=sets)
    assert sentence in said


def test_a_link_into_the_inbox_is_seen_through(tmp_path):
    """By whoever looks at the folders; reading the configuration touches none."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "inbox")
    config = load(root=tmp_path, sets=[f"paths.transcripts={tmp_path}/out"], environ={})
    (said,) = folders.look(config, PATIENCE).problems
    assert "inbox and transcripts are the same folder" in said


# what is only warned of


@pytest.mark.parametrize(
    ("sets", "sentence"),
    [
        (["model.name=base"], "fallback is the model itself (base)"),
        (["pool.workers=200", "model.cpu_threads=2"], "make 400 threads on "),
        (["pool.job_timeout=5s"], "job_timeout (5s) is below sweep_interval (1min)"),
        (["output.place=beside", "output.source=delete"], 'deletes nothing with place = "beside"'),
        (["transcribe.channel_names=A,B"], 'channel_names name nobody with channels = "mix"'),
        (["watch.settle=100ms"], "settle_closed (500ms) is over settle (100ms)"),
    ],
)
def test_what_is_probably_not_meant_is_warned_of(sets, sentence):
    said = warnings(load(sets=sets, environ={}))
    assert len(said) == 1
    assert sentence in said[0]


def test_a_number_of_threads_that_cannot_all_be_used_is_told(monkeypatch):
    """It is used where it can be: 3 threads were 2."""
    monkeypatch.setattr("sttd.configfile.relations.capacity", lambda: Capacity(64, 2**40, ()))
    told = {
        threads: warnings(load(sets=["pool.workers=1", f"model.cpu_threads={threads}"], environ={}))
        for threads in range(1, 12)
    }
    assert [threads for threads, said in told.items() if said] == [5, 7, 11]
    assert told[7] == ["[model] cpu_threads = 7: 6 of them are used, as 2 batches side by side have 3 each; set 6 or 8"]


def test_the_defaults_deserve_no_warning():
    assert warnings(load(environ={})) == []


# the file that is shipped, and the way back


def test_the_shipped_file_is_what_the_code_says():
    assert SHIPPED.read_text() == render()


def test_the_shipped_file_gives_the_defaults_as_it_is_and_with_every_key_uncommented(tmp_path):
    assert load(SHIPPED, environ={}) == load(environ={})
    (tmp_path / "all.toml").write_text(re.sub(r"(?m)^#(\w+ = )", r"\1", SHIPPED.read_text()))
    assert load(tmp_path / "all.toml", environ={}) == load(environ={})
    assert (tmp_path / "all.toml").read_text().count(" = ") == len(KEYS)


def test_every_key_has_a_sentence():
    for section, key in KEYS:
        assert len(key.metadata["help"]) > 8, f"{section}.{key.name}"
        assert key.metadata["help"].endswith((".", ")", '"')), f"{section}.{key.name}"


def test_the_numbers_that_the_mission_fixes():
    config = Config()
    assert (config.model.load_timeout, config.model.fallback) == (300, "base")
    assert (config.pool.job_timeout, config.pool.sweep_interval) == (1800, 60)
    memory = config.memory
    assert (memory.cleanup_every_chunks, memory.cleanup_cooldown, memory.check_cooldown) == (50, 60, 30)
    assert (memory.log_interval, memory.moderate, memory.high, memory.critical) == (600, 80, 90, 95)


def test_the_language_codes_are_whispers():
    assert sorted(CODES) == sorted(_LANGUAGE_CODES)


texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30)
micros = st.integers(1, int(LONGEST)).map(lambda number: number / 1e3)
names = st.text(
    st.characters(exclude_characters="/\x00\u007f", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=9
)


def some(kind: str, rules) -> st.SearchStrategy:
    """Values that a key may have."""
    return {
        "path": st.just(Path()),
        "duration": micros.map(lambda seconds: max(seconds, rules.get("least", 0.0))),
        "durations": st.lists(micros, min_size=1, max_size=4).map(tuple),
        "size": st.one_of(st.just(math.inf), st.integers(0, 2**53).map(float)),
        "bool": st.booleans(),
        "int": st.integers(rules.get("least", 0), rules.get("most", 10**6)),
        "auto": st.sampled_from([0, NONE] if rules.get("least") == 0 else [0])
        | st.integers(max(1, rules.get("least", 1)), rules.get("most", 256)),
        "tracks": st.sampled_from(["auto", "all", "1", "256"]),
        "str": texts.filter(str.strip) if rules.get("filled") else texts,
        "list": st.lists(st.sampled_from(["mp3", "wav", "ogg"]), min_size=1, unique=True).map(tuple),
        "choice": st.sampled_from(rules.get("choices", [""])),
        "number": st.floats(rules.get("least"), rules.get("most")),
        "fraction": st.floats(0, 1, exclude_min=True, exclude_max=True),
        "fractions": st.lists(st.floats(0, 1), min_size=1, max_size=6).map(tuple),
        "percent": st.floats(0, 100, exclude_min=True),
        "formats": st.lists(st.sampled_from(rules.get("choices", [""])), min_size=1, unique=True).map(tuple),
        "names": st.lists(names.map(str.strip).filter(str.isprintable).filter(bool), max_size=3).map(tuple),
        "address": st.builds(Address, st.ip_addresses().map(str), st.integers(0, 65535)),
        "hosts": st.lists(st.from_regex(r"[a-z0-9_-]{1,9}(\.[a-z0-9_-]{1,9}){0,3}", fullmatch=True), unique=True).map(
            tuple
        ),
        "language": st.sampled_from(["", *CODES]),
        "languages": st.lists(st.sampled_from(CODES), max_size=3, unique=True).map(tuple),
    }[kind]


@given(st.data())
def test_every_value_survives_being_written_and_read(data):
    _section, key = data.draw(st.sampled_from(KEYS))
    kind = key.metadata["kind"]
    value = data.draw(some(kind, key.metadata))
    again = tomllib.loads(f"x = {write(value, kind)}")["x"]
    assert read(again, kind, key.metadata) == value


@given(
    names, texts, st.lists(micros, min_size=1, max_size=3), st.sampled_from(CODES), st.integers(0, 9), st.booleans(),
    st.lists(st.floats(1, 100), min_size=3, max_size=3, unique=True).map(sorted),
)  # fmt: skip
def test_a_whole_configuration_survives_being_written_and_read(
    tmp_path_factory, folder, prompt, waits, code, n, yes, levels
):
    if folder in (".", "..") or folder != folder.strip():
        folder = "x"
    config = Config(
        paths=load(root=Path("/srv") / folder, environ={}).paths,
        watch=Watch(settle=waits[0], polling=yes),
        pool=Pool(workers=n, retry_waits=tuple(waits), job_timeout=float("inf") if yes else waits[-1]),
        model=Model(name="x" + prompt, fallback=""),
        transcribe=Transcribe(language="" if yes else code, languages=(code,) if yes else (), initial_prompt=prompt),
        memory=Memory(moderate=levels[0], high=levels[1], critical=levels[2]),
        output=Output(formats=("json",), source="keep"),
    )
    path = tmp_path_factory.getbasetemp() / "whole.toml"
    path.write_text(render(config), encoding="utf-8", newline="")
    assert load(path, environ={}) == config


# what the configuration says of itself


def test_polling_settles_slowly_unless_it_is_told_otherwise():
    assert Config(watch=Watch(polling=True)).settle() == 60
    assert Config(watch=Watch(polling=True, settle=2)).settle() == 2
    assert Config().settle() == 5


def test_a_worker_is_told_the_options_of_the_file():
    options = load(
        sets=["transcribe.batch_size=3", "transcribe.language=th", "limits.max_gap=5s"], environ={}
    ).options()
    assert (options.batch_size, options.language, options.max_gap) == (3, "th", 5.0)


def test_the_cores_are_shared_out_over_the_workers():
    spec = Config(pool=Pool(workers=1)).model_spec()
    assert spec.cpu_threads == capacity().cores
    assert Config(pool=Pool(workers=200)).model_spec().cpu_threads == 1
    assert Config(model=Model(cpu_threads=3)).model_spec().cpu_threads == 3
    assert Config(transcribe=Transcribe(batch_size=1)).model_spec().lanes == 1


def test_a_model_does_not_fall_back_to_itself():
    assert Config().model_spec("base").fallback == ""
    assert Config().model_spec("tiny").fallback == "base"


# further inboxes

TABLES = """
[[watch]]
settle = "7s"

[[watch]]
name = "movies"
inbox = "/media/movies"
place = "beside"
polling = true
languages = ["th", "en"]

[[watch]]
name = "ประชุม"
inbox = "/media/talks"
"""


def test_a_table_has_its_own_keys_and_the_others_as_everywhere(tmp_path):
    config = load(written(tmp_path, TABLES), sets=["transcribe.language=de", "watch.rescan_interval=9s"], environ={})
    movies, talks = config.of("movies//Show/a.mkv"), config.of("ประชุม//a.wav")
    assert (config.paths.inbox, config.watch.settle, config.output.place) == (
        Path("/srv/sttd/inbox"),
        7.0,
        "transcripts",
    )
    assert (movies.paths.inbox, movies.watch.settle, movies.output.place) == (Path("/media/movies"), 7.0, "beside")
    assert (movies.watch.polling, talks.watch.polling, movies.watch.rescan_interval) == (True, False, 9.0)
    assert (movies.transcribe.languages, movies.transcribe.language) == (("th", "en"), "")
    assert (talks.transcribe.language, config.of("a.wav")) == ("de", config)
    assert config.path_of("movies//Show/a.mkv") == "/media/movies/Show/a.mkv"
    assert not Path(config.path_of("series//a.mkv")).is_relative_to("/media")
    assert dataclasses.replace(config, program="other").of("movies//a").program == "other"
    path = tmp_path / "again.toml"
    path.write_text(render(config), encoding="utf-8")
    assert load(path, environ={}) == config


def test_what_is_probably_not_meant_in_a_table_is_warned_of_once(tmp_path):
    table = '[[watch]]\nname = "m"\ninbox = "/m"\n'
    own = warnings(load(written(tmp_path, f'{table}place = "beside"\nsource = "delete"\n'), environ={}))
    assert [text.partition(" deletes")[0] for text in own] == ['[[watch]] m: [output] source = "delete"']
    sets = ["output.place=beside", "output.source=delete"]
    assert len(warnings(load(written(tmp_path, table), sets=sets, environ={}))) == 1


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ('inbox = "/m"', "[[watch]] '/m': has no name"),
        ('name = "a/b"\ninbox = "/m"', "[[watch]] name: must be a name for folders"),
        ('name = ".."\ninbox = "/m"', "[[watch]] name: must be a name for folders"),
        ('name = "MOVIES"\ninbox = "/m"', "[[watch]] MOVIES: another table has that name"),
        ('name = "m"', "[[watch]] m: has no inbox"),
        ('name = "m"\ninbox = "m"', "[[watch]] m inbox: must be an absolute path"),
        ('name = "m"\ninbox = "/m"\npooling = true', "pooling: there is no such key for an inbox; did you mean polling?"),
        ('name = "m"\ninbox = "/m"\ndedupe = true', "dedupe: there is no such key for an inbox: dedupe in [watch] is for all"),
        ('name = "m"\ninbox = "/m"\nplace = "besides"', "[[watch]] m place: must be one of transcripts, beside"),
        ('name = "m"\ninbox = "/m"\nplace = "beside"\nsuffixes = ["txt"]', '[[watch]] m: [output] place = "beside" would'),
        ('name = "m"\ninbox = "/srv/sttd/inbox"', "[paths] inbox and [[watch]] m are the same folder (/srv/sttd/inbox)"),
        ('name = "m"\ninbox = "/media/movies"', "[[watch]] movies and [[watch]] m are the same folder (/media/movies)"),
        ('name = "m"\ninbox = "//media/movies"', "[[watch]] movies and [[watch]] m are the same folder (/media/movies)"),
        ('name = "m"\ninbox = "/media/movies/new"', "[[watch]] m (/media/movies/new) lies inside the inbox of [[watch]] movies"),
        ('name = "m"\ninbox = "/media"', "[[watch]] movies (/media/movies) lies inside [[watch]] m (/media)"),
        ('name = "m"\ninbox = "/srv/sttd/inbox/m"', "[[watch]] m (/srv/sttd/inbox/m) lies inside the inbox (/srv/sttd/inbox)"),
        ('name = "m"\ninbox = "/srv/sttd"', "[paths] archive (/srv/sttd/archive) lies inside the inbox of [[watch]] m"),
        ('name = "m"\ninbox = "/srv/sttd/archive"', "[[watch]] m and archive are the same folder (/srv/sttd/archive)"),
        ('name = "m"\ninbox = "/srv/sttd/state/m"', "[[watch]] m (/srv/sttd/state/m) lies inside state (/srv/sttd/state)"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_is_refused_in_words(tmp_path, table, sentence):
    said = problems(tmp_path, f'[[watch]]\nname = "movies"\ninbox = "/media/movies"\n[[watch]]\n{table}\n')
    assert any(sentence in each for each in said), said


def test_the_section_watch_beside_tables_is_named_as_the_mistake(tmp_path):
    (said,) = problems(tmp_path, f'[watch]\nsettle = "1s"\n{TABLES}')
    assert "where there are [[watch]] tables, write [[watch]] for the section [watch] too" in said


def test_a_link_to_another_inbox_is_seen_through(tmp_path):
    (tmp_path / "inbox").mkdir()
    (tmp_path / "movies").symlink_to(tmp_path / "inbox")
    path = written(tmp_path, f'[[watch]]\nname = "movies"\ninbox = "{tmp_path}/movies"\n')
    (said,) = folders.look(load(path, root=tmp_path, environ={}), PATIENCE).problems
    assert "[paths] inbox and [[watch]] movies are the same folder" in said
