"""Apprise, the real library, over a real connection."""

from __future__ import annotations

import pytest

from sttd.config import Receiver
from sttd.notify import apprised
from sttd.notify.errors import NotTold
from sttd.notify.notice import Notice
from tests.notify.conftest import NOW

apprise = pytest.importorskip("apprise", reason="pip install 'sttd[notify]'")
NOTICE = Notice("w", "failed", NOW, "a.mp3: it is broken")


def test_title_text_and_kind_reach_it_and_the_secret_is_put_in_its_place(hook, tmp_path):
    seen = []

    def note(handler) -> None:
        seen.append(handler.path)
        handler.send_response(200)
        handler.end_headers()

    hook.answer = note
    (tmp_path / "secret").write_text("a/b\n")
    address = hook.url.replace("http://", "json://") + "/{secret}"
    apprised.send(Receiver("r", apprise=address, secret_file=str(tmp_path / "secret")), NOTICE)
    assert seen == ["/a%2Fb"] or seen == ["/a/b"]


def test_what_it_says_of_an_address_that_does_not_answer_is_not_logged(hook, log, capfd):
    hook.answer = 500
    with pytest.raises(NotTold, match="Apprise could not deliver it"):
        apprised.send(Receiver("r", apprise=hook.url.replace("http://", "json://user:geheim@") + "/geheim"), NOTICE)
    assert hook.requests == 1
    out, err = capfd.readouterr()
    assert "geheim" not in "".join(log) + out + err


@pytest.mark.parametrize("address", ["nosuch://x", "tgram://geheim"])
def test_an_address_that_it_does_not_know_is_told_at_the_first_try(address, log):
    """`Apprise.add` returns False without raising."""
    with pytest.raises(NotTold, match="does not know what to do with the address") as error:
        apprised.send(Receiver("r", apprise=address), NOTICE)
    assert "geheim" not in str(error.value) + "".join(log)
