"""`sttd model pull` in a process of its own, against a hub that fails in all the ways that networks do."""

from __future__ import annotations

import os
import re
import signal
import socket
from pathlib import Path

import pytest

from sttd.worker.errors import NoModel
from sttd.worker.folder import resolve
from tests.harness import PATIENCE, wait_for
from tests.hub.standin import MODEL, REPOSITORY

MEGA = 2**20


def is_whole(machine) -> bool:
    """Whether a worker finds the model, with the very bytes of the hub."""
    folder = resolve("base", machine.hub)
    return all((folder / path.name).read_bytes() == path.read_bytes() for path in MODEL.iterdir())


def is_absent(machine) -> bool:
    """Whether nothing of it can be seen by a worker."""
    with pytest.raises(NoModel):
        resolve("base", machine.hub)
    return True


def part(machine, standin) -> Path:
    return machine.storage / ".pull" / standin.files["model.bin"].etag


def test_a_pulled_model_is_found_by_a_worker_and_a_second_pull_fetches_nothing(machine, standin):
    """Other files of the repository stay there, and nothing else is left on the way."""
    done = machine.sttd("pull", "base")
    assert done.returncode == 0, done.stderr
    assert is_whole(machine)
    assert sorted(path.name for path in machine.snapshot.iterdir()) == sorted(path.name for path in MODEL.iterdir())
    assert [path.name for path in (machine.storage / ".pull").iterdir()] == ["lock"]
    assert machine.sttd("path", "base").stdout == f"{resolve('base', machine.hub)}\n"
    standin.requests.clear()
    again = machine.sttd("pull", "base", REPOSITORY)
    assert again.returncode == 0
    assert "nothing was missing" in again.stdout
    assert [request.path for request in standin.requests] == [f"/api/models/{REPOSITORY}?blobs=true"]


def test_without_a_name_the_configured_models_are_pulled(machine):
    done = machine.sttd("pull", "--set", "model.name=demo", "--set", f"model.fallback={REPOSITORY}")
    assert done.returncode == 0, done.stderr
    assert "demo is on this machine" in done.stdout
    assert is_whole(machine)


def test_a_broken_connection_is_taken_up_where_it_broke(machine, standin):
    standin.break_after = 5_000_000
    done = machine.sttd("pull", "base")
    assert done.returncode == 0, done.stderr
    first, second = standin.ranges("model.bin")
    assert first == ""
    assert 4_700_000 < int(second.removeprefix("bytes=").rstrip("-")) <= 5_000_000
    assert is_whole(machine)


@pytest.mark.ci
def test_a_hub_that_falls_silent_is_asked_again_from_there(machine, standin):
    standin.hold_after = 5_000_000
    done = machine.sttd("pull", "base", HF_HUB_DOWNLOAD_TIMEOUT="1")
    assert done.returncode == 0, done.stderr
    assert "Trying to resume download" in done.stdout
    assert len(standin.ranges("model.bin")) >= 2
    assert is_whole(machine)


def test_a_killed_pull_shows_nothing_and_the_next_one_goes_on(machine, standin):
    """While one is under way another of the same model is told so at once; the lock ends with its process."""
    standin.hold_after = 3 * MEGA
    first = machine.start("pull", "base")
    try:
        wait_for(lambda: part(machine, standin).exists() and part(machine, standin).stat().st_size, "some bytes came")
        second = machine.sttd("pull", "base")
        assert second.returncode == 3
        assert "another pull of 'base' is under way" in second.stderr
        assert is_absent(machine)
    finally:
        first.kill()
        first.communicate()
    have = part(machine, standin).stat().st_size
    standin.hold_after = None
    done = machine.sttd("pull", "base")
    assert done.returncode == 0, done.stderr
    assert "goes on at" in done.stdout
    assert standin.ranges("model.bin") == ["", f"bytes={have}-"]
    assert is_whole(machine)


def test_ctrl_c_ends_a_pull_as_every_command(machine, standin):
    standin.hold_after = 3 * MEGA
    pull = machine.start("pull", "base")
    assert standin.held.wait(PATIENCE)
    pull.send_signal(signal.SIGINT)
    said, _ = pull.communicate(timeout=PATIENCE)
    assert pull.returncode == 130
    assert "Traceback" not in said
    assert is_absent(machine)


def test_a_hub_without_ranges_sends_it_all_again(machine, standin):
    part(machine, standin).parent.mkdir(parents=True)
    part(machine, standin).write_bytes((MODEL / "model.bin").read_bytes()[:MEGA])
    standin.no_ranges = True
    done = machine.sttd("pull", "base")
    assert done.returncode == 0, done.stderr
    assert is_whole(machine)


