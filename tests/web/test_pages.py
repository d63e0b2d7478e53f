"""The page, as a program asks for it."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import os
import re
import time
from html import unescape
from urllib.parse import quote

import pytest

from sttd.job import State
from tests.harness import wait_for
from tests.web import NO_WEB
from tests.web.served import Served
from tests.web.shelf import SAMPLES, Shelf, segment

pytest.importorskip("starlette", reason=NO_WEB)

EVIL = '<script>document.title = "owned"</script><img src=x onerror="document.title = 1">'


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    made = Shelf(tmp_path_factory.mktemp("root"))
    made.finish("talks/english.flac", [segment(0, 2, "hello world this"), segment(2, 3.9, f"is {EVIL}")])
    made.fail(made.add("<b>bold.mp3"), "the file holds no audio")
    made.finish("only.text.flac", [segment(0, 2, "nothing but text")], formats=("txt",))
    made.add("waits.mp3")
    yield made
    made.ledger.close()


@pytest.fixture(scope="module")
def served(shelf):
    made = Served(shelf.root)
    yield made
    made.close()


def test_what_people_write_is_never_markup(served):
    """In names, errors and transcripts."""
    for path in ("/", "/jobs/1", "/jobs/2", f"/search?q={quote(EVIL)}"):
        text = served.get(path).text
        assert not re.search(r"<script(?! type=\"module\" src=\"/static/)", text), path
        assert "<img" not in text
        assert "<b>" not in text
    assert EVIL.split(maxsplit=1)[0] in unescape(served.get("/jobs/1").text)


def test_no_page_has_inline_style_or_script(served):
    """The policy forbids it, so that it would be without effect; nothing comes from another host."""
    for path in ("/", "/jobs/1", "/jobs/2", "/search?q=hello", "/jobs/99"):
        text = served.get(path).text
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:", re.sub(r">[^<]*<", "><", text)), path
        assert all(link.startswith("/") for link in re.findall(r'(?:href|src|action)="([^"#]+)', text)), path


def test_each_format_can_be_downloaded(served, shelf):
    """Those that were written as they are, the others made of the JSON."""
    for suffix in ("txt", "srt", "vtt", "json", "tsv", "md", "lrc"):
        answer = served.get(f"/jobs/1/result.{suffix}")
        assert answer.status == 200, suffix
        assert f'filename="english.en.{suffix}"' in answer.headers["content-disposition"]
        assert "hello world" in answer.text
    assert served.get("/jobs/1/result.srt").body == (shelf.root / "transcripts/talks/english.en.srt").read_bytes()
    assert served.get("/jobs/1/result.exe").status == 404
    assert served.get("/jobs/4/result.srt").status == 404


def test_a_result_without_times_is_shown_as_text(served):
    assert "<p>nothing but text</p>" in served.get("/jobs/3").text


def test_a_part_of_the_recording_is_served(served):
    """As players ask for it; what cannot be served is refused, what is not understood is answered whole."""
    sound = (SAMPLES / "english.flac").read_bytes()
    path = "/jobs/1/recording"
    whole = served.get(path)
    assert (whole.status, whole.body, whole.headers["content-type"]) == (200, sound, "audio/flac")
    middle = served.get(path, {"Range": "bytes=100-199"})
    assert (middle.status, middle.body) == (206, sound[100:200])
    assert middle.headers["content-range"] == f"bytes 100-199/{len(sound)}"
    assert served.get(path, {"Range": "bytes=-10"}).body == sound[-10:]
    assert served.get(path, {"Range": f"bytes={len(sound) - 5}-"}).body == sound[-5:]
    beyond = served.get(path, {"Range": f"bytes={len(sound)}-"})
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{len(sound)}")
    for odd in ("bytes=5-2", "bytes=1-2,4-5", "lines=1-2", "bytes=-"):
        assert served.get(path, {"Range": odd}).status == 200, odd
    changed = served.get(path, {"Range": "bytes=0-9", "If-Range": '"of yesterday"'})
    assert (changed.status, len(changed.body)) == (200, len(sound))
    assert served.ask("HEAD", path, headers=served.bearer()).body == b""


def test_nothing_outside_of_the_folders_is_served(served, shelf, tmp_path):
    """Whatever a row of the ledger says, and whatever somebody puts in a file's place."""
    secret = tmp_path / "secret.flac"
    secret.write_text("secret")
    job = shelf.finish("a/b.flac", [segment(0, 1, "said")])
    archived = shelf.root / "archive" / "a"
    cases = {
        "outside": {"location": str(secret), "outputs": (str(secret.with_suffix(".json")),)},
        "dots": {"location": f"{shelf.root}/archive/../../{tmp_path.name}/secret.flac"},
    }
    for name, changes in cases.items():
        other = shelf.finish(f"{name}.flac", [])
        shelf.ledger.update(other, **changes)
        answer = served.get(f"/jobs/{other.id}/recording")
        assert (answer.status, "secret" in answer.text.replace("secret.flac", "")) == (404, False), name
    assert served.get(f"/jobs/{job.id}/recording").status == 200
    (archived / "b.flac").unlink()
    (archived / "b.flac").symlink_to(secret)
    assert served.get(f"/jobs/{job.id}/recording").status == 404
    (archived / "b.flac").unlink()
    archived.rmdir()
    archived.symlink_to(tmp_path)
    secret.rename(tmp_path / "b.flac")
    assert served.get(f"/jobs/{job.id}/recording").status == 404
    assert "The recording cannot be played" in served.get(f"/jobs/{job.id}").text


