"""Who is let in, and what a browser is told about it."""

from __future__ import annotations

import base64
import os
import re
import stat
import subprocess
import sys

import pytest

from sttd.cli.app import main
from sttd.web.pages.endpoints import TITLES
from tests.harness import PATIENCE
from tests.machine import needs_root
from tests.web import NO_WEB

pytest.importorskip("starlette", reason=NO_WEB)

PATHS = [
    "/",
    "/metrics",
    "/api/v1/jobs/1",
    "/v1/audio/transcriptions",
    "/static/x.css",
    "//healthz",
    "/healthz/",
    "/nothing",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_is_served_without_the_token(site, path, method):
    """Whether it exists or not is not told either."""
    assert site.ask(method, path).status == 401


@pytest.mark.parametrize("path", ["/healthz", "/login", "/login.css"])
def test_health_and_the_form_need_no_token(site, path):
    assert site.ask("GET", path).status in (200, 503)


def test_the_token_comes_as_bearer_as_password_or_as_cookie(site):
    """A program that only knows addresses has it in one: http://sttd:TOKEN@host. None of the three gets past with less."""
    password = base64.b64encode(f"sttd:{site.token}".encode()).decode()
    cookie = site.ask("GET", f"/login?token={site.token}").headers["set-cookie"]
    for headers in (
        {"Authorization": f"Bearer {site.token}"},
        {"Authorization": f"Basic {password}"},
        {"Cookie": cookie.partition(";")[0]},
    ):
        assert site.ask("GET", "/nothing", headers=headers).status == 404
        ((name, value),) = headers.items()
        assert site.ask("GET", "/nothing", headers={name: value[:-1]}).status == 401
        assert site.ask("GET", "/nothing", headers={name: value.swapcase()}).status == 401


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer ", "Bearer  x", "Basic", "Basic !", "Basic Og==", "Basic 4pyT", "Digest x", "Bearer ä"],
)
def test_what_is_no_token_is_refused(site, given):
    assert site.ask("GET", "/nothing", headers={"Authorization": given.encode("utf-8").decode("latin-1")}).status == 401


def test_the_cookie_is_for_this_server_alone_and_is_not_the_token(site):
    """No script reads it, no other site's page sends it, and another sttd on this machine has its own."""
    cookie = site.ask("GET", f"/login?token={site.token}").headers["set-cookie"]
    assert cookie.startswith(f"sttd-{site.port}=")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert site.token not in cookie


def test_a_person_logs_in_with_the_form_and_comes_to_the_page_that_was_wanted(site):
    form = site.ask("GET", "/jobs?page=2&q=<b>", headers={"Accept": "text/html"})
    assert form.status == 401
    assert 'value="/jobs?page=2&amp;q=&lt;b&gt;"' in form.text
    answer = site.ask("POST", "/login", f"token={site.token}&next=%2Fjobs%3Fpage%3D2", {"Origin": site.origin})
    assert (answer.status, answer.headers["location"]) == (303, "/jobs?page=2")
    assert "set-cookie" in answer.headers
    wrong = site.ask("POST", "/login", "token=wrong&next=/jobs", {"Origin": site.origin})
    assert wrong.status == 403
    assert "set-cookie" not in wrong.headers
    assert 'value="/jobs"' in wrong.text


@pytest.mark.parametrize(
    "after", ["//evil.com", "/\\evil.com", "https://evil.com", "evil", "", "/%0d%0aX: y", "/%09/evil"]
)
def test_the_form_leads_to_no_other_site(site, after):
    answer = site.ask("POST", "/login", f"token={site.token}&next={after}", {"Origin": site.origin})
    assert (answer.status, answer.headers["location"]) == (303, "/")


@pytest.mark.parametrize(("path", "leads"), [("/jobs/1?a=1&b", "/jobs/1?a=1&amp;b"), ("//evil.com", "/")])
def test_a_link_on_another_site_is_followed_once_more_from_here(site, path, leads):
    """With the first request the browser sends no strict cookie, with the second it does; who has none gets the form then."""
    headers = {"Accept": "text/html", "Sec-Fetch-Site": "cross-site"}
    answer = site.ask("GET", path, headers=headers)
    assert answer.status == 401
    assert f'<meta http-equiv="refresh" content="0; url={leads}">' in answer.text
    assert "<form" in site.ask("GET", path, headers=headers | {"Sec-Fetch-Site": "same-origin"}).text