def test_a_truncated_answer_is_no_model(machine, standin):
    """Its headers are those of a shorter file. What came is kept, and completed by the next pull."""
    standin.short = 2 * MEGA
    done = machine.sttd("pull", "base")
    assert done.returncode == 1
    assert "did not send a whole file" in done.stderr
    assert is_absent(machine)
    standin.short = None
    assert machine.sttd("pull", "base").returncode == 0
    assert standin.ranges("model.bin") == ["", f"bytes={2 * MEGA}-"]
    assert is_whole(machine)


@pytest.mark.ci
def test_an_answer_that_stops_for_good_ends_the_pull(machine, standin):
    """The right headers, and a connection that is closed before the first byte, again and again."""
    standin.break_after = 0
    done = machine.sttd("pull", "base")
    assert done.returncode == 1
    assert done.stderr.startswith(f"sttd: {standin.url} cannot be reached (")
    assert is_absent(machine)


@pytest.mark.parametrize("name", ["model.bin", pytest.param("config.json", marks=pytest.mark.ci)])
def test_wrong_bytes_of_the_right_size_are_found(machine, standin, name):
    """Of large files the hub tells SHA-256, of small ones git's hash. Nothing of the wrong bytes is used afterwards."""
    standin.wrong = {name}
    done = machine.sttd("pull", "base")
    assert done.returncode == 1
    assert f"{name} of {REPOSITORY!r} came with another content" in done.stderr
    assert is_absent(machine)
    standin.wrong = set()
    assert machine.sttd("pull", "base").returncode == 0
    assert standin.ranges(name) == ["", ""]
    assert is_whole(machine)


@pytest.mark.parametrize("name", ["model.bin", pytest.param("config.json", marks=pytest.mark.ci)])
def test_a_file_that_does_not_stop_coming_is_stopped_at_its_size(machine, standin, name):
    standin.endless = name
    done = machine.sttd("pull", "base")
    assert done.returncode == 1
    assert f"{name} of {REPOSITORY!r} came with another content" in done.stderr
    assert is_absent(machine)
    largest = max(file.stat().st_size for file in machine.home.rglob("*") if file.is_file())
    assert largest <= max(len(content.data) for content in standin.files.values())
    standin.endless = None
    assert machine.sttd("pull", "base").returncode == 0
    assert is_whole(machine)


def test_a_mirror_that_lists_names_alone_is_asked_for_each_hash(machine, standin):
    standin.bare, standin.wrong = True, {"config.json"}
    assert "config.json" in machine.sttd("pull", "base").stderr
    standin.wrong = set()
    done = machine.sttd("pull", "base")
    assert done.returncode == 0, done.stderr
    assert is_whole(machine)
    assert [path.name for path in (machine.storage / "blobs").glob("?" * 64)]


def test_a_damaged_part_of_an_earlier_pull_costs_one_more_try(machine, standin):
    part(machine, standin).parent.mkdir(parents=True)
    part(machine, standin).write_bytes(bytes(MEGA))
    done = machine.sttd("pull", "base")
    assert done.returncode == 0, done.stderr
    assert "downloaded anew" in done.stdout
    assert standin.ranges("model.bin") == [f"bytes={MEGA}-", ""]
    assert is_whole(machine)


def test_a_model_that_was_damaged_on_the_disk_is_mended(machine, standin):
    """Bytes that changed, a link that is gone, and a word on a revision that is not here."""
    assert machine.sttd("pull", "base").returncode == 0
    blob = machine.storage / "blobs" / standin.files["model.bin"].etag
    blob.write_bytes(bytes(blob.stat().st_size))
    (machine.snapshot / "tokenizer.json").unlink()
    (machine.storage / "refs" / "main").write_text("2" * 40)
    standin.sent.clear()
    done = machine.sttd("pull", "base")
    assert "1 files came" in done.stdout
    assert standin.ranges("model.bin") == [""]
    assert is_whole(machine)


def test_a_new_revision_costs_only_what_changed_and_leaves_the_old_one_to_who_loads_it(machine, standin):
    """A part of a file that no revision has any more is put away."""
    part(machine, standin).parent.mkdir(parents=True)
    (part(machine, standin).parent / ("a" * 64)).write_bytes(b"of another revision")
    assert machine.sttd("pull", "base").returncode == 0
    standin.requests.clear()
    assert [path.name for path in (machine.storage / ".pull").iterdir()] == ["lock"]
    standin.publish("config.json", (MODEL / "config.json").read_bytes() + b"\n", "2" * 40)
    assert machine.sttd("pull", "base").returncode == 0
    assert len([request for request in standin.requests if request.method == "GET"]) == 2
    assert resolve("base", machine.hub).name == "2" * 40
    assert (resolve("base", machine.hub) / "config.json").read_bytes() == standin.files["config.json"].data
    assert (machine.snapshot / "config.json").read_bytes() == (MODEL / "config.json").read_bytes()


