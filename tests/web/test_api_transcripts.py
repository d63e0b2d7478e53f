"""Recordings that come over HTTP and their transcripts, with a real daemon: by tickets, OpenAI's own client, and Bazarr's requests."""

from __future__ import annotations

import difflib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from sttd.job import State
from sttd.ledger import SPOOL, Ask, Request, spool
from sttd.ledger.facts import FIRST, PAUSED
from tests import speech
from tests.harness import PATIENCE, Daemon, wait_for
from tests.web import NO_WEB
from tests.web.served import Answer, Served

pytest.importorskip("starlette", reason=NO_WEB)

from tests.web.test_api_intake import form, put

ENGLISH = (speech.SAMPLES / "english.flac").read_bytes()
THAI = (speech.SAMPLES / "thai.flac").read_bytes()


class Place(NamedTuple):
    daemon: Daemon
    served: Served


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Place]:
    """One daemon and one server for all tests here, each of which sends recordings of its own."""
    root = tmp_path_factory.mktemp("root")
    daemon = Daemon(root, {"watch.settle_closed": "0s"}).start()
    daemon.wait_log("watches")
    served = Served(root)
    yield Place(daemon, served)
    served.close()
    daemon.close()


def switch(place: Place, ask: Ask) -> None:
    """Pause, or resume."""
    spool.leave(place.daemon.state / SPOOL, Request(ask))

    def is_done() -> bool:
        with place.daemon.ledger() as ledger:
            return ledger.fact(PAUSED) is (ask is Ask.PAUSE)

    wait_for(is_done, f"the daemon does as {ask} says")


def done(served: Served, address: str) -> dict:
    """What is told of a ticket once its job has ended."""

    def ended() -> dict | None:
        found = served.get(address).json()
        return found if found["state"] not in ("waiting", "queued", "running") else None

    return wait_for(ended, "the job ends")


def post(served: Served, path: str, field: str, name: str | None, data: bytes, **fields: str) -> Answer:
    body, headers = form(fields, field, name, data)
    return served.ask("POST", path, body, served.bearer() | headers)


def clip(number: int) -> bytes:
    return (speech.SAMPLES / f"clip{number:02}.flac").read_bytes()


def said(number: int) -> str:
    """The words of a clip; Thai is written without spaces."""
    between = "" if speech.language(f"clip{number:02}") == "th" else " "
    return between.join(speech.words(f"clip{number:02}"))


def clip_of(text: str) -> int:
    """The clip whose words are most like a text: on another machine the demo model may miss one of them."""
    return max(range(32), key=lambda number: difflib.SequenceMatcher(None, said(number), text.strip()).ratio())


def test_a_file_becomes_a_transcript_in_every_format(place):
    """Those that the daemon wrote as they are; the others are made of its JSON."""
    address = put(place.served, "english.flac", ENGLISH).headers["location"]
    found = done(place.served, address)
    assert (found["state"], found["progress"], found["language"], found["model"]) == ("done", 1.0, "en", "demo")
    assert set(found["results"]) == {"txt", "md", "srt", "vtt", "lrc", "json", "tsv"}
    for each in ("txt", "srt", "vtt", "json", "tsv"):
        answer = place.served.get(found["results"][each])
        assert answer.body == (place.daemon.transcripts / f"english.en.{each}").read_bytes()
        assert f"english.en.{each}" in answer.headers["content-disposition"]
    text = place.daemon.text("english.flac", "en").strip()
    assert text in place.served.get(found["results"]["md"]).text
    assert text in place.served.get(found["results"]["lrc"]).text
    assert "docx" in place.served.get(f"{address}/result.docx").json()["error"]


def test_a_result_that_a_person_has_changed_or_taken_away_is_said(place):
    found = done(place.served, put(place.served, "changed.flac", clip(1)).headers["location"])
    record = place.daemon.transcripts / "changed.en.json"
    record.write_text(record.read_text().replace('"demo"', '"mine"'))
    assert '"mine"' in place.served.get(found["results"]["json"]).text
    answer = place.served.get(found["results"]["md"])
    assert answer.status == 409
    assert "has been changed" in answer.json()["error"]
    for path in place.daemon.transcripts.glob("changed.*"):
        path.unlink()
    assert [place.served.get(found["results"][each]).status for each in ("txt", "md")] == [404, 404]


