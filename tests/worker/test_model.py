"""A model is found here or nowhere, loaded in time, or replaced by its fallback; the demo model does the loading."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sttd.part import ModelSpec
from sttd.worker.errors import NoModel
from sttd.worker.folder import DEMO, preflight, resolve
from sttd.worker.model import is_gpu_memory, load
from tests import shares
from tests.unprivileged import as_nobody


class Notes(list):
    """A `notify` that remembers."""

    def __call__(self, level: str, text: str, event: str) -> None:
        self.append((level, text, event))

    @property
    def events(self) -> list[str]:
        return [event for _, _, event in self]


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder that a test may damage."""
    return Path(shutil.copytree(DEMO, tmp_path / "model"))


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that other users can reach; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture
def hanging(folder: Path):
    """A model folder whose load hangs for ever."""
    pipe = folder / "model.bin"
    pipe.unlink()
    os.mkfifo(pipe)
    yield folder
    os.close(os.open(pipe, os.O_RDWR | os.O_NONBLOCK))  # lets the reader go, if one is there


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*args: object) -> None:
        raise AssertionError("a worker reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_demo_is_the_model_that_travels_with_sttd():
    assert resolve("demo") == DEMO
    preflight(DEMO)


def test_a_folder_is_taken_as_it_is(folder):
    assert resolve(str(folder)) == folder


@pytest.mark.parametrize("name", ["/no/such/folder", "./nowhere", "", "~/models", "/a\x1b[31m\ud800"])
def test_a_folder_that_is_not_there_is_said_and_nothing_else_is_tried(name):
    with pytest.raises(NoModel, match="no folder") as caught:
        resolve(name)
    assert "\x1b" not in str(caught.value)
    assert "\ud800" not in str(caught.value)


@pytest.mark.parametrize("name", ["small", "Systran/faster-whisper-tiny"])
def test_a_name_that_was_not_downloaded_says_how_it_is_and_never_asks_the_hub(name, tmp_path):
    with pytest.raises(NoModel, match=f"sttd model pull {name}"):
        resolve(name, tmp_path)


@pytest.mark.parametrize("name", ["smol", "a/b/c", "../x/..", "x" * 300 + "/y"])
def test_what_is_no_model_name_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where no neighbour happens to be called x
    with pytest.raises(NoModel):
        resolve(name, tmp_path)


def test_a_downloaded_name_is_found_in_the_cache(tmp_path, folder):
    entry = tmp_path / "cache" / "models--Systran--faster-whisper-tiny"
    shutil.copytree(folder, entry / "snapshots" / "abc")
    (entry / "refs").mkdir()
    (entry / "refs" / "main").write_text("abc")
    found = resolve("tiny", tmp_path / "cache")
    preflight(found)
    assert (found / "model.bin").samefile(entry / "snapshots" / "abc" / "model.bin")


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json", "vocabulary.json"])
@pytest.mark.parametrize("damage", ["missing", "empty", "dangling"])
def test_a_folder_without_one_of_its_files_is_refused_before_it_is_loaded(folder, name, damage):
    (folder / name).unlink()
    if damage == "empty":
        (folder / name).touch()
    if damage == "dangling":
        (folder / name).symlink_to("nowhere")
    with pytest.raises(NoModel, match=name):
        preflight(folder)


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
def test_a_damaged_configuration_is_refused(folder, name):
    (folder / name).write_text('{"alignment_heads": [')
    with pytest.raises(NoModel, match=f"{name}.*damaged"):
        preflight(folder)


def test_a_pipe_as_a_configuration_holds_nothing_up(folder):
    (folder / "preprocessor_config.json").unlink()
    os.mkfifo(folder / "preprocessor_config.json")
    preflight(folder)


def test_a_pipe_as_weights_passes_so_that_the_clock_decides(hanging):
    preflight(hanging)


def test_the_model_that_was_asked_for_is_loaded(notes):
    model = load(ModelSpec("demo", fallback="small"), notes)
    assert model.loaded.model == "demo"
    assert model.loaded.fallback_reason == ""
    assert not model.loaded.stuck
    assert model.whisper.model.device == "cpu"  # auto, where there is no GPU
    assert model.load_seconds > 0
    assert notes == []


@pytest.mark.ci
def test_a_load_that_hangs_falls_back_in_time_and_says_so(hanging, notes):
    """The fallback has the same limit: 5 s were too short for it once, at a load of 28."""
    model = load(ModelSpec(str(hanging), fallback="demo", load_timeout=10.0), notes)
    assert notes[0] == ("ERROR", "[STT][TIMEOUT] Model loading timed out after 10 seconds!", "model-timeout")
    assert notes.events == ["model-timeout", "fallback"]
    assert model.loaded.model == "demo"
    assert model.loaded.fallback_reason == "load timed out after 10 seconds"
    assert model.loaded.stuck
    assert model.load_seconds >= 10


def test_a_folder_on_a_share_that_hangs_is_looked_for_against_the_clock_too(tmp_path, notes):
    """Whoever only asks whether it is there waits for ever. Without a fallback: on a busy machine that may take a second too."""
    share = tmp_path / "share"
    share.mkdir()
    with shares.hanging(share), pytest.raises(NoModel, match="load timed out after 1 second"):
        load(ModelSpec(str(share / "model"), load_timeout=1.0), notes)
    assert notes.events[0] == "model-timeout"


def test_the_time_out_line_counts_whole_minutes(hanging, notes, monkeypatch):
    from sttd.worker import model as module

    class Never:
        def exception(self, timeout: float) -> None:
            assert timeout == 300.0
            raise module.LoadTimeout

        def cancel(self) -> None:
            pass

    monkeypatch.setattr(module, "_start", lambda read: Never())
    with pytest.raises(NoModel, match="load timed out after 5 minutes"):
        load(ModelSpec(str(hanging)), notes)
    assert notes[0][1] == "[STT][TIMEOUT] Model loading timed out after 5 minutes!"


def test_a_fallback_that_hangs_has_a_clock_of_its_own_and_both_reasons_are_told(hanging, notes):
    with pytest.raises(NoModel) as caught:
        load(ModelSpec("/no/such", fallback=str(hanging), load_timeout=2.0), notes)
    assert "no folder '/no/such'" in str(caught.value)
    assert "load timed out after 2 seconds" in str(caught.value)
    assert notes.events == ["model-error", "fallback", "model-timeout"]


@pytest.mark.parametrize("damage", ["missing", "cut", "garbage", "tokenizer"])
def test_a_damaged_model_falls_back_at_once_with_the_reason(folder, notes, damage):
    weights = folder / "model.bin"
    if damage == "missing":
        weights.unlink()
    elif damage == "cut":
        weights.write_bytes(weights.read_bytes()[:100_000])
    elif damage == "garbage":
        weights.write_bytes(b"\xff" * 5000)
    else:
        (folder / "tokenizer.json").write_text("{}")
    model = load(ModelSpec(str(folder), fallback="demo"), notes)
    assert model.loaded.model == "demo"
    assert model.loaded.fallback_reason
    assert "\n" not in model.loaded.fallback_reason
    assert not model.loaded.stuck
    assert notes.events == ["model-error", "fallback"]


def test_features_of_another_size_than_the_model_wants_are_found_at_the_load(folder, notes):
    (folder / "preprocessor_config.json").write_text('{"feature_size": 128}')
    model = load(ModelSpec(str(folder), fallback="demo"), notes)
    assert "80 mel bands" in model.loaded.fallback_reason


def test_without_a_fallback_a_failed_load_is_no_model(notes):
    with pytest.raises(NoModel, match=r"no folder '/no/such'.*no fallback"):
        load(ModelSpec("/no/such"), notes)


def test_the_same_model_is_not_tried_again_as_its_own_fallback(notes):
    with pytest.raises(NoModel):
        load(ModelSpec("/no/such", fallback="/no/such"), notes)
    assert notes.events == ["model-error"]


def test_on_hold_the_primary_is_not_tried(hanging, notes):
    model = load(ModelSpec(str(hanging), fallback="demo", hold="load timed out after 3 seconds"), notes)
    assert model.loaded.model == "demo"
    assert model.loaded.fallback_reason == "load timed out after 3 seconds"
    assert not model.loaded.stuck
    assert notes.events == ["fallback"]


def test_a_gpu_that_is_not_there_is_a_failed_load_not_a_crash(notes):
    with pytest.raises(NoModel, match="load failed"):
        load(ModelSpec("demo", device="cuda"), notes)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("CUDA failed with error out of memory"), True),
        (RuntimeError("cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("CUDA failed with error no CUDA-capable device is detected"), False),
        (ValueError("cuda out of memory"), False),
    ],
)
def test_a_lack_of_gpu_memory_is_told_from_other_errors(error, expected):
    assert is_gpu_memory(error) is expected


