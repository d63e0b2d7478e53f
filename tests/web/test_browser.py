"""The page in a real browser. One Chromium for all tests, which change nothing that another one looks at."""

from __future__ import annotations

import itertools
import shutil

import pytest

from tests.web import NO_WEB
from tests.web.served import Served
from tests.web.shelf import SECONDS, Shelf, segment

pytest.importorskip("starlette", reason=NO_WEB)
pytest.importorskip("selenium", reason="needs pip install 'sttd[test]'")

from selenium.webdriver.common.keys import Keys

from tests.web.browser import PROGRAMS, Browser

if not all(map(shutil.which, PROGRAMS)):
    pytest.skip("needs apt-get install chromium chromium-driver", allow_module_level=True)

EVIL = '<script>window.owned = 1</script><img src="/x" onerror="window.owned = 1">'
WORKER = {
    "pid": 4243, "state": "running", "job": 5, "source": "ประชุม.mp3", "model": "small", "progress": 0.25, "done": 15.0,
    "total": 60.0, "attempt": 2, "resumed_at": 5.0,
}  # fmt: skip
FIGURES = {
    "workers": [WORKER, {"pid": 4244, "state": "idle", "job": None, "source": None, "model": "small", "progress": None, "done": 0.0, "total": None}],
    "memory": {"percent": 83.4, "level": "moderate"},
    "inbox": {
        "ignored": {"hidden": 2, "suffix not in watch.suffixes: .docx": 2}, "settling": 3, "away": None,
        "examples": {"suffix not in watch.suffixes: .docx": f"{'k' * 200}.docx"},
    },
    "trouble": ["the model small is not here: sttd model pull small"],
    "operations": [],
    "remotes": [{"name": "gpu1", "away": "ssh: connect to host gpu1 port 22: No route to host", "slots": 2, "workers": 0, "retry_at": 0.0}],
}  # fmt: skip
PAGES = ["/", "/jobs/1", "/jobs/2", "/jobs/3", "/jobs/5", "/search?q=hello&language=en", "/report", "/nothing"]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    made = Shelf(tmp_path_factory.mktemp("root"))
    made.finish("talks/english.flac", [segment(0, 1.5, "hello world this"), segment(1.5, SECONDS, f"is {EVIL} test")])
    people = [
        segment(0, 1, "good morning", speaker="Ann"),
        segment(1, 2, "สวัสดีครับวันนี้เรามาประชุมกัน", "th", "Somchai"),
        segment(2, SECONDS, "budget", speaker="Ann"),
    ]
    made.finish("<i>call</i>.flac", people, fallback_reason="it did not load in 5 minutes", warnings=("cut off",))
    made.fail(made.add(f"{EVIL.replace('/', ' ')}.mp3"), "the file holds no audio")
    made.add(
        "waits.mp3",
        not_before=4e9,
        cause="machine",
        error="its checkpoint cannot be read: only 3 of 4 chunks can be read",
    )
    made.run(made.add("ประชุม.mp3"), progress=15.0, audio_seconds=60.0)
    with made.daemon(FIGURES):
        yield made
    made.ledger.close()


@pytest.fixture(scope="module")
def browser(shelf):
    served = Served(shelf.root)
    made = Browser(served)
    yield made
    made.close()
    served.close()


def load(browser: Browser, path: str, language: str) -> None:
    """A page, whole."""
    browser.open(path, language=language)
    whole = "return document.readyState === 'complete' && !document.querySelector('[http-equiv=refresh]')"
    browser.wait(lambda: browser.js(whole))


def show(browser: Browser, *, dark: bool, width: int) -> None:
    browser.turn(dark=dark)
    browser.size(width)


# each page in one of the two that differ in all, and where time is in the other one; more are tried by the next test. A page a test:
# xdist's processes share them out, and none loads a page that another one has loaded
LOOKS = [("en", False, 1280), ("th", True, 390)]
OTHERS = [pytest.param(path, *LOOKS[1 - number % 2], marks=pytest.mark.ci) for number, path in enumerate(PAGES)]


@pytest.mark.parametrize(
    ("path", "language", "dark", "width"),
    [*((path, *LOOKS[number % 2]) for number, path in enumerate(PAGES)), *OTHERS],
)
def test_each_page_is_for_everybody_and_all_of_it_is_from_here(browser, path, language, dark, width):
    """In English on a large light screen, in Thai on a dark phone.

    axe finds no violation, nothing is wider than the phone, no transcript is a script, and the browser's log has neither a violation of
    the policy nor an error of a script.
    """
    load(browser, path, language)
    show(browser, dark=dark, width=width)
    assert browser.violations() == []
    assert browser.js("return document.documentElement.lang") == language
    assert browser.js("return document.documentElement.scrollWidth") <= width
    known = "return performance.getEntriesByType('resource').map((each) => new URL(each.name).origin)"
    assert set(browser.js(known)) == {browser.served.origin}
    assert browser.js("return window.owned === undefined")
    assert [line for line in browser.log() if "/nothing" not in line] == []


