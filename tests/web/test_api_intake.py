"""Files that come over HTTP, in front of an inbox that no daemon watches: what is taken, what is refused, what is left behind."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sttd.job import Identity
from tests.harness import PATIENCE, wait_for
from tests.machine import needs_mounts
from tests.web import NO_WEB
from tests.web.served import Answer, Served

pytest.importorskip("starlette", reason=NO_WEB)

from starlette.exceptions import HTTPException

from sttd.config import Config, Paths, Watch
from sttd.fs.folder import Folder
from sttd.own import LOCK, UPLOAD
from sttd.web.api import asr, intake, names, pcm
from sttd.web.api.asked import Asked, make
from sttd.web.api.ticket import Ticket
from sttd.web.api.upload import Upload, remove_leftovers
from sttd.web.site import Site

FILES = "/api/v1/files/"
SOUND = b"RIFF" + bytes(996)


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("root")
    make_inbox(root)
    served = Served(root, {"web.max_upload": "64K", "web.wait": "0s"})
    yield served
    served.close()


def make_inbox(root: Path) -> Path:
    """As a daemon leaves it when it ends."""
    inbox = root / "inbox"
    inbox.mkdir()
    (inbox / LOCK).write_text("0" * 32)
    return inbox


@pytest.fixture
def inbox(served) -> Iterator[Path]:
    """Empty before and after each test."""
    folder = served.root / "inbox"
    yield folder
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in (LOCK, ".sttd.toml"):
            path.unlink()


def put(served: Served, name: str, body=SOUND, **headers: str) -> Answer:
    return served.ask("PUT", f"{FILES}{name}", body, served.bearer() | headers)


def form(fields: dict[str, str], field: str, name: str | None, data: bytes) -> tuple[bytes, dict[str, str]]:
    """A form as `requests` writes it: without a name of the file it takes that of the field."""
    parts = [f'Content-Disposition: form-data; name="{key}"\r\n\r\n{value}'.encode() for key, value in fields.items()]
    head = f'Content-Disposition: form-data; name="{field}"; filename="{name or field}"\r\n\r\n'
    parts.append(head.encode() + data)
    body = b"".join(b"--b0undary\r\n" + part + b"\r\n" for part in parts) + b"--b0undary--\r\n"
    return body, {"Content-Type": "multipart/form-data; boundary=b0undary"}


def lying(inbox: Path) -> list[str]:
    return sorted(path.name for path in inbox.rglob("*") if path.is_file() and path.name not in (LOCK, ".sttd.toml"))


def test_a_file_lies_in_the_inbox_when_its_ticket_is_given(served, inbox):
    answer = put(served, "talk.wav")
    assert answer.status == 202
    assert lying(inbox) == ["talk.wav"]
    assert (inbox / "talk.wav").read_bytes() == SOUND
    assert (inbox / "talk.wav").stat().st_mode & 0o777 == 0o640
    assert answer.headers["location"] == f"/api/v1/jobs/{answer.json()['ticket']}"
    found = served.get(answer.headers["location"]).json()
    assert found["state"] == "waiting"
    assert found["detail"] == "sttd is not running: start it"
    assert not found["results"]
    assert served.get(f"{answer.headers['location']}/result.txt").status == 409


@pytest.mark.parametrize("once", [False, True])
def test_a_file_is_on_the_disk_when_its_ticket_is_given(tmp_path, monkeypatch, once):
    """First what it holds, under its private name, then its name: a power cut takes nothing that was answered."""
    inbox, synced, sync = make_inbox(tmp_path), [], os.fsync

    def noted(handle: int) -> None:
        there = [path.name for path in inbox.rglob("*.wav")]
        synced.append((Path(os.readlink(f"/proc/self/fd/{handle}")), there))
        sync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    site = Site(Config(paths=Paths(root=tmp_path, inbox=inbox, state=tmp_path / "state")), "token", tmp_path)
    with Folder.open(inbox) as folder:
        upload = Upload(folder, ".wav", 1e6)
        upload.write(SOUND)
        asked = Asked("th")
        ticket = intake.put_once(site, upload, "a.wav", asked) if once else intake.put(site, upload, "a.wav")
        upload.close()
    assert synced[0] == (inbox / upload.name, [upload.name])
    assert {path for path, there in synced if there == [ticket.name]} >= {(inbox / ticket.source).parent, inbox}
    if once:
        assert inbox / "api" in [path for path, _ in synced]


def test_a_name_that_is_taken_gets_a_number_and_each_its_ticket(served, inbox):
    answers = [
        put(served, "%E0%B8%9B%E0%B8%A3%E0%B8%B0%E0%B8%8A%E0%B8%B8%E0%B8%A1.wav", SOUND + each) for each in (b"", b"2")
    ]
    assert [answer.json()["name"] for answer in answers] == ["ประชุม.wav", "ประชุม (2).wav"]
    assert lying(inbox) == ["ประชุม (2).wav", "ประชุม.wav"]
    tickets = [Ticket.parse(answer.json()["ticket"]) for answer in answers]
    assert [each.identity.size for each in tickets] == [1000, 1001]


def test_a_name_may_be_as_long_as_a_request_has_room_for(served, inbox):
    answer = put(served, "a" * 300 + ".wav")
    assert answer.status == 202
    assert lying(inbox) == [answer.json()["name"]]
    assert answer.json()["name"].endswith(".wav")
    assert served.get(answer.headers["location"]).json()["state"] == "waiting"


@pytest.mark.parametrize(
    ("name", "status", "word"),
    [
        (".hidden.wav", 400, "dot"),
        ("a%2Fb.wav", 400, "slash"),
        ("..%2F..%2Fetc%2Fcron.wav", 400, "slash"),
        ("..", 400, "dot"),
        ("a%00.wav", 400, "no text"),
        ("a%1b.wav", 400, "no text"),
        ("a%ff.wav", 400, "UTF-8"),
        ("talk.wav.part", 400, "unfinished"),
        ("~talk.wav", 400, "unfinished"),
        ("notes.docx", 415, "watch.suffixes are: 3g2 3ga"),
        ("wav", 415, "suffix"),
        ("", 400, "name"),
    ],
)
def test_a_name_that_sttd_would_leave_alone_is_refused_in_words(served, inbox, name, status, word):
    answer = put(served, name)
    assert answer.status == status
    assert word in answer.json()["error"]
    assert not lying(inbox)


def test_the_names_that_are_accepted_are_those_of_jobs():
    """A name may hold whatever a person's file has in it, and is not changed."""
    suffixes = Watch().suffixes
    for name in ("a b.wav", "สวัสดี.MP3", "e\u0301.flac", 'a":*?.ogg', "a.b.wav", "👩\u200d🚀.m4a"):
        assert names.require(name, suffixes) == name


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [("a.wav", b"", 400), ("code.ts", b"let x = 1;" * 99, 415), ("a.wav", bytes(65537), 413)],
    ids=["empty", "TypeScript", "too large"],
)
def test_what_is_no_recording_or_too_large_leaves_nothing(served, inbox, name, body, status):
    assert put(served, name, body).status == status
    assert put(served, name, iter([body]) if body else iter(())).status == status  # in chunks, without a length
    assert not lying(inbox)