def test_a_button_leaves_a_request_as_the_commands_do(served, shelf):
    """And only a page of ours can press it."""
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": served.origin} | served.bearer()
    answer = served.ask("POST", "/jobs/2/ask", "ask=retry", form)
    assert answer.status == 303
    name = re.fullmatch(r"/jobs/2\?request=([0-9a-f-]+)", answer.headers["location"])[1]
    assert (shelf.root / "state" / "requests" / name).read_bytes() == b'{"kind": "retry", "job": 2}\n'
    assert "The daemon was asked." in served.get(answer.headers["location"]).text
    assert served.ask("POST", "/ask", "ask=pause", form).headers["location"].startswith("/?request=")
    assert served.ask("POST", "/jobs/2/ask", "ask=pause", form).status == 400
    assert served.ask("POST", "/ask", "ask=format", form).status == 400
    assert served.ask("POST", "/ask", "ask=pause", form | {"Origin": "http://example.com"}).status == 403


def test_an_address_cannot_put_words_into_the_daemons_mouth(served):
    assert "trust me" not in served.get("/?request=trust+me").text


def test_the_list_goes_back_page_by_page(serve, tmp_path):
    """By the number of the last job, so that 100,000 jobs cost no more than 100; none is left out."""
    shelf = Shelf(tmp_path)
    with shelf.ledger.transaction():
        for number in range(120):
            shelf.add(f"{number:03}.mp3")
    shelf.fail(shelf.add("bad.mp3"), "no audio")
    server, path, seen = serve(root=tmp_path), "/", []
    while path and len(seen) <= 121:
        text = server.get(path).text
        seen += re.findall(r'class="name" href="/jobs/(\d+)"', text)
        found = re.search(r'href="(/\?before=\d+)"', text)
        path = found and found[1]
    assert list(map(int, seen)) == list(range(121, 0, -1))
    assert re.findall(r'/jobs/(\d+)"', server.get("/?state=failed").text) == ["121"]
    assert server.get("/?state=odd").status == 404
    assert server.get("/?before=x").status == 200
    shelf.ledger.close()


def test_a_job_that_is_not_there(served):
    for number in ("999999999", "99999999999999999999", "9" * 5000):  # of more digits than Python reads
        answer = served.get(f"/jobs/{number}")
        assert answer.status == 404
        assert "There is no such page" in answer.text


def test_the_page_of_an_error_says_nothing_twice(served):
    """HTTP's own words for a status are no more than the title has; what sttd says is more."""
    assert re.findall("<p[^>]*>(.*?)</p>", served.get("/nothing", {"Accept": "text/html"}).text)[0].startswith("<a")
    assert "is no format" in served.get("/jobs/1/result.exe", {"Accept": "text/html"}).text


def test_events_tell_what_has_changed(served, shelf):
    """Each has the part of the page as it is now; that a job has changed is told too."""
    nothing = {
        "workers": [],
        "memory": {"percent": 12.0, "level": "normal"},
        "inbox": {},
        "trouble": [],
        "operations": [],
    }
    with shelf.daemon(nothing), served.connection() as opened, opened.makefile("rb") as stream:
        request = f"GET /live HTTP/1.1\r\nHost: {served.origin[7:]}\r\nAuthorization: Bearer {served.token}\r\n\r\n"
        opened.sendall(request.encode())

        lines = (raw.decode().rstrip("\r\n") for raw in stream)

        def event(name: str) -> str:
            assert f"event: {name}" in lines, "the stream has ended"  # reads up to there
            return "\n".join(itertools.takewhile(bool, lines))

        wait_for(
            lambda: "Recordings wait for their turn" in event("now"), "what was seen before the daemon ran is forgotten"
        )
        event("ledger")
        shelf.add("new.mp3")
        event("ledger")
        shelf.figures(nothing | {"trouble": ["model small is not here: sttd model pull small"]})
        wait_for(lambda: "sttd model pull small" in event("now"), "the trouble is told")
        gone = {"name": "gpu1", "slots": 1, "workers": 0, "away": "No route to <b>host</b>", "retry_at": None}
        shelf.figures(nothing | {"remotes": [gone | {"name": "gpu2", "away": None}, gone]})
        drawn = wait_for(lambda: "gpu1" in (now := event("now")) and now, "a machine is away")
        assert "No route to &lt;b&gt;host" in drawn
        assert "gpu2" not in drawn