@pytest.mark.parametrize("name", ["small", "Systran/faster-whisper-tiny"])
def test_a_bare_name_is_never_a_folder_of_the_current_folder(name, tmp_path, folder, monkeypatch):
    """In an inbox anybody may make a folder called small."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder, tmp_path / name)
    with pytest.raises(NoModel, match=rf"sttd model pull {name}; if you mean the folder .* write '\./{name}'"):
        resolve(name, tmp_path / "cache")
    assert resolve(f"./{name}", tmp_path / "cache") == resolve(f"{name}/", tmp_path / "cache") == Path(name)


def test_a_name_that_is_none_but_a_folder_here_says_how_the_folder_is_written(tmp_path, folder, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder, tmp_path / "ours")
    with pytest.raises(NoModel, match=r"write '\./ours'"):
        resolve("ours", tmp_path / "cache")


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
@pytest.mark.parametrize("closed", ["", "model.bin", "config.json", "tokenizer.json"])
def test_a_model_that_may_not_be_read_is_not_called_damaged(public, closed):
    folder = Path(shutil.copytree(DEMO, public / "model"))
    (folder / closed).chmod(0)
    try:
        done = as_nobody(lambda: preflight(resolve(str(folder))))
    finally:
        (folder / closed).chmod(0o755)
    assert "user nobody may not read" in done.err
    assert "chmod" in done.err
    assert "pull" not in done.err


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_a_cache_that_may_not_be_read_is_not_called_empty(public):
    cache = public / "cache"
    entry = cache / "models--Systran--faster-whisper-tiny"
    shutil.copytree(DEMO, entry / "snapshots" / "abc")
    (entry / "refs").mkdir()
    (entry / "refs" / "main").write_text("abc")
    for closed in (cache, entry, entry / "snapshots"):
        closed.chmod(0o700)
        done = as_nobody(lambda: resolve("tiny", cache))
        closed.chmod(0o755)
        assert "user nobody may not read" in done.err, closed