def test_an_upload_that_ends_early_leaves_nothing(served, inbox):
    """Whether its length was said or not."""
    for head in ("Content-Length: 5000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n3e8\r\n"):
        with served.connection() as connection:
            line = f"PUT {FILES}cut.wav HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {served.token}\r\n"
            connection.sendall(f"{line}{head}".encode() + SOUND)
            wait_for(lambda: any(name.startswith(UPLOAD) for name in lying(inbox)), "it has begun")
        wait_for(lambda: not lying(inbox), "nothing of it is left")


def test_what_a_killed_process_has_left_is_removed_at_the_next_start_and_nothing_else(tmp_path, serve):
    """What another process is writing is locked by that."""
    inbox = make_inbox(tmp_path)
    served = serve()
    with served.connection() as connection:
        line = f"PUT {FILES}cut.wav HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {served.token}\r\n"
        connection.sendall(f"{line}Content-Length: 5000\r\n\r\n".encode() + SOUND)
        wait_for(lambda: lying(inbox), "it has begun")
        served.stop(signal.SIGKILL)
    assert len(lying(inbox)) == 1
    (inbox / "other.wav").write_bytes(SOUND)
    with Folder.open(inbox) as folder:
        other = Upload(folder, ".wav", 1e6)
        again = serve()
        assert lying(inbox) == sorted([other.name, "other.wav"])
        assert any("cut off by the end of an earlier sttd web are removed: 1" in line for line in again.log)
        other.close()
        assert not remove_leftovers(inbox)
        assert lying(inbox) == ["other.wav"]


def test_an_inbox_that_is_away_takes_nothing(tmp_path, serve):
    """The bare folder below a share that is not mounted would hide the file as soon as it is."""
    (tmp_path / "inbox").mkdir()
    served = serve()
    answer = put(served, "talk.wav")
    assert answer.status == 503
    assert "the inbox is away" in answer.json()["error"]
    assert answer.headers["retry-after"]
    assert not lying(tmp_path / "inbox")