def test_what_is_ignored_is_named_on_the_page(served, shelf):
    """One of each kind; a name is anybody's. Hidden files have none."""
    suffix, content = "suffix not in watch.suffixes: .docx", "no recording, by its first bytes"
    names = {suffix: "movies//Show/<i>notes.docx", content: "\udcffmain.ts"}
    inbox = {"ignored": {suffix: 2, content: 1, "hidden": 3}, "settling": 0, "away": None, "examples": names}
    with shelf.daemon({"inbox": inbox}):
        page = wait_for(lambda: "notes" in (text := served.get("/").text) and text, "what was seen before is forgotten")
    text = re.sub(r"<[^>]*>", "", page)
    assert f"2 files are ignored ({suffix}): movies › Show › &lt;i&gt;notes.docx, …" in text
    assert f"1 file is ignored ({content}): \\xffmain.ts\n" in text
    assert "3 files are ignored (hidden)\n" in text


def test_thai_for_who_wants_it(served):
    """By what the browser accepts, or by the switch, which lasts."""
    assert 'lang="th"' in served.get("/", {"Accept-Language": "th-TH,th;q=0.9,en;q=0.8"}).text
    assert "ไฟล์เสียง" in served.get("/", {"Accept-Language": "de, th;q=0.5, en;q=0.4"}).text
    assert '<html lang="en">' in served.get("/", {"Accept-Language": "de"}).text
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": served.origin} | served.bearer()
    answer = served.ask("POST", "/language", "language=th&back=/jobs/1", form)
    assert (answer.status, answer.headers["location"]) == (303, "/jobs/1")
    cookie = answer.headers["set-cookie"].partition(";")[0]
    assert '<html lang="th">' in served.get("/", {"Cookie": cookie, "Accept-Language": "en"}).text
    assert served.ask("POST", "/language", "language=th&back=//example.com", form).headers["location"] == "/"


def test_a_transcript_that_a_person_corrected_is_shown(served, shelf):
    """Also where an editor has laid the file out anew; what is none any more is left to the other results."""
    job = shelf.finish("corrected.flac", [segment(0, 1, "helo world"), segment(1, 2, "again")])
    path = next(shelf.root.glob("transcripts/corrected*.json"))
    path.write_text(path.read_text().replace("helo", "hello"))
    assert "hello" in served.get(f"/jobs/{job.id}").text
    path.write_text(json.dumps(json.loads(path.read_text()), indent=1).replace("hello", "hullo"))
    text = served.get(f"/jobs/{job.id}").text
    assert "hullo" in text
    assert 'data-t="0.50"' in text
    assert "hullo" in served.get(f"/jobs/{job.id}/result.md").text
    path.write_text("{}")
    assert "<p>helo world again</p>" in served.get(f"/jobs/{job.id}").text


def test_a_long_transcript_comes_in_pieces(served, shelf):
    """Each names the next; together they are the whole, each segment once."""
    said = [segment(n, n + 1, f"word{n} " + "and more words " * 8) for n in range(100)]
    job = shelf.finish("long.flac", said)
    text, pieces = served.get(f"/jobs/{job.id}").text, 1
    numbers = re.findall(r'data-n="(\d+)"', text)
    while found := re.search(r'href="(/jobs/\d+/transcript\?from=\d+)"', text):
        text, pieces = served.get(found[1]).text, pieces + 1
        numbers += re.findall(r'data-n="(\d+)"', text)
    assert list(map(int, numbers)) == list(range(100))
    assert pieces > 2


def test_a_hit_of_the_search_leads_to_its_second(served):
    """The index is made by the server itself."""

    def found() -> str | None:
        text = served.get("/search?q=world").text
        return text if "<mark>" in text else None

    text = wait_for(found, "the transcript can be searched")
    assert 'href="/jobs/1#t=0.00"' in text
    assert "<mark>world</mark>" in text
    assert "Nothing was found" in served.get("/search?q=nowhere").text


