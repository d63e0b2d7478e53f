"""What the daemon says in English means something in Thai: each cause, each kind of trouble, each kind of file that is left alone.

The tables of the page know the sentences by patterns. So each pattern is looked for in the code that says them, and each
place in the daemon that begins a trouble has a sentence here.
"""

from __future__ import annotations

import ast
import contextlib
import errno
import functools
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import sttd
from sttd.inbox.rules import Why
from sttd.job import State
from sttd.ledger.request import Answer
from sttd.part import Cause
from sttd.view import figures, plain
from tests.web import NO_WEB
from tests.web.served import Served
from tests.web.shelf import Shelf, segment

pytest.importorskip("starlette", reason=NO_WEB)

from sttd.web.pages import language, meaning

TOP = Path(sttd.__file__).parent
THAI = language.words("th")
FULL = "[Errno 28] No space left on device: '/srv/sttd/state/x'"
SYSTEM = [
    errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE, errno.EUCLEAN, errno.EMFILE,
]  # fmt: skip

# by where a trouble is begun in the daemon, and under which name: sentences that it says there
TROUBLES = {
    ("by_folder", "TROUBLE"): ["the options of folders cannot be looked at: x"],
    ("by_folder", "_trouble(folder)"): ["talks/.sttd.toml: no such key; recordings in talks wait until that is put right"],
    ("dispatch", "'checkpoint'"): ["checkpoints cannot be read: only 3 of 4 chunks can be read"],
    ("ending", "STREAK"): ["5 jobs in a row ended with the same error: error: RuntimeError: x"],
    ("ending", "end.trouble"): [
        "model 'small': load timed out after 5 minutes; there is no fallback",
        "the model does not know the language 'lo': set transcribe.language, or model.name to one that does",
        "the checkpoint cannot be written: x", "the file could not be opened: Too many open files",
        "the worker died before it could begin: exit code 1; see its messages above in the log",
        "the worker died while it loaded the model: killed by SIGKILL",
    ],
    ("guard", "f'job {job.id}'"): ["job 3: a.mp3: its files cannot be moved: a fault in sttd (KeyError: 1)"],
    ("library_disks", "_trouble(error.where.device)"): ["results cannot be put in place: the disk of /library/a: x"],
    ("loop", "'manifest'"): ["the manifest cannot be written: [Errno 5] x"],
    ("loop", "name"): ["ledger /srv/sttd/state/ledger.db: disk I/O error", "[Errno 24] Too many open files"],
    ("models", "'model'"): ["no model: 'small' is not in /var/lib/sttd; get it with: sttd model pull small"],
    ("requests", "'requests'"): ["requests cannot be read: x"],
    ("retention", "what"): ["old jobs cannot be forgotten: x", "what is old in /srv/sttd/archive cannot be removed: x"],
    ("setbacks", "name"): ["results cannot be written: x", "results cannot be put in place: /t is not the folder that it was"],
    ("setbacks", "f'{folder}: {type(error).__name__}'"): ["job 3: a.mp3: its source cannot be put aside: [Errno 36] x"],
    ("whereabouts", "trouble"): ["inbox away: no folder /srv/sttd/inbox", "inbox phone away: /mnt/phone does not answer"],
}  # fmt: skip


def begun() -> set[tuple[str, str]]:
    """Every place where the daemon begins a trouble: the module, and the argument that names it."""
    found = set()
    for path in (TOP / "daemon").glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr in ("begin", "begin_for")
                and "troubles" in ast.unparse(call.func.value)
            ):
                found.add((path.stem, ast.unparse(call.args[call.func.attr == "begin_for"])))
    return found


@functools.cache
def sentences() -> list[str]:
    """What the parts of sttd that write sentences into the ledger can say; 1 stands for each value in one."""
    return [
        text
        for part in ("daemon", "outbox", "pool", "worker", "inbox", "ledger", "fs", "existing.py", "view")
        for path in ([TOP / part] if part.endswith(".py") else sorted((TOP / part).rglob("*.py")))
        for text in _texts(ast.parse(path.read_text("utf-8")))
    ]


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(each.value) if isinstance(each, ast.Constant) else "1" for each in node.values)


def test_every_cause_and_every_reason_to_leave_a_file_alone_has_a_meaning():
    """All of these have their Thai: see test_words."""
    assert set(meaning.CAUSES) == set(Cause)
    assert set(meaning.IGNORED) == set(Why)


def test_every_trouble_that_the_daemon_begins_has_a_meaning():
    assert begun() == set(TROUBLES)
    view = [
        figures.hangs(60),
        "no worker can be reached: gpu1: no route to host",
        f"the file system of /srv is full: {FULL}",
    ]
    for text in [*view, *(each for texts in TROUBLES.values() for each in texts)]:
        assert meaning.of_trouble("trouble", text).meaning not in ("", meaning.ANYTHING), text
    assert meaning.of_trouble("trouble", "unheard of").meaning == meaning.ANYTHING


def test_every_word_that_holds_work_up_has_a_meaning():
    status = figures.status(None, running=False) | {"paused": True, "model": {"missing": {"small": "it is not here"}}}
    words = {word for word, _ in plain.held_up(status, "sttd")}
    assert words - {"trouble"} == set(meaning.HOLDS)


def test_each_kind_is_of_a_sentence_that_sttd_says():
    """A sentence that is written anew would lose its meaning without a word."""
    system = [os.strerror(number) for number in SYSTEM]
    for table in (meaning.ERRORS, meaning.FALLBACKS, meaning.TROUBLES, meaning.WARNINGS):
        for pattern, _ in table:
            assert any(re.search(pattern, text) for text in [*sentences(), *system]), pattern
    assert all(meaning.of_error(text, None).meaning for text in system)


