"""[pool.ray]: a Ray cluster, as it is configured."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import pytest

from sttd.config import Config, Ray
from sttd.config.service import NONE
from sttd.configfile import load, render
from sttd.errors import ConfigError
from tests.machine import needs_root
from tests.unprivileged import as_nobody

PLACE = '[pool.ray]\naddress = "10.0.0.1:6379"\n'


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    """As if Ray were there."""
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True if name == "ray" else found(name))


def written(tmp_path: Path, text: str, **environ: str) -> Config:
    path = tmp_path / "sttd.toml"
    path.write_text(text)
    return load(path, environ=environ)


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        written(tmp_path, f'[pool]\nbackend = "ray"\n{text}')
    return [each.replace(f"{tmp_path}/", "") for each in caught.value.problems]


@pytest.fixture
def token(tmp_path) -> Path:
    path = tmp_path / "token"
    path.write_text("secret")
    path.chmod(0o600)
    return path


def test_a_cluster_is_read_from_file_environment_and_command_line_and_written_back(tmp_path, token):
    text = f'[pool]\nbackend = "ray"\nworkers = 0\n{PLACE}token_file = "{token}"\nslots = 4\n'
    config = written(tmp_path, text, STTD_POOL__RAY__NUM_CPUS="3")
    assert config.ray == Ray("10.0.0.1:6379", token, slots=4, num_cpus=3)
    assert (config.pool.workers, config.has_others) == (NONE, True)
    assert written(tmp_path, render(config)) == config
    path = tmp_path / "sttd.toml"
    assert load(path, environ={}, sets=["pool.ray.device=cpu"]).ray.device == "cpu"


def test_a_cluster_without_a_token_is_one_thing_to_say_and_its_lack_another(tmp_path, monkeypatch):
    """The folder that the command was typed in was taken for the token: whoever went without one was refused."""
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    assert written(tmp_path, f'[pool]\nbackend = "ray"\n{PLACE}insecure = true\n').ray.insecure
    (found,) = problems(tmp_path, PLACE)
    assert found.startswith("[pool.ray] token_file must name the file")


def test_without_the_backend_nothing_of_the_table_counts():
    config = load(environ={}, sets=["pool.ray.address=nonsense"])
    assert (config.pool.backend, config.has_others) == ("local", False)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", 'address must be that of the cluster\'s head, such as "10.0.0.1:6379", not ""'),
        ('[pool.ray]\naddress = "10.0.0.1"\ninsecure = true', 'not "10.0.0.1"'),
        ('[pool.ray]\naddress = "host:99999"\ninsecure = true', 'not "host:99999"'),
        ('[pool.ray]\naddress = "ray://host:1"\ninsecure = true', 'not "ray://host:1"'),
        (PLACE, "token_file must name the file with the token of the cluster"),
        (f'{PLACE}token_file = "/none"\ninsecure = true', "token_file and insecure are both set: keep one"),
        (f"{PLACE}insecure = true\nnum_cpu = 1", "there is no such key; did you mean num_cpus?"),
        (f'{PLACE}insecure = true\n[[pool.remote]]\nname = "Ray"\ncommand = ["ssh"]', "is the name of the workers of Ray"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_what_to_do(tmp_path, table, said):
    assert any(said in each for each in problems(tmp_path, table)), problems(tmp_path, table)


def test_a_token_that_everybody_reads_is_refused(tmp_path, token):
    table = f'{PLACE}token_file = "{token}"\n'
    token.chmod(0o644)
    assert problems(tmp_path, table) == [
        f"[pool.ray] token_file: token may be read or written by everybody (mode 0644): chmod o= {token}".replace(
            f"{tmp_path}/", ""
        )
    ]
    token.chmod(0o640)
    token.write_text("")
    assert problems(tmp_path, table)[0].startswith("[pool.ray] token_file: token is empty")


@needs_root
def test_who_may_not_look_into_the_tokens_folder_reads_the_configuration_all_the_same(token):
    """`sttd status` of another user; the daemon's own is told by the driver."""
    token.parent.chmod(0o700)
    sets = ["pool.backend=ray", "pool.ray.address=10.0.0.1:6379", f"pool.ray.token_file={token}"]
    done = as_nobody(lambda: load(environ={}, sets=sets))
    assert (done.code, done.err) == (0, "")


def test_without_ray_it_is_told_how_to_get_it(tmp_path, token, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (found,) = problems(tmp_path, f'{PLACE}token_file = "{token}"\n')
    assert found == "[pool] backend = \"ray\" needs Ray: pip install 'sttd[ray]'"


def test_the_table_stands_between_others_in_the_file_that_is_written(tmp_path, token):
    text = f'[[pool.remote]]\nname = "a"\ncommand = ["ssh"]\n{PLACE}token_file = "{token}"\n[model]\nname = "demo"\n'
    config = written(tmp_path, text)
    assert written(tmp_path, render(config)) == config
    assert dataclasses.replace(config.ray, token_file=Path()) == Ray("10.0.0.1:6379")