def test_a_search_is_narrowed_by_language_folder_and_days(served):
    """The address has it all, and so have the links to older recordings and to all places. What makes no sense is left out."""
    wait_for(lambda: "<mark>" in served.get("/search?q=world").text, "the transcript can be searched")
    today = dt.datetime.now().astimezone().date()
    yesterday, tomorrow = (today + dt.timedelta(days=days) for days in (-1, 1))
    for fits in ("folder=talks", "folder=/talks/", "language=en", "language=English", f"from={yesterday}", f"to={tomorrow}",
                 f"from={yesterday}&to={tomorrow}&folder=talks&language=en", "language=thay&folder=&from=soon&to=0"):  # fmt: skip
        text = served.get(f"/search?q=world&{fits}").text
        assert "<mark>world</mark>" in text, fits
    for other in (
        "folder=talk",
        "language=th",
        f"from={tomorrow}",
        f"to={yesterday}",
        "to=0001-01-01",
        "from=9999-12-31",
    ):
        text = served.get(f"/search?q=world&{other}").text
        assert "Nothing was found" in text, other
        assert '<a href="/search?q=world">Search in all transcripts</a>' in text
    assert served.get("/search?q=world&to=9999-12-31").status == 200
    text = unescape(served.get("/search?q=is&folder=talks&language=en").text)
    assert re.findall(r"<option value=.*", text) == [
        '<option value="">Any</option>',
        '<option value="en" selected>English</option>',
        '<option value="talks"></option>',
    ]
    assert '<details class="narrow" open>' in text
    assert '<details class="narrow">' in served.get("/search?q=is").text


def test_links_of_a_narrowed_search_keep_it(tmp_path_factory):
    shelf = Shelf(tmp_path_factory.mktemp("root"))
    for number in range(21):
        shelf.finish(f"talks/{number}.flac", [segment(0, 1, "needle"), segment(1, 2, "needle")])
    shelf.finish(os.fsdecode(b"t\xff/bytes.flac"), [segment(0, 1, "needle")])  # this folder cannot be typed
    shelf.ledger.close()
    with contextlib.closing(Served(shelf.root)) as served:
        wait_for(lambda: "22 transcripts" in served.get("/search?q=needle").text, "all can be searched")
        text = unescape(served.get("/search?q=needle&folder=talks").text)
        assert 'href="/search?q=needle&folder=talks&job=21"' in text
        older = re.search(r'<a class="button" href="(/search\?q=needle&folder=talks&before=2)"', text)
        assert '"/jobs/1"' in served.get(older[1]).text
        within = unescape(served.get("/search?q=needle&folder=talks&job=21").text)
        assert '<a class="button" href="/search?q=needle&folder=talks">' in within


def test_the_page_of_a_job_tells_its_life(served):
    text = unescape(served.get("/jobs/2").text)
    assert "Attempt 1 with the model small ended after 0 s: bad file: the file holds no audio" in re.sub(
        r"<[^>]+>", "", text
    )
    assert "Try again" in text
    assert "Transcribe it anew" not in text


def test_a_fallback_is_not_hidden(served, shelf):
    job = shelf.finish("fallback.flac", [segment(0, 1, "said")], fallback_reason="loading took longer than 5 minutes", warnings=("the file ends early",))  # fmt: skip
    text = served.get(f"/jobs/{job.id}").text
    assert "loading took longer than 5 minutes" in text
    assert "the file ends early" in text
    assert "fallback model" in served.get("/").text


def test_without_a_ledger_the_page_says_what_to_do(serve, tmp_path):
    """It appears as soon as a daemon has run."""
    server = serve(root=tmp_path)
    assert server.get("/").status == 503
    assert "start the daemon" in server.get("/").text


def test_a_waiting_job_says_why(served, shelf):
    first = shelf.finish("first.flac", [segment(0, 1, "said")])
    twin = shelf.add("b.flac", copy_of=first.id)
    late = shelf.add("c.flac", not_before=time.time() + 3600, error="the model is not here")
    assert f"It gets the result of job {first.id}" in served.get(f"/jobs/{twin.id}").text
    text = served.get(f"/jobs/{late.id}").text
    assert "Next try:" in text
    assert "the model is not here" in text
    assert late.state is State.QUEUED


def test_silence_has_no_language(served, shelf):
    """`und` is a code that no person knows."""
    job = shelf.finish("silence.flac", [])
    assert job.language == "und"
    assert "<dt>Language" not in served.get(f"/jobs/{job.id}").text