@pytest.mark.ci
@pytest.mark.parametrize("path", [*PAGES, "/login"])
@pytest.mark.parametrize("language", ["en", "th"])
def test_axe_finds_no_violation_in_any_combination(browser, path, language):
    """Light and dark, on a large screen and on a phone."""
    load(browser, path, language)
    found = {}
    for dark, width in itertools.product((False, True), (1280, 390)):
        show(browser, dark=dark, width=width)
        found[dark, width] = browser.violations()
        assert browser.js("return document.documentElement.scrollWidth") <= width
    assert {where: each for where, each in found.items() if each} == {}


@pytest.mark.ci
def test_nothing_is_cut_off_or_squeezed_on_a_phone(browser):
    """The head is one row in Thai too, a worker's facts can be read, a job's next try is one line, a language's name is small."""
    rows = "return [...document.querySelectorAll(arguments[0])].map((each) => [each.scrollWidth - each.clientWidth, each.clientHeight])"
    load(browser, "/", "th")
    for width in (1280, 390):
        show(browser, dark=False, width=width)
        assert [wider for wider, _ in browser.js(rows, ".worker .facts, .worker .why")] == [0] * 3
    top = "return document.querySelector(arguments[0]).getBoundingClientRect().top"
    assert abs(browser.js(top, ".brand") - browser.js(top, ".tongue")) < 5
    load(browser, "/jobs/4", "th")
    show(browser, dark=False, width=390)
    assert browser.js(rows, ".standing .line")[0][1] < 60
    load(browser, "/jobs/2", "th")
    size = "return parseFloat(getComputedStyle(document.querySelector(arguments[0])).fontSize)"
    assert browser.js(size, ".chip") < browser.js(size, ".said") * 0.8


def test_a_link_on_another_site_leads_in_and_the_form_does(browser):
    """localhost is another site than 127.0.0.1. The form is one that everybody can use, and leads where one wanted to go."""
    origin = browser.served.origin
    shown = lambda: browser.js("return document.readyState === 'complete' && location.href")  # noqa: E731
    browser.open("/login")
    assert browser.violations() == []
    browser.driver.get(origin.replace("127.0.0.1", "localhost") + "/login")
    link = "const a = document.createElement('a'); a.href = arguments[0]; document.body.append(a); a.click()"
    browser.js(link, f"{origin}/jobs/1")
    browser.wait(lambda: shown() == f"{origin}/jobs/1" and browser.driver.find_elements("css selector", "#media"))
    browser.driver.delete_cookie(f"sttd-{browser.served.port}")
    browser.driver.get(f"{origin}/jobs/2")
    browser.find("#token").send_keys(browser.served.token)
    browser.find("button").click()
    browser.wait(lambda: shown() == f"{origin}/jobs/2" and browser.driver.find_elements("css selector", "#media"))


def test_the_player_follows_the_words(browser):
    """The word that is heard is marked, and no other."""
    browser.open("/jobs/1")
    browser.find("#play").click()
    marked = "const word = document.querySelector('.said > .now'); return word && [Number(word.dataset.t), document.getElementById('media').currentTime]"
    seen = []
    while len(seen) < 3:  # a busy machine shows not every one
        start, at = browser.wait(lambda: browser.js(marked))
        if not seen or seen[-1][0] != start:
            seen.append((start, at))
    assert seen == sorted(seen)
    assert all(start - 0.1 <= at for start, at in seen)
    assert browser.js("return document.querySelectorAll('.said > .now').length") <= 1


def test_a_word_that_is_clicked_is_heard(browser):
    browser.open("/jobs/1")
    browser.js("document.getElementById('media').play = async function () { this.asked = true }")  # stays where it is
    browser.find('.said > [data-t="1.00"]').click()
    browser.wait(lambda: browser.js("return document.getElementById('media').currentTime") == 1)
    assert browser.js("return document.getElementById('media').asked")
    assert browser.find(".said > .now").text == "this"
    browser.find('.at[data-t="0.00"]').click()
    browser.wait(lambda: browser.js("return document.getElementById('media').currentTime") == 0)


def test_the_keys_of_the_player(browser):
    browser.open("/jobs/1")
    at = lambda: browser.js("return document.getElementById('media').currentTime")  # noqa: E731
    browser.wait(lambda: browser.js("return document.getElementById('media').readyState") > 0)
    browser.press("j")
    browser.wait(lambda: at() == 1.5)
    browser.press("k")
    browser.wait(lambda: at() == 0)
    browser.press(Keys.ARROW_RIGHT)
    browser.wait(lambda: at() >= SECONDS - 0.2)  # 5 s are more than there is
    browser.press(Keys.ARROW_LEFT)
    browser.wait(lambda: at() == 0)
    browser.press(".")
    assert browser.js("return document.getElementById('media').playbackRate") == 1.25
    browser.press(",")
    browser.press(" ")
    browser.wait(lambda: not browser.js("return document.getElementById('media').paused"))
    browser.press(" ")
    browser.wait(lambda: browser.js("return document.getElementById('media').paused"))
    browser.find("#find").send_keys("jk ")  # who types is not heard by the player
    assert browser.js("return document.getElementById('find').value") == "jk "


