"""`model list`: what is on this machine, found by looking at folders."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from sttd.cli import options
from sttd.cli.app import main
from sttd.cli.models import PLACES
from sttd.hub.cache import DEMO, cache, find, look, scan
from tests.machine import needs_root
from tests.unprivileged import as_nobody

FILES = {"model.bin": "x" * 2000, "config.json": "{}", "tokenizer.json": "{}", "vocabulary.txt": "a"}


def cached(hub: Path, repository: str, revision: str = "abc", main: str | None = "abc", without: str = "") -> None:
    """A model as huggingface_hub stores it: blobs, and a snapshot of links to them."""
    folder = hub / f"models--{repository.replace('/', '--')}"
    snapshot = folder / "snapshots" / revision
    snapshot.mkdir(parents=True)
    (folder / "blobs").mkdir(exist_ok=True)
    (folder / "refs").mkdir(exist_ok=True)
    if main is not None:
        (folder / "refs" / "main").write_text(main)
    for name, content in FILES.items():
        if name != without:
            blob = folder / "blobs" / f"{revision}-{name}"
            blob.write_text(content)
            (snapshot / name).symlink_to(blob)


def test_cached_models_are_found_by_the_names_that_the_configuration_takes(tmp_path):
    cached(tmp_path, "Systran/faster-whisper-small")
    cached(tmp_path, "someone/thai-whisper-ct2")
    cached(tmp_path, "bert/not-whisper", without="model.bin")
    found = {one.name: one for one in scan(tmp_path)}
    assert set(found) == {"small", "someone/thai-whisper-ct2"}
    assert found["small"].missing == ()
    assert found["small"].size == sum(map(len, FILES.values()))


def test_the_revision_in_use_counts(tmp_path):
    """An old snapshot beside it does not; one that is named and lacks, or is here and not named, is no model to a worker."""
    cached(tmp_path, "Systran/faster-whisper-base", "old", "new", without="tokenizer.json")
    cached(tmp_path, "Systran/faster-whisper-base", "new", "new")
    assert [(one.folder.name, one.missing) for one in scan(tmp_path)] == [("new", ())]
    cached(tmp_path, "Systran/faster-whisper-tiny", "old", "gone")
    cached(tmp_path, "Systran/faster-whisper-small", "only", None)
    assert [one.name for one in scan(tmp_path)] == ["base"]


@pytest.mark.parametrize("name", FILES)
def test_what_is_missing_is_named(tmp_path, name):
    cached(tmp_path, "Systran/faster-whisper-small", without=name)
    (found,) = scan(tmp_path)
    assert len(found.missing) == 1
    assert name in found.missing[0]


def test_a_dangling_link_is_missing(tmp_path):
    cached(tmp_path, "Systran/faster-whisper-small")
    (tmp_path / "models--Systran--faster-whisper-small" / "blobs" / "abc-model.bin").unlink()
    (found,) = scan(tmp_path)
    assert found.missing == ("model.bin",)


def test_the_cache_is_where_huggingface_hub_has_it():
    from huggingface_hub import constants

    home = Path.home() / ".cache" / "huggingface" / "hub"
    assert cache({}) == home
    assert cache({"HF_HOME": "/hf"}) == Path("/hf/hub")
    assert cache({"HF_HUB_CACHE": "/hub", "HF_HOME": "/hf"}) == Path("/hub")
    assert cache({"HF_HOME": "$HOME/hf"}) == Path.home() / "hf" / "hub"
    assert cache({"XDG_CACHE_HOME": "/xdg"}) == Path("/xdg/huggingface/hub")
    assert Path(constants.HF_HUB_CACHE).name == "hub"


def test_sizes_are_those_that_faster_whisper_knows():
    from faster_whisper.utils import _MODELS

    from sttd.hub.names import ALIASES, SIZES

    assert SIZES | {alias: SIZES[size] for alias, size in ALIASES.items()} == _MODELS


def test_the_list_says_what_is_configured_and_whether_it_is_here(machine):
    machine.hub.mkdir()
    cached(machine.hub, "mobiuslabsgmbh/faster-whisper-large-v3-turbo")
    done = machine.sttd("list", "--set", "model.name=turbo", "--set", "model.fallback=base")
    assert done.returncode == 0, done.stderr
    assert any(line.startswith("demo") for line in done.stdout.splitlines())
    turbo = next(line for line in done.stdout.splitlines() if line.startswith("large-v3-turbo"))
    assert turbo.endswith("(model.name)")
    assert "configured, but not on this machine: model.fallback = base" in done.stdout


def test_with_the_services_configuration_its_models_count(tmp_path, monkeypatch, capsys):
    """So that root pulls with two words for the service. The environment goes before that, as everywhere."""
    installed, state = tmp_path / "sttd.toml", tmp_path / "state"
    installed.write_text("")
    cached(state / "huggingface" / "hub", "Systran/faster-whisper-small")
    cached(tmp_path / "mine", "Systran/faster-whisper-small", "def", "def")
    monkeypatch.setattr(options, "INSTALLED", installed)
    monkeypatch.setattr(options, "SERVICE_STATE", state)
    for name in PLACES:
        monkeypatch.delenv(name, raising=False)

    def path() -> str:
        with pytest.raises(SystemExit):
            main(["model", "path"])
        return capsys.readouterr().out.strip()

    assert path() == str(state / "huggingface/hub/models--Systran--faster-whisper-small/snapshots/abc")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "mine"))
    assert path().endswith("/def")


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """`sttd model` in this process, in a folder that has a folder `small` with a whole model."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(DEMO, "small")
    shutil.copytree(DEMO, "ours/thai")

    def run(*words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["--root", str(tmp_path), "model", *words])
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out + shown.err

    return run