def test_what_no_worker_can_load_is_refused_before_it_is_downloaded(machine, standin):
    del standin.files["model.bin"], standin.files["vocabulary.json"]
    done = machine.sttd("pull", "base")
    assert done.returncode == 1
    assert "has no model.bin, no vocabulary.json: it is no Whisper model for CTranslate2" in done.stderr
    assert len(standin.requests) == 1


REFUSALS = [
    (403, {"X-Error-Code": "GatedRepo"}, "agreed to its terms"),
    (401, {"X-Error-Message": "Invalid credentials in Authorization header"}, "refuses .* to this HF_TOKEN"),
    (401, {"X-Error-Code": "RepoNotFound"}, "has no model .*a private one needs HF_TOKEN"),
    (429, {}, "answers 429"),
    (503, {}, "answers 503"),
    (200, {}, "does not answer as a hub does"),
]


@pytest.mark.parametrize(("status", "headers", "said"), REFUSALS)
def test_a_refusal_is_one_line_that_says_what_to_do(machine, standin, status, headers, said):
    standin.answer = (status, headers)
    done = machine.sttd("pull", "someone/private-model")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert re.search(said, done.stderr), done.stderr


def test_a_name_that_is_nearly_right_is_mended(machine, standin):
    done = machine.sttd("pull", "bse")
    assert (done.returncode, "did you mean 'base'?" in done.stderr, standin.requests) == (2, True, [])
    done = machine.sttd("pull", "Systran/faster-whisper-bas")
    assert (done.returncode, f"did you mean {REPOSITORY!r}?" in done.stderr) == (1, True)
    assert "nothing to pull" in machine.sttd("pull", "demo").stdout


def test_without_a_network_what_is_here_is_enough(machine):
    """A pull at each start of the machine does not fail for a network that is away; a model that is not here does."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = {"HF_ENDPOINT": f"http://127.0.0.1:{unused.getsockname()[1]}"}
        away = machine.sttd("pull", "base", **nobody)
        assert away.returncode == 1
        assert "cannot be reached" in away.stderr
        assert "HTTPS_PROXY" in away.stderr
        assert machine.sttd("pull", "base").returncode == 0
        here = machine.sttd("pull", "base", **nobody)
        assert here.returncode == 0
        assert "base is here" in here.stdout
    offline = machine.sttd("pull", "tiny", HF_HUB_OFFLINE="1")
    assert offline.returncode == 1
    assert "HF_HUB_OFFLINE is set" in offline.stderr


def test_token_cache_and_proxy_of_the_environment_count(machine, standin, tmp_path):
    """The stand-in is the proxy here: the hub itself has a name that cannot be found. The token goes to the hub alone."""
    environ = {"HF_ENDPOINT": "http://hub.invalid", "HTTP_PROXY": standin.url, "HF_TOKEN": "hf_secret", "NO_PROXY": ""}
    done = machine.sttd("pull", "base", HF_HUB_CACHE=str(tmp_path / "elsewhere"), **environ)
    assert done.returncode == 0, done.stderr
    assert resolve("base", tmp_path / "elsewhere")
    assert all(request.path.startswith("http://") for request in standin.requests)
    hub = [request.token for request in standin.requests if request.path.startswith("http://hub.invalid/")]
    others = [request.token for request in standin.requests if "/cdn/" in request.path]
    assert set(hub) == {"Bearer hf_secret"}
    assert set(others) == {""}
    assert len(hub) + len(others) == len(standin.requests)
    assert "hf_secret" not in done.stdout + done.stderr


def test_a_model_that_does_not_fit_is_not_begun(machine, standin):
    standin.claim = 10**16
    done = machine.sttd("pull", "base")
    assert done.returncode == 1
    assert "make room" in done.stderr
    assert len(standin.requests) == 1


def test_a_disk_that_is_full_in_the_middle_is_said(machine, standin):
    part(machine, standin).parent.mkdir(parents=True)
    part(machine, standin).symlink_to("/dev/full")
    done = machine.sttd("pull", "base")
    assert done.returncode == 1
    assert done.stderr == f"sttd: {machine.hub} is full: make room, and pull again; it goes on where it stopped\n"
    assert is_absent(machine)


def test_a_cache_that_may_not_be_written_is_said(machine, monkeypatch):
    (machine.hub).write_text("a file where a folder should be")
    done = machine.sttd("pull", "base")
    assert done.returncode == 1
    assert str(machine.hub) in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_group_members_can_read_what_was_pulled(machine):
    """Whatever the umask of the shell."""
    old = os.umask(0o077)
    try:
        assert machine.sttd("pull", "base").returncode == 0
    finally:
        os.umask(old)
    made = [path for path in machine.storage.rglob("*") if path.name != "lock"]  # that is the puller's own
    assert made
    assert all(path.stat().st_mode & 0o040 for path in made)