def test_equal_names_have_tickets_of_their_own(place):
    """The second file comes when the first one is away: it has the same name, and another transcript."""
    addresses = []
    for number in (2, 3):
        answer = put(place.served, "same.flac", clip(number))
        addresses.append(answer.headers["location"])
        assert answer.json()["name"] == "same.flac"
        assert done(place.served, addresses[-1])["state"] == "done"
    texts = [place.served.get(f"{address}/result.txt").text.strip() for address in addresses]
    assert [clip_of(text) for text in texts] == [2, 3]


def test_a_file_that_is_no_recording_fails_with_the_reason(place):
    address = put(place.served, "noise.wav", b"RIFF" + bytes(996)).headers["location"]
    found = done(place.served, address)
    assert found["state"] == "failed"
    assert "no recording that can be read" in found["detail"]
    answer = place.served.get(f"{address}/result.txt")
    assert answer.status == 404
    assert "no recording that can be read" in answer.json()["error"]


def test_a_file_that_somebody_overwrites_is_told_from_the_one_that_was_sent(place):
    switch(place, Ask.PAUSE)
    address = put(place.served, "overwritten.flac", clip(4)).headers["location"]
    wait_for(lambda: place.served.get(address).json()["state"] == "queued", "it is queued")
    assert "paused" in place.served.get(address).json()["detail"]
    (place.daemon.inbox / "overwritten.flac").write_bytes(clip(5) + bytes(9))
    found = done(place.served, address)
    switch(place, Ask.RESUME)
    assert found["state"] == "replaced"
    assert "is about it as it is now" in found["detail"]


def test_thai_words_are_words_and_no_pieces_of_tokens(place):
    """In OpenAI's shape and in whisper-asr-webservice's. The daemon's own JSON keeps the pieces as they were measured."""
    more = {"response_format": "verbose_json", "timestamp_granularities[]": "word", "language": "th"}
    verbose = post(place.served, "/v1/audio/transcriptions", "file", "thai.flac", THAI, model="x", **more).json()
    (job,) = (job for job in place.daemon.jobs() if "/thai " in job.source and "words" in job.source)
    record = json.loads(Path(next(each for each in job.outputs if each.endswith(".json"))).read_text())
    pieces = [word["word"] for segment in record["segments"] for word in segment["words"]]
    said = [word["word"] for word in verbose["words"]]
    assert "".join(said) == "".join(pieces).replace(" ", "") == verbose["text"].replace(" ", "")
    assert len(said) < len(pieces)
    assert set(said) & {word for number in range(32) for word in speech.words(f"clip{number:02}")}
    times = [(word["start"], word["end"]) for word in verbose["words"]]
    assert times == sorted(times)
    assert all(start <= end <= verbose["duration"] for start, end in times)
    path = "/asr?output=json&language=th&word_timestamps=true"
    asr = post(place.served, path, "audio_file", "thai.flac", THAI).json()
    assert [word for segment in asr["segments"] for word in segment["words"]] == verbose["words"]


@pytest.fixture
def client(place):
    openai = pytest.importorskip("openai", reason="needs pip install '.[clients]'")
    with openai.OpenAI(base_url=f"{place.served.origin}/v1", api_key=place.served.token, timeout=PATIENCE) as client:
        yield client


def test_openais_own_client_gets_every_format(client, place):
    """It is transcribed once for all of them but the one with times of words."""

    def ask(**more):
        return client.audio.transcriptions.create(model="whisper-1", file=("a.flac", clip(8)), language="en", **more)

    text = ask().text
    assert clip_of(text) == 8
    assert ask(response_format="text") == f"{text}\n"
    assert ask(response_format="srt").startswith("1\n00:00:00,000 --> ")
    assert ask(response_format="vtt").startswith("WEBVTT\n\n00:00:00.000 --> ")
    verbose = ask(response_format="verbose_json", timestamp_granularities=["segment", "word"])
    assert (verbose.text, verbose.language, verbose.model) == (text, "english", "demo")
    assert [word.word for word in verbose.words] == text.split()
    sources = [job.source.rpartition("/")[0] for job in place.daemon.jobs() if "/a " in job.source]
    assert sources == ["api/en", "api/en-words"]
    assert verbose.segments[0].id == 0
    assert 0 < verbose.segments[-1].end <= verbose.duration < 9