def test_a_folder_of_the_current_folder_shadows_no_model_and_the_messages_lead_on(here):
    """A bare word of Whisper's names is that model, a folder is written with a slash. Each message that refuses says so."""
    assert "small " not in here("list")[1].partition("known by name")[0]
    for name in ("small", "ours/thai"):
        code, said = here("path", name)
        assert (code, f"sttd model pull {name}; if you mean the folder '{name}' of the" in said) == (1, True), said
        assert here("path", f"./{name}") == here("path", f"{name}/") == (0, f"{name}\n")
    for command in ("path", "pull"):
        code, said = here(command, "ours")
        assert (code, "neither a size nor OWNER/NAME" in said, "write './ours'" in said) == (2, True, True)
    assert "small " in here("list", "--set", "model.name=./small")[1].partition("known by name")[0]


@pytest.mark.parametrize("name", ["demo", "./small", "small/", "/"])
def test_what_is_never_pulled_is_looked_at(here, name):
    """The demo model came with sttd: `model pull demo` has nothing to do, and did well. A folder without a model does not."""
    code, said = here("pull", name)
    assert (code, "there is nothing to pull" in said) == ((1, False) if name == "/" else (0, True))
    assert here("pull", "./nowhere") == (
        1,
        "sttd: no folder './nowhere': name one that holds a Whisper model for CTranslate2\n",
    )


def test_the_unit_looks_where_root_pulls_to():
    unit = Path(__file__).parent.parent.parent / "systemd" / "sttd.service"
    assert f"HF_HOME={options.SERVICE_STATE}/huggingface " in unit.read_text("utf-8")


@pytest.mark.parametrize("name", ["small", "./model", "/nowhere/model", "someone/thai-whisper-ct2"])
def test_what_is_not_here_is_said(machine, name):
    done = machine.sttd("path", name)
    assert done.returncode == 1
    assert done.stdout == ""
    assert ("sttd model pull" in done.stderr) == (name[0] not in "./")


def test_the_demo_model_is_whole():
    assert look("demo", DEMO).missing == ()


@needs_root
def test_a_model_that_may_not_be_read_is_not_called_absent():
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        home = Path(made) / "models--Systran--faster-whisper-tiny"
        (home / "refs").mkdir(parents=True)
        (home / "refs" / "main").write_text("abc")
        (home / "snapshots" / "abc").mkdir(parents=True)
        for closed in (home, home / "refs", home / "snapshots"):
            closed.chmod(0o700)
            done = as_nobody(lambda: find("tiny", Path(made)))
            closed.chmod(0o755)
            assert "user nobody may not read" in done.err, closed