def test_a_form_that_is_too_long_or_no_form_is_a_wrong_token(site):
    for body in (f"token={site.token}&x=" + "x" * 5000, b"\xff\xfe", "", "token"):
        assert site.ask("POST", "/login", body, {"Origin": site.origin}).status == 403


@pytest.mark.parametrize(
    "host", ["127.0.0.1:{}", "127.0.0.1", "localhost:{}", "LOCALHOST", "[::1]:{}", "192.168.0.7", "localhost."]
)
def test_addresses_and_localhost_are_ours(site, host):
    assert site.get("/nothing", {"Host": host.format(site.port)}).status == 404


@pytest.mark.parametrize(
    "host",
    ["evil.com", "evil.com:80", "127.0.0.1.evil.com", "evil.com@127.0.0.1", "127.0.0.1/healthz?", "127.0.0.1/login?x=", "localhost/login.css#",
     "", " ", "[::1", "127.0.0.1:port", "127.0.0.1:7883:1", "::1"],
)  # fmt: skip
def test_another_name_is_refused_even_with_the_token(site, host):
    """A page of evil.com whose name was pointed at 127.0.0.1 (DNS rebinding); and a Host that is no host opens no path."""
    assert site.get("/nothing", {"Host": host}).status == 421
    assert site.ask("GET", "/healthz", headers={"Host": host}).status == 421


def test_names_in_the_configuration_are_ours(serve):
    served = serve({"web.hosts": "NAS.local, stt"})
    for host, status in (("nas.local", 404), ("nas.local:8080", 404), ("STT", 404), ("x.nas.local", 421)):
        assert served.get("/nothing", {"Host": host}).status == status
    # a proxy may have put its own address for the name that the browser knows
    assert served.ask("PUT", "/nothing", b"", served.bearer() | {"Origin": "https://nas.local"}).status == 404


@needs_root
def test_a_token_that_root_makes_is_the_services(tmp_path):
    """`sttd web --link` as root, after the token was removed and before the service has made a new one."""
    folder = tmp_path / "state-web"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["--root", str(tmp_path), "web", "--link"])
    assert (folder / "token").stat().st_uid == 12345


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    "origin",
    ["http://evil.com", "null", "http://127.0.0.1:1", "http://localhost:1", "http://localhost.evil.com", "", "file://"],
)
def test_a_page_of_another_site_changes_nothing(site, method, origin):
    """Neither with the cookie nor with the token; nor does a page from another port of this machine."""
    cookie = site.ask("GET", f"/login?token={site.token}").headers["set-cookie"].partition(";")[0]
    for headers in ({"Cookie": cookie}, site.bearer()):
        assert site.ask(method, "/nothing", b"", headers | {"Origin": origin}).status == 403
    assert site.ask("POST", "/login", f"token={site.token}", {"Origin": origin}).status == 403


def test_another_port_of_our_name_is_another_site_but_for_a_proxy(serve):
    """A browser keeps one jar of cookies for all ports of a host, and sends our strict one along from any of them."""
    served = serve({"web.hosts": "nas.local"})
    cookie = served.ask("GET", f"/login?token={served.token}").headers["set-cookie"].partition(";")[0]
    for host, origin, said, status in (
        ("nas.local:{}", "http://nas.local:8080", None, 403),
        ("nas.local:{}", "https://nas.local:8443", "same-site", 403),
        ("localhost:{}", "http://localhost:{}", "same-site", 403),
        ("nas.local", "https://nas.local:8443", "same-origin", 404),
        ("127.0.0.1:{}", "https://localhost:8443", "same-origin", 404),
        ("127.0.0.1:{}", "http://evil.com", "same-origin", 403),
    ):
        headers = {"Cookie": cookie, "Host": host.format(served.port), "Origin": origin.format(served.port)}
        headers |= {} if said is None else {"Sec-Fetch-Site": said}
        assert served.ask("POST", "/nothing", b"", headers).status == status, (host, origin, said)


def test_our_own_page_and_programs_change_things(site):
    """A program sends no Origin, and the token; a browser sends one with the cookie."""
    cookie = site.ask("GET", f"/login?token={site.token}").headers["set-cookie"].partition(";")[0]
    assert site.ask("PUT", "/nothing", b"", {"Cookie": cookie, "Origin": site.origin}).status == 404
    assert site.ask("PUT", "/nothing", b"", site.bearer()).status == 404
    assert site.ask("PUT", "/nothing", b"", {"Cookie": cookie}).status == 401


