"""Apprise, the real library, over a real connection."""

from __future__ import annotations

import json
import os
import threading

import pytest

from sttd.config import Receiver
from sttd.notify import apprised
from sttd.notify.errors import CutOff, NotTold
from sttd.notify.notice import Notice
from tests.harness import PATIENCE
from tests.notify.conftest import NOW

apprise = pytest.importorskip("apprise", reason="pip install 'sttd[notify]'")
NOTICE = Notice("w", "failed", NOW, "a.mp3: it is broken")


@pytest.fixture
def halt():
    handle = os.eventfd(0)
    yield handle
    os.close(handle)


def test_title_text_and_kind_reach_it_and_the_secret_is_put_in_its_place(hook, tmp_path, halt):
    seen = []

    def note(handler) -> None:
        seen.append(handler.path)
        handler.send_response(200)
        handler.end_headers()

    hook.answer = note
    (tmp_path / "secret").write_text("a/b\n")
    address = hook.url.replace("http://", "json://") + "/{secret}"
    apprised.send(Receiver("r", apprise=address, secret_file=str(tmp_path / "secret"), timeout=PATIENCE), NOTICE, halt)
    assert seen == ["/a%2Fb"] or seen == ["/a/b"]


def test_what_it_says_of_an_address_that_does_not_answer_is_not_logged(hook, log, capfd, halt):
    hook.answer = 500
    with pytest.raises(NotTold, match="Apprise could not deliver it"):
        address = hook.url.replace("http://", "json://user:geheim@") + "/geheim"
        apprised.send(Receiver("r", apprise=address, timeout=PATIENCE), NOTICE, halt)
    assert hook.requests == 1
    out, err = capfd.readouterr()
    assert "geheim" not in "".join(log) + out + err


@pytest.mark.parametrize("address", ["nosuch://x", "tgram://geheim"])
def test_an_address_that_it_does_not_know_is_told_at_the_first_try(address, log, halt):
    """`Apprise.add` returns False without raising."""
    with pytest.raises(NotTold, match="does not know what to do with the address") as error:
        apprised.send(Receiver("r", apprise=address, timeout=PATIENCE), NOTICE, halt)
    assert "geheim" not in str(error.value) + "".join(log)


def test_an_answer_that_has_no_end_is_cut_off_in_time(hook, halt):
    """Apprise reads it whole, and its own limits begin anew with each byte."""
    begun, over = threading.Event(), threading.Event()

    def trickle(handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        begun.set()
        while not over.wait(0.1):
            handler.wfile.write(b"x")

    hook.answer = trickle
    cut = threading.Thread(target=lambda: (begun.wait(PATIENCE), os.eventfd_write(halt, 1)))
    cut.start()
    with pytest.raises(CutOff):  # the end of the notifier ends it, too
        apprised.send(Receiver("r", apprise=hook.url.replace("http://", "json://"), timeout=PATIENCE), NOTICE, halt)
    cut.join()
    over.set()


def test_names_of_recordings_are_no_html_and_no_markdown(hook, halt):
    """Anybody who may drop a file chooses its name, and mail is HTML."""
    hook.answer = 200
    notice = Notice("w", "failed", NOW, "<img src=x>.mp3: it is broken")
    address = hook.url.replace("http://", "json://") + "/?format=html"
    apprised.send(Receiver("r", apprise=address, timeout=PATIENCE), notice, halt)
    assert json.loads(hook.raw[0])["message"].startswith("&lt;img")