FULL = """
import pathlib, subprocess, sys
from tests.web.served import Served
from tests.web.test_api_intake import SOUND, lying, make_inbox, put
root = pathlib.Path(sys.argv[1])
inbox = make_inbox(root)
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(inbox)], check=True)
(inbox / ".sttd.lock").write_text("0" * 32)
served = Served(root)
try:
    for body in (bytes(8 << 20), iter([bytes(1 << 20)] * 8)):
        answer = put(served, "large.wav", body)
        assert answer.status == 507 and "disk of the inbox is full: it has room for" in answer.text, answer
        assert not lying(inbox)
    assert put(served, "small.wav").status == 202 and lying(inbox) == ["small.wav"]
finally:
    served.close()
print("as it should be")
"""


@needs_mounts
def test_a_disk_that_is_full_takes_nothing_and_keeps_nothing(tmp_path):
    """The room is looked at before and meanwhile, whether the length is known or not. A small one is still taken."""
    words = ["unshare", "--mount", sys.executable, "-c", FULL, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.stdout == "as it should be\n", done.stderr


def test_a_ticket_is_read_back_and_nothing_else_is_one(served):
    for source in ("a.wav", "api/th/é 0123.wav", "a\udcff.wav", "x" * 255):
        ticket = Ticket(source, Identity(12345, 1764240000123456789))
        assert Ticket.parse(str(ticket)) == ticket
        assert re.fullmatch(r"[\w-]+", str(ticket))
    inside = Ticket("../../etc/passwd", Identity(1, 1))
    long = Ticket("x" * 256, Identity(1, 1))  # no file has such a name
    for text in (
        "", "1-2", "1-2-", "g-1-YQ", "1-1-Y", f"{2**63:x}-1-YQ", "1-1-AAAA", str(inside), str(inside) + "==", str(long),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="no ticket"):
            Ticket.parse(text)
        assert served.get(f"/api/v1/jobs/{text}").status == 404


def test_a_ticket_of_a_file_that_was_removed_is_not_known(served, inbox):
    address = put(served, "talk.wav").headers["location"]
    (inbox / "talk.wav").unlink()
    answer = served.get(address)
    assert answer.status == 404
    assert "removed before it was taken" in answer.json()["error"]


def test_a_ticket_outlives_an_inbox_that_is_away(served, inbox):
    """Whether its file was taken cannot be known then: a program that keeps the ticket must not be told to give it up."""
    address = put(served, "talk.wav").headers["location"]
    away = inbox.rename(inbox.with_name("away"))
    try:
        answer = served.get(address)
    finally:
        away.rename(inbox)
    assert (answer.status, served.get(address).status) == (503, 200)
    assert answer.headers["retry-after"]


def test_who_asks_again_gets_the_ticket_of_the_first_time(served, inbox):
    """The answer takes too long: 503, when to come again, and the ticket. The file lies in the inbox once."""
    body, headers = form({"model": "whisper-1", "language": "Thai"}, "file", "ประชุม.wav", SOUND)
    answers = [served.ask("POST", "/v1/audio/transcriptions", body, served.bearer() | headers) for _ in range(2)]
    assert [answer.status for answer in answers] == [503, 503]
    assert answers[0].headers["retry-after"] == "30"
    assert "sttd is not running" in answers[0].json()["error"]["message"]
    assert answers[0].headers["x-sttd-ticket"] == answers[1].headers["x-sttd-ticket"]
    [name] = lying(inbox)
    assert re.fullmatch(r"ประชุม [0-9a-f]{16}\.wav", name)
    assert (inbox / "api" / "th" / name).exists()
    assert served.get(answers[0].headers["location"]).json()["state"] == "waiting"


@pytest.mark.parametrize("kind", ["openai", "asr"])
def test_the_same_content_sent_at_once_lies_there_once(served, inbox, kind):
    field, path = {"openai": ("file", "/v1/audio/transcriptions"), "asr": ("audio_file", "/asr?language=en")}[kind]
    body, headers = form({}, field, "talk.wav", SOUND)
    answers: list[Answer] = []

    def send() -> None:
        answers.append(served.ask("POST", path, body, served.bearer() | headers))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert {answer.status for answer in answers} == {503}
    assert len(answers) == 8
    assert len({answer.headers["x-sttd-ticket"] for answer in answers}) == 1 == len(lying(inbox))


@pytest.mark.parametrize(
    ("fields", "status", "word"),
    [
        ({"language": "klingon"}, 400, "no language that Whisper knows"),
        ({"response_format": "docx"}, 400, "there are json, text, srt"),
        ({"stream": "true"}, 400, "stream is not possible"),
        ({"timestamp_granularities[]": "letter"}, 400, "segment and word"),
        ({"prompt": "ก" * 4001}, 400, "at most"),
        ({f"f{number}": "" for number in range(101)}, 400, "more than 100 fields"),
        ({"prompt": "x" * 70000}, 400, "64 KiB"),
    ],
    ids=["language", "format", "stream", "granularity", "prompt", "parts", "fields"],
)
def test_what_is_not_possible_is_refused_in_openais_shape(served, inbox, fields, status, word):
    body, headers = form(fields, "file", "talk.wav", SOUND)
    answer = served.ask("POST", "/v1/audio/transcriptions", body, served.bearer() | headers)
    error = answer.json()["error"]
    assert answer.status == status
    assert word in error["message"]
    assert not lying(inbox)
    assert error == {"message": error["message"], "type": "invalid_request_error", "param": None, "code": None}


def test_a_body_that_is_no_whole_form_leaves_nothing(served, inbox):
    whole, headers = form({}, "file", "talk.wav", SOUND)
    for body in (
        whole[:-20],
        whole.replace(b"b0undary", b"other"),
        b"{}",
        whole.replace(b'name="file"', b'name="fill"'),
    ):
        answer = served.ask("POST", "/v1/audio/transcriptions", body, served.bearer() | headers)
        assert answer.status == 400, body
        assert not lying(inbox)
    double = whole.replace(b"--b0undary--\r\n", b"") + whole
    assert (
        "more than one file" in served.ask("POST", "/v1/audio/transcriptions", double, served.bearer() | headers).text
    )
    assert served.ask("POST", "/v1/audio/transcriptions", b"{}", served.bearer()).status == 400
    assert not lying(inbox)


def test_errors_have_the_shape_that_each_client_expects(served):
    for path, key in (("/api/v1/jobs/x", "error"), ("/v1/audio/speech", "error"), ("/asr/x", "detail")):
        assert list(served.get(path).json()) == [key]
    assert "there are txt, vtt" in served.ask("POST", "/asr?output=doc", b"", served.bearer()).json()["detail"]


def test_options_of_a_request_are_options_of_a_folder(tmp_path):
    """They are written once, so that a person may change them."""
    assert [Asked().folder, Asked("th").folder] == ["default", "th"]
    asked = Asked("th", translate=True, words=True, prompt='"เชียงใหม่"\n\x7f')
    assert re.fullmatch(r"th-translate-words-[0-9a-f]{8}", asked.folder)
    asked.require_good()
    with Folder.open(tmp_path) as inbox:
        make(inbox, asked).close()
        path = tmp_path / "api" / asked.folder / ".sttd.toml"
        assert 'language = "th"' in path.read_text()
        assert "word_timestamps = true" in path.read_text()
        path.write_text("# mine")
        make(inbox, asked).close()
        assert path.read_text() == "# mine"


def test_folders_of_prompts_do_not_pile_up(tmp_path, monkeypatch):
    """The oldest one without a recording goes; one with a recording stays, and so do those of languages."""
    monkeypatch.setattr("sttd.web.api.asked._MOST_PROMPTS", 3)
    with Folder.open(tmp_path) as inbox:
        made = [Asked("th", prompt=str(number)) for number in range(5)]
        for number, asked in enumerate([Asked("th"), *made]):
            make(inbox, asked).close()
            os.utime(tmp_path / asked.source, ns=(number, number))
            if asked is made[0]:
                (tmp_path / asked.source / "a.wav").touch()
                os.utime(tmp_path / asked.source, ns=(number, number))
    left = {path.name for path in (tmp_path / "api").iterdir()}
    assert left == {"th", made[0].folder, made[3].folder, made[4].folder}


def test_bare_samples_become_a_wav_file_of_their_length(tmp_path):
    """Of a language that is to be told, the first two minutes are enough."""
    import av

    second = bytes(pcm.SECOND)
    for most, seconds in ((None, 3), (2 * pcm.SECOND, 2)):
        with Folder.open(tmp_path) as folder:
            upload = Upload(folder, ".wav", 1e9)
            upload.put(pcm.head(0))
            for _ in range(3):
                asr._add(upload, second, most)
            asr._finish(upload)
            with av.open(str(tmp_path / upload.name)) as file:
                stream = file.streams.audio[0]
                assert (stream.rate, stream.channels, stream.duration) == (16000, 1, seconds * 16000)
            upload.size = pcm.HEAD + pcm.MOST
            with pytest.raises(HTTPException) if most is None else pytest.MonkeyPatch().context():
                asr._add(upload, second, most)
            upload.close()


def test_answers_to_programs_are_json_of_plain_values(served, inbox):
    """A figure for each key, whatever is not known yet."""
    found = json.loads(http_body(served, put(served, "talk.wav").headers["location"]))
    assert set(found) == {"ticket", "name", "state", "detail", "job", "ahead", "progress", "results"}


def http_body(served: Served, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE)
    connection.request("GET", path, headers=served.bearer())
    with connection.getresponse() as answer:
        return answer.read()
