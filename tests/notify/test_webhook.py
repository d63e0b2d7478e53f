"""Signed webhooks, over real connections."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import subprocess
import threading
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from sttd.config import Receiver
from sttd.notify import credentials, webhook
from sttd.notify.errors import NotTold
from tests.harness import PATIENCE
from tests.notify.conftest import SECRET

BODY = b'{"type": "test"}'


def hooked(hook, secret, path="/hook", timeout=PATIENCE) -> Receiver:
    return Receiver("hook", webhook=f"{hook.url}{path}", secret_file=str(secret), timeout=timeout)


def reason(receiver: Receiver) -> str:
    with pytest.raises(NotTold) as error:
        webhook.send(receiver, "sttd-1-test", BODY)
    return str(error.value)


def test_the_signature_is_that_of_standard_webhooks():
    """The library's own, for the same secret, id, time and body."""
    keys = [base64.b64decode(SECRET.removeprefix("whsec_"))]
    theirs = Webhook(SECRET).sign("sttd-1-test", datetime.fromtimestamp(1614265330, UTC), BODY.decode())
    assert webhook.signature(keys, "sttd-1-test", 1614265330, BODY) == theirs


def test_a_receiver_can_check_id_time_and_body(hook, secret):
    webhook.send(hooked(hook, secret), "sttd-1-test", BODY)
    assert (hook.got, hook.forged) == ([("sttd-1-test", json.loads(BODY))], [])


def test_while_a_secret_is_changed_both_are_signed_with(hook, secret):
    secret.write_text(f"{base64.b64encode(b'another key of 24 bytes.').decode()}\n{SECRET}\n")
    webhook.send(hooked(hook, secret), "sttd-1-test", BODY)
    assert (len(hook.got), hook.forged) == (1, [])


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "is empty"), ("not Base64!", "is no secret in Base64"), ("c2hvcnQ=", "is too short"), ("ฮ", "ASCII")],
)
def test_a_secret_that_is_none_is_told_without_it(hook, secret, content, said):
    secret.write_text(content)
    assert said in reason(hooked(hook, secret))
    assert hook.requests == 0


def test_a_secret_may_be_a_credential_of_the_unit(secret):
    assert credentials.keys("secret", {"CREDENTIALS_DIRECTORY": str(secret.parent)})
    with pytest.raises(NotTold, match="LoadCredential=secret:FILE"):
        credentials.read("secret", {})


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(hook, secret, status):
    """The notice and its signature go where the configuration says, and nowhere else."""
    hook.answer = status
    assert reason(hooked(hook, secret)).endswith("redirects are not followed, write the address that it leads to")
    assert hook.requests == 1


def test_what_is_refused_is_told_by_its_status(hook, secret):
    hook.answer = 503
    assert reason(hooked(hook, secret)) == "HTTP 503 Service Unavailable"
    hook.answer = 599
    assert reason(hooked(hook, secret)) == "HTTP 599"


def test_a_server_that_sends_a_byte_now_and_then_is_cut_off_in_time(hook, secret):
    """Each byte would begin a socket's own time limit anew."""
    cut = threading.Event()

    def drip(handler) -> None:
        with contextlib.suppress(OSError):
            handler.wfile.write(b"HTTP/1.1 200 ")
            while not cut.wait(0.05):
                handler.wfile.write(b"x")

    hook.answer = drip
    assert reason(hooked(hook, secret, timeout=1.0)) == "there was no answer within 1 s"
    cut.set()


@pytest.mark.parametrize(
    ("answer", "said"),
    [(b"nonsense\r\n\r\n", "what answers is no HTTP"), (b"", "closed without an answer")],
)
def test_what_is_no_answer_is_a_try_in_vain(hook, secret, answer, said):
    """The connection is closed behind nonsense or nothing."""

    def close(handler) -> None:
        handler.wfile.write(answer)
        handler.close_connection = True

    hook.answer = close
    assert said in reason(hooked(hook, secret))


def test_nobody_there_is_a_try_in_vain(secret):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    receiver = Receiver("r", webhook=f"http://u:p@127.0.0.1:{port}/?token=t", secret_file=str(secret), timeout=PATIENCE)
    assert reason(receiver) == "Connection refused"


def test_a_name_and_a_password_in_the_address_are_sent_and_never_shown(hook, secret):
    seen = []

    def note(handler) -> None:
        seen.append(handler.headers["Authorization"])
        handler.send_response(204)
        handler.end_headers()

    hook.answer = note
    address = hook.url.replace("://", "://us%20er:pass@") + "/path?token=secret"
    receiver = Receiver("r", webhook=address, secret_file=str(secret), timeout=PATIENCE)
    webhook.send(receiver, "sttd-1-test", BODY)
    assert base64.b64decode(seen[0].removeprefix("Basic ")) == b"us er:pass"
    assert receiver.address == f"{hook.url}/…"
    assert not {"pass", "path", "token"} & set(repr(receiver).replace("'", " ").replace("/", " ").split())


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path, secret):
    import ssl

    key, certificate = tmp_path / "key", tmp_path / "certificate"
    words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=localhost",
    ]
    subprocess.run([*words, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError), server.accept()[0] as peer:
                context.wrap_socket(peer, server_side=True)

        thread = threading.Thread(target=serve)
        thread.start()
        address = f"https://localhost:{server.getsockname()[1]}/"
        told = reason(Receiver("r", webhook=address, secret_file=str(secret), timeout=PATIENCE))
        thread.join()
    assert told.startswith("TLS: self-signed certificate")
