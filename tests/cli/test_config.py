"""`sttd config show`, and the longer texts of `sttd help`."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from sttd.cli import help as help_module
from sttd.config import Config
from sttd.configfile import KEYS, load

FILE = """\
# a comment
[model]
name = "base"   # small is too slow here

[pool]
"workers" = 2
job_timeout = "1h"

[[watch]]
settle = "7s"

[[watch]]
name = "movies"
inbox = "/media/movies"
settle = "9s"
"""


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "sttd.toml"
    path.write_text(FILE)
    return path


def test_each_key_is_shown_with_where_its_value_comes_from(sttd, file, monkeypatch):
    """The file with its line, the environment, --set, --root, or the default; what counts more is named."""
    monkeypatch.setenv("STTD_POOL__WORKERS", "3")
    monkeypatch.setenv("STTD_LOG__LEVEL", "DEBUG")
    words = ("--config", str(file), "--set", "model.fallback=tiny")
    found = json.loads(sttd("config", "show", "--json", *words).out)
    keys = found["keys"]
    assert set(keys) == {f"{section}.{key}" for section, fields in KEYS.items() for key in fields}
    assert keys["model.name"] == {"value": "base", "default": "small", "from": f"{file}:3"}
    assert keys["pool.workers"] == {"value": 3, "default": "auto", "from": "STTD_POOL__WORKERS"}
    assert keys["pool.job_timeout"]["from"] == f"{file}:7"
    assert keys["watch.settle"] == {"value": "7s", "default": "5s", "from": f"{file}:10"}
    assert keys["model.fallback"]["from"] == "--set"
    assert keys["log.level"]["from"] == "STTD_LOG__LEVEL"
    assert keys["paths.root"]["from"] == "--root"
    assert keys["memory.high"] == {"value": "90%", "default": "90%", "from": None}
    assert found["watch"] == [{"name": "movies", "inbox": "/media/movies", "settle": "9s"}]


def test_receivers_are_shown_without_what_is_secret_of_an_address(sttd, file):
    with file.open("a") as more:
        more.write('[[notify]]\nname = "hook"\nwebhook = "https://u:geheim@x.org/geheim"\nsecret_file = "hook"\n')
    shown = {"name": "hook", "webhook": "https://x.org/…", "secret_file": "hook"}
    assert json.loads(sttd("--config", str(file), "config", "show", "--json").out)["notify"] == [shown]
    assert tomllib.loads(sttd("--config", str(file), "config", "show").out)["notify"] == [shown]


def test_what_a_pipe_gets_is_a_configuration(sttd, file, tmp_path, root):
    """It can be read back, and is the same."""
    path = tmp_path / "again.toml"
    path.write_text(sttd("config", "show", "--config", str(file)).out)
    assert load(path, environ={}) == load(file, root, environ={})
    changed = sttd("config", "show", "--changed", "--config", str(file)).out
    assert f'name = "base"  # {file}:3' in changed
    assert tomllib.loads(changed)["pool"] == {"workers": 2, "job_timeout": "1h"}
    assert "beam_size" not in changed


def test_the_defaults_are_shown_whatever_is_configured(sttd, file):
    shown = tomllib.loads(sttd("config", "show", "--defaults", "--config", str(file)).out)
    assert shown["model"]["name"] == Config().model.name
    assert shown["watch"]["settle"] == "5s"


def test_help_lists_its_topics_and_shows_one(sttd):
    """In a pipe as it is written."""
    listed = sttd("help").out
    for topic, title in help_module.topics().items():
        assert f"{topic}  " in listed
        assert title in listed
    assert sttd("help", "thai").out == (help_module.DOCS / "thai.md").read_text("utf-8")
    done = sttd("help", "thia")
    assert done.code == 2
    assert "there are" in done.err
    assert "troubleshooting" in done.err


@pytest.mark.parametrize("width", [50, 80, 120])
@pytest.mark.parametrize("topic", sorted(help_module.topics()))
def test_a_topic_fits_every_terminal_and_loses_no_word(topic, width):
    from rich.cells import cell_len
    from rich.console import Console

    from sttd.cli import page

    text = (help_module.DOCS / f"{topic}.md").read_text("utf-8")
    screen = Console(width=width, color_system=None)
    with screen.capture() as captured:
        screen.print(page.rendered(text, width))
    lines = captured.get().splitlines()
    assert all(cell_len(line) <= width for line in lines)
    shown = re.sub(r"[\s•]", "", "".join(lines))
    text = re.sub(r"\]\([^)]*\)", "", text)  # where links lead to
    assert len(shown) > 0.9 * len(re.sub(r"[\s`#|*\[-]", "", text))