@pytest.mark.parametrize("path", ["/login", "/nothing", "/api/v1/nothing", "/healthz", "/login.css"])
def test_every_answer_says_what_a_browser_may_do_with_it(site, path):
    headers = site.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_errors_have_the_form_that_the_path_asks_for(site):
    assert "error" in site.get("/api/v1/nothing").json()
    assert TITLES[404] in site.get("/nothing").text
    assert site.ask("POST", "/healthz", b"", site.bearer()).status == 405


SHAPES = {
    "/v1/audio/transcriptions": lambda found: found["error"]["message"],
    "/api/v1/jobs/1": lambda found: found["error"],
    "/asr": lambda found: found["detail"],
    "/detect-language": lambda found: found["detail"],
}


@pytest.mark.parametrize("path", SHAPES)
def test_a_program_without_the_token_is_told_so_in_its_shape(site, path):
    """OpenAI's client shows the words of no other. Whom a Host or another site's page keeps out is told so, too."""
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = site.ask("POST", path, b"", headers)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert SHAPES[path](answer.json()) == "this needs the token: Authorization: Bearer TOKEN"
    for host in ("evil.com", "[::1", "127.0.0.1/healthz?"):
        answer = site.ask("POST", path, b"", site.bearer() | {"Host": host})
        assert (answer.status, "add the name to hosts" in SHAPES[path](answer.json())) == (421, True)
    answer = site.ask("POST", path, b"", site.bearer() | {"Origin": "http://evil.com"})
    assert (answer.status, "another site" in SHAPES[path](answer.json())) == (403, True)


@pytest.mark.parametrize(
    "line",
    [b"GET http://evil.com/healthz HTTP/1.1", b"GET /login/../nothing HTTP/1.1", b"GET /%2e%2e/etc/passwd HTTP/1.1",
     b"GET /healthz%00 HTTP/1.1", b"GET /healthz%3F HTTP/1.1", b"GET /login;x HTTP/1.1", b"CONNECT /login.css: HTTP/1.1"],
)  # fmt: skip
def test_no_way_of_writing_a_path_gets_past(site, line):
    with site.connection() as connection:
        connection.sendall(line + b"\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.com\r\n",
        b"\x16\x03\x01\x02\r\n",
        b"GET / HTTPS/1.1\r\nHost: 127.0.0.1\r\n",
    ],
)
def test_what_is_no_request_is_refused(site, head):
    """No Host, two of them, the beginning of TLS, another protocol."""
    with site.connection() as connection:
        connection.sendall(head + b"\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_the_token_is_made_once_for_its_owner_alone(serve, tmp_path):
    """And is in no line of the log, nor where it was not asked for."""
    served = serve()
    file = tmp_path / "state-web" / "token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert len(served.token) >= 40
    served.ask("GET", f"/login?token={served.token}")
    words = [sys.executable, "-P", "-m", "sttd", "--root", str(tmp_path), "web", "--link"]
    link = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
    assert link == f"http://127.0.0.1:7883/login?token={served.token}\n"
    assert served.stop() == 0
    assert not [line for line in served.log if served.token in line]
    assert served.process.stdout.read() == ""


def test_a_token_can_be_given_by_a_file_or_by_systemd(serve, tmp_path):
    (tmp_path / "given").write_text("a-token-of-my-own-1\n")
    (tmp_path / "web-token").write_text("a-token-of-systemd-1\n")
    for served, token in (
        (
            serve({"web.token_file": str(tmp_path / "given")}, CREDENTIALS_DIRECTORY=str(tmp_path)),
            "a-token-of-my-own-1",
        ),
        (serve(CREDENTIALS_DIRECTORY=str(tmp_path)), "a-token-of-systemd-1"),
    ):
        assert served.ask("GET", "/nothing", headers={"Authorization": f"Bearer {token}"}).status == 404
    assert not (tmp_path / "state-web" / "token").exists()
    assert stat.S_IMODE((tmp_path / "state-web").stat().st_mode) == 0o700  # all transcripts are in its index


@pytest.mark.parametrize("content", [b"", b"short", b"two words in one token", b"\xff" * 20, b"x" * 2000, None])
def test_a_token_that_can_be_guessed_or_read_by_nobody_is_refused(tmp_path, capsys, content):
    path = tmp_path / "given"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        main(["--root", str(tmp_path), "--set", f"web.token_file={path}", "web", "--link"])
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert re.match(rf"sttd: .*{path}", said)
    assert said.count("\n") == 1