def test_a_hit_opens_the_player_at_its_second(browser):
    browser.open("/jobs/1#t=1.50")
    browser.wait(lambda: browser.js("return document.getElementById('media').currentTime") == 1.5)
    assert browser.find(".said.now").get_attribute("data-n") == "1"


def test_speakers_and_languages_are_shown(browser):
    """Thai is marked as Thai for fonts, line breaks and screen readers, and its words are words."""
    browser.open("/jobs/2")
    assert [each.text for each in browser.driver.find_elements("css selector", ".speaker")] == ["Ann", "Somchai", "Ann"]
    assert [each.text for each in browser.driver.find_elements("css selector", ".chip")] == [
        "English",
        "Thai",
        "English",
    ]
    words = browser.js("return [...document.querySelectorAll('.said[lang=th] > span')].map((each) => each.textContent)")
    assert "".join(words) == "สวัสดีครับวันนี้เรามาประชุมกัน"
    assert "สวัสดี" in words
    assert len(words) > 4


def test_what_changes_is_shown_and_takes_no_focus_away(browser, shelf):
    """A job that comes, and a worker that goes on; the link that has the focus is the same one, at the same place."""
    browser.open("/")
    name = ".worker .name"
    browser.js("arguments[0].focus(); window.kept = arguments[0]", browser.find(name))
    before = browser.js("return window.kept.getBoundingClientRect().top")
    shelf.figures(FIGURES | {"workers": [WORKER | {"progress": 0.75, "done": 45.0}]})
    browser.wait(lambda: browser.js("return document.querySelector('.worker progress').value") == 0.75)
    assert browser.js("return document.activeElement === window.kept && window.kept.isConnected")
    assert browser.js("return window.kept.getBoundingClientRect().top") == before
    browser.js("document.activeElement.blur()")
    shelf.add("just came.mp3")
    browser.wait(lambda: "just came.mp3" in browser.find("#list").text)
    shelf.figures(FIGURES)


def test_files_that_are_chosen_arrive_in_the_inbox(browser, shelf, tmp_path):
    """Each says what became of it, one that is refused in the server's words."""
    (tmp_path / "เสียง 1.flac").write_bytes(b"sound" * 1000)
    (tmp_path / "notes.docx").write_bytes(b"no recording")
    browser.open("/")
    browser.find("#upload input").send_keys("\n".join(map(str, sorted(tmp_path.iterdir()))))
    said = lambda: [each.text for each in browser.driver.find_elements("css selector", ".files .words")]  # noqa: E731
    words = browser.wait(lambda: (found := said()) and all(text not in ("", "waits") for text in found) and found)
    assert "'notes.docx' has no suffix of a recording" in words[0]
    assert "arrived" in words[1]
    assert (shelf.root / "inbox" / "เสียง 1.flac").read_bytes() == b"sound" * 1000
    assert browser.driver.find_elements("css selector", ".files progress") == []
    (tmp_path / "เสียง 1.flac").unlink()
    load(browser, "/", "th")
    browser.find("#upload input").send_keys(str(tmp_path / "notes.docx"))
    original = browser.wait(lambda: browser.find(".files .words .original[lang=en]"))
    assert "'notes.docx' has no suffix of a recording" in original.text
    assert browser.find(".files .words").text.startswith("ไม่ใช่ไฟล์เสียง หรือนามสกุลไฟล์ไม่ใช่ของไฟล์เสียง")


def test_a_file_that_is_dropped_on_the_page_arrives_in_the_inbox(browser, shelf, tmp_path):
    """As the browser has it from the desktop. The zone says that it may be let go, and the page is not left."""
    (tmp_path / "dropped.flac").write_bytes(b"sound" * 1000)
    browser.open("/")
    browser.wait(lambda: browser.js("return document.readyState") == "complete")
    place = browser.js(
        "const r = document.querySelector('h1').getBoundingClientRect(); return {x: r.x + 5, y: r.y + 5}"
    )
    data = {"items": [], "files": [str(tmp_path / "dropped.flac")], "dragOperationsMask": 1}

    def drag(kind: str) -> None:
        browser.driver.execute_cdp_cmd("Input.dispatchDragEvent", place | {"type": kind, "data": data})

    is_over = "return document.querySelector('#upload .zone').classList.contains('over')"
    drag("dragEnter")
    browser.wait(lambda: browser.js(is_over))
    drag("dragOver")
    drag("drop")
    browser.wait(lambda: "arrived" in browser.find("#upload .files").text)
    assert not browser.js(is_over)
    assert (shelf.root / "inbox" / "dropped.flac").read_bytes() == b"sound" * 1000
    assert browser.driver.current_url == f"{browser.served.origin}/"


def test_the_language_is_switched_by_a_button(browser):
    browser.open("/jobs/1")
    browser.find(".tongue button").click()
    browser.wait(lambda: browser.js("return document.documentElement.lang") == "th")
    assert browser.driver.current_url.endswith("/jobs/1")
    browser.find(".tongue button").click()
    browser.wait(lambda: browser.js("return document.documentElement.lang") == "en")
    browser.driver.delete_cookie("sttd-language")