@pytest.mark.parametrize(
    ("text", "cause", "wanted"),
    [
        ("the file is empty; copy it again", "bad file", "The file is empty. Copy it again."),
        ("its header is odd", "bad file", meaning.CAUSES[Cause.BAD_FILE]),
        (f"its results go to a disk that takes none: {FULL}", "machine", meaning.ERRORS[8][1]),
        (
            f"the checkpoint cannot be written: {FULL}",
            "machine",
            "A disk is full. Make room, and work goes on by itself.",
        ),
        ("something of another version", "no such cause", ""),
        ("its results are written again", None, ""),
    ],
)
def test_an_error_says_more_than_its_cause(text, cause, wanted):
    assert meaning.of_error(text, cause) == (text, wanted)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The list, a failed job and a done one, each in both languages."""
    shelf = Shelf(tmp_path_factory.mktemp("root"))
    shelf.fail(shelf.add("a.mp3"), "the file is <b>empty</b>; copy it again")
    shelf.finish("b.flac", [segment(0, 1, "hello")], warnings=("only audio track 1 of 2 was transcribed",))
    waits = shelf.add("c.mp3", not_before=2e9, cause="machine", error=f"its checkpoint cannot be read: {FULL}")
    assert waits.state is State.QUEUED
    ignored = {"ignored": {"suffix not in watch.suffixes: .pdf": 2, "hidden": 1}, "settling": 0, "away": None}
    remotes = [{"name": "gpu1", "away": "ssh: no route to host", "slots": 1, "workers": 0, "retry_at": 0.0}]
    trouble = [f"results cannot be written: {FULL}"]
    figures_of_it = {"workers": [], "memory": {}, "trouble": trouble, "inbox": ignored, "remotes": remotes}
    with shelf.daemon(figures_of_it), contextlib.closing(Served(shelf.root)) as served:
        asked = {
            (path, code): served.get(path, {"Accept-Language": code}).text
            for path in ("/", "/jobs/1", "/jobs/2", "/jobs/3")
            for code in ("en", "th")
        }
    shelf.ledger.close()
    return asked


@pytest.mark.parametrize(
    ("path", "said", "original"),
    [
        ("/", "A disk is full. Make room, and work goes on by itself.", "results cannot be written: "),
        ("/", "No work goes to this machine now. It is tried again by itself.", "ssh: no route to host"),
        ("/", meaning.CAUSES[Cause.BAD_FILE], "the file is &lt;b&gt;empty"),
        ("/jobs/1", meaning.CAUSES[Cause.BAD_FILE], "the file is &lt;b&gt;empty"),
        ("/jobs/1", meaning.CAUSES[Cause.BAD_FILE], "bad file: the file is &lt;b&gt;empty"),
        ("/jobs/2", "Only one of its audio tracks was transcribed.", "only audio track 1"),
        ("/jobs/3", meaning.ERRORS[10][1], "its checkpoint cannot be read"),
    ],
)
def test_the_thai_page_says_what_it_means_above_what_the_daemon_said(pages, path, said, original):
    """The English one has the sentence alone: it says as much."""
    thai, english = pages[path, "th"], pages[path, "en"]
    assert re.search(
        f'<span class="meaning">{re.escape(THAI(said))}</span> <span class="original" lang="en">{original}', thai
    )
    assert said not in english
    assert original in english


def test_what_came_of_a_button_is_said_in_thai(tmp_path):
    shelf = Shelf(tmp_path)
    shelf.ledger.set_answer("a-1", Answer(ok=False, text="job 1 is done already"), time.time())
    with contextlib.closing(Served(tmp_path)) as served:
        answers = [
            [served.get(f"/?request={name}", {"Accept-Language": code}).text for code in ("th", "en")]
            for name in ("a-1", "a-2")
        ]
    shelf.ledger.close()
    (refused_thai, refused), (asked_thai, asked) = answers
    assert (
        f'{THAI("That cannot be done")}</span> <span class="original" lang="en">job 1 is done already<' in refused_thai
    )
    assert "<span>job 1 is done already</span>" in refused
    assert f'<span class="meaning">{THAI("The daemon was asked.")}</span>' in asked_thai
    assert "<span>The daemon was asked.</span>" in asked


def test_what_holds_a_job_up_looks_like_no_failure(pages):
    assert 'class="note bad"' in pages["/jobs/1", "en"]
    assert 'class="note warned"' in pages["/jobs/3", "en"]
    assert 'class="note bad"' not in pages["/jobs/3", "en"]


def test_what_is_left_alone_is_said_in_thai(pages):
    assert "ชนิดที่ไม่ถอดเสียง: .pdf" in pages["/", "th"]
    assert "ไฟล์ซ่อน" in pages["/", "th"]
    assert "watch.suffixes" not in pages["/", "th"]


def test_a_message_of_megabytes_is_known_by_its_ends_and_read_no_further(monkeypatch):
    """A list of jobs may have hundreds; each expression was searched for in the whole of each."""
    read = []
    search = meaning.re.search
    monkeypatch.setattr(meaning.re, "search", lambda pattern, text: (read.append(len(text)), search(pattern, text))[1])
    whole = "x" * 10**6
    tail = meaning.WARNINGS[-1][0]
    assert meaning._found(meaning.WARNINGS, whole + tail) == meaning._found(meaning.WARNINGS, tail) != ""
    assert max(read) < 3000