def test_openais_own_client_is_told_what_is_wrong(client):
    import openai

    with pytest.raises(openai.UnprocessableEntityError, match="no recording that can be read"):
        client.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"RIFF" + bytes(999)))
    with pytest.raises(openai.APIStatusError, match="no suffix of a recording"):
        client.audio.transcriptions.create(model="whisper-1", file=("a.docx", b"RIFF"))
    with pytest.raises(openai.AuthenticationError, match="this needs the token"):
        client.with_options(api_key="wrong").audio.transcriptions.create(model="whisper-1", file=("a.wav", b"RIFF"))


def test_language_and_prompt_of_a_request_reach_its_job(place):
    """And what has no counterpart here is named."""
    fields = {"language": "english", "prompt": "hello", "temperature": "0.5", "model": "x"}
    answer = post(place.served, "/v1/audio/transcriptions", "file", "clip.flac", clip(6), **fields)
    assert clip_of(answer.json()["text"]) == 6
    assert answer.headers["x-sttd-ignored"] == "'temperature'"
    job = place.daemon.job(max(job.id for job in place.daemon.jobs()))
    values = job.folder_options.values
    assert (values["transcribe.language"], values["transcribe.initial_prompt"]) == ("en", "hello")


def test_who_waits_on_the_line_comes_first_and_a_client_that_has_gone_takes_nothing_with_it(place):
    """Its job is among the next, and whoever asks again gets the transcript of the first time."""
    switch(place, Ask.PAUSE)
    body, headers = form({}, "file", "gone.flac", clip(7))
    head = f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    lines = "".join(f"{name}: {value}\r\n" for name, value in (place.served.bearer() | headers).items())

    def first() -> int | None:
        with place.daemon.ledger() as ledger:
            waiting = [job.id for job in ledger.jobs([State.QUEUED]) if "gone" in job.source]
            return waiting[0] if waiting and waiting[0] in ledger.fact(FIRST) else None

    with place.served.connection() as connection:
        connection.sendall(f"{head}{lines}\r\n".encode() + body)
        number = wait_for(first, "its job is among the next")
    answers: list[Answer] = []
    again = threading.Thread(
        target=lambda: answers.append(post(place.served, "/v1/audio/transcriptions", "file", "gone.flac", clip(7)))
    )
    again.start()
    switch(place, Ask.RESUME)
    again.join(PATIENCE)
    assert clip_of(answers[0].json()["text"]) == 7
    assert [job.id for job in place.daemon.jobs() if "gone" in job.source] == [number]


def samples(name: str) -> bytes:
    """As ffmpeg's `-f s16le -ac 1 -ar 16000` writes them, which Bazarr runs."""
    return (speech.sample(name) * 32767).astype("<i2").tobytes()


def test_bazarrs_requests_are_answered(place):
    """As its provider `whisperai` sends them: the address has the token, the form one file without a name of its own."""
    raw = samples("thai")
    answer = post(place.served, "/detect-language?encode=false", "audio_file", None, raw)
    assert answer.json()["language_code"] == "th"
    assert answer.json()["detected_language"] == "thai"
    assert 0.5 < answer.json()["confidence"] <= 1
    path = "/asr?task=transcribe&language=th&output=srt&encode=false&video_file=%2Fmedia%2FFilm+%282026%29.mkv"
    answer = post(place.served, path, "audio_file", None, raw)
    cues = answer.text.split("\n\n")
    assert cues[0].startswith("1\n00:00:0")
    assert speech.words("thai")[0] in cues[0].replace("\n", "")
    assert answer.headers["asr-engine"] == "sttd"
    assert any(job.source.startswith("api/th/Film (2026) ") for job in place.daemon.jobs())


def test_other_clients_of_whisper_asr_webservice_are_answered(place):
    for output, begin in (("txt", "hello"), ("vtt", "WEBVTT"), ("tsv", "start\tend\ttext"), ("json", '{"text":"hello')):
        answer = post(place.served, f"/asr?output={output}&language=en", "audio_file", "english.flac", ENGLISH)
        assert answer.status == 200
        assert answer.text.startswith(begin)
    assert post(place.served, "/detect-language", "audio_file", "english.flac", ENGLISH).json()["language_code"] == "en"
    answer = post(place.served, "/asr?encode=false", "audio_file", None, b"")
    assert answer.status == 400
    assert answer.json() == {"detail": "it is empty"}
