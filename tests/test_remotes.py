"""[[pool.remote]]: workers on other machines, as they are configured."""

from __future__ import annotations

import json

import pytest

from sttd.cli.app import main
from sttd.config import Config, Remote
from sttd.config.service import NONE
from sttd.configfile import load, render
from sttd.errors import ConfigError

TWO = """
[pool]
workers = 0
remote_timeout = "10s"
when_unreachable = "wait"

[[pool.remote]]
name = "gpu1"
command = ["ssh", "gpu1", "/opt/sttd/bin/sttd", "worker"]
slots = 2
device = "cuda"

[[pool.remote]]
name = "slurm"
command = ["srun", "--gres=gpu:1", "sttd", "worker"]
cpu_threads = 4
start_timeout = "infinity"

[model]
name = "demo"
"""
SSH = ("ssh", "gpu1", "/opt/sttd/bin/sttd", "worker")


def written(tmp_path, text) -> Config:
    (tmp_path / "sttd.toml").write_text(text)
    return load(tmp_path / "sttd.toml", environ={})


def problems(tmp_path, text) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        written(tmp_path, text)
    return [each.removeprefix(f"{tmp_path}/") for each in refused.value.problems]


def test_each_table_is_a_command_with_its_slots(tmp_path):
    config = written(tmp_path, TWO)
    slurm = ("srun", "--gres=gpu:1", "sttd", "worker")
    assert config.remotes == (
        Remote("gpu1", SSH, slots=2, device="cuda"),
        Remote("slurm", slurm, cpu_threads=4, start_timeout=float("inf")),
    )
    assert (config.pool.workers, config.worker_count()) == (NONE, 0)
    assert (config.pool.remote_timeout, config.pool.when_unreachable) == (10.0, "wait")
    assert written(tmp_path, render(config)) == config


def test_without_tables_nobody_is_remote(tmp_path):
    assert load(environ={}).remotes == ()
    assert written(tmp_path, '[pool.remote]\nname = "a"\ncommand = ["ssh"]\n').remotes == (Remote("a", ("ssh",)),)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("command = ['ssh']", 'has no name: write one, such as name = "gpu1"'),
        ("name = 'gpu 1'\ncommand = ['ssh']", "name: must be letters, digits, _, - and dots, at most 32, not 'gpu 1'"),
        ("name = 5\ncommand = ['ssh']", "name: must be letters, digits, _, - and dots, at most 32, not 5"),
        ("name = 'local'\ncommand = ['ssh']", " local: local is the name of this machine's own workers: choose another"),
        ("name = 'a'", ' a: has no command: write one, such as command = ["ssh", "gpu1", "/opt/sttd/bin/sttd", "worker"]'),
        ("name = 'a'\ncommand = []", " a command: must be a list of words such as"),
        ("name = 'a'\ncommand = 'ssh gpu1 sttd worker'", "no shell reads it"),
        ("name = 'a'\ncommand = ['']", " a command: must begin with a program, by its name or its absolute path, not ''"),
        ("name = 'a'\ncommand = ['bin/ssh']", "by its name or its absolute path, not 'bin/ssh'"),
        ('name = "a"\ncommand = ["ssh", "\\u0000"]', " a command: must not hold a NUL character"),
        ("name = 'a'\ncommand = ['ssh']\nslots = 0", " a slots: must be at least 1, not 0"),
        ("name = 'a'\ncommand = ['ssh']\ncpu_threads = 0", ' a cpu_threads: must be at least 1, not 0 (or "auto")'),
        ("name = 'a'\ncommand = ['ssh']\ndevice = 'gpu'", " a device: "),
        ("name = 'a'\ncommand = ['ssh']\nslot = 2", " a slot: there is no such key; did you mean slots?"),
        ("name = 'a'\ncommand = ['ssh']\n[[pool.remote]]\nname = 'A'\ncommand = ['ssh']", " A: another table has that name"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_table_is_told_in_a_sentence(tmp_path, table, sentence):
    (found,) = problems(tmp_path, f"[[pool.remote]]\n{table}\n")
    assert found.startswith("sttd.toml: [[pool.remote]]")
    assert sentence in found


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[pool]\nworkers = 0\n", "[pool] workers = 0 needs a [[pool.remote]] table: nobody would transcribe"),
        ("[pool]\nremote = 5\n", "[pool] remote: is a table of the configuration file: write [[pool.remote]] there"),
        ("[pool]\nremote_timeout = '1s'\n", "remote_timeout: must be at least 3s"),
        ("[pool]\nwhen_unreachable = 'give up'\n", "when_unreachable: must be one of local, wait, not 'give up'"),
    ],
)
def test_what_is_wrong_beside_the_tables_too(tmp_path, text, sentence):
    (found,) = problems(tmp_path, text)
    assert sentence in found


def test_a_table_cannot_be_set_on_the_command_line():
    with pytest.raises(ConfigError, match=r"write \[\[pool.remote\]\] there"):
        load(sets=["pool.remote=x"], environ={})


def test_config_show_has_the_tables_and_no_line_of_theirs_for_a_key_of_a_section(tmp_path, capsys):
    path = tmp_path / "sttd.toml"
    path.write_text(TWO)
    with pytest.raises(SystemExit):
        main(["--config", str(path), "config", "show"])
    out = capsys.readouterr().out
    assert '[[pool.remote]]\nname = "gpu1"\ncommand = ["ssh", "gpu1", "/opt/sttd/bin/sttd", "worker"]\nslots = 2' in out
    assert f"workers = 0  # {path}:3" in out
    assert 'cpu_threads = "auto"  # default' in out
    assert written(tmp_path, out).remotes == written(tmp_path, TWO).remotes
    with pytest.raises(SystemExit):
        main(["--config", str(path), "config", "show", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in found["pool.remote"]] == ["gpu1", "slurm"]
