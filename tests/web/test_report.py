"""The report on the page."""

from __future__ import annotations

import re
import time

import pytest

from tests.harness import PATIENCE
from tests.report.filled import fill
from tests.web import NO_WEB

pytest.importorskip("starlette", reason=NO_WEB)


@pytest.fixture
def served(serve, tmp_path):
    (tmp_path / "state").mkdir()
    fill(tmp_path / "state" / "ledger.db", time.time(), 9, 300)
    return serve()


def page(served, path, **headers):
    """The page once the report is made: until then it loads itself again."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        answer = served.get(path, headers)
        if 'http-equiv="refresh"' not in answer.text:
            return answer
        assert "The report is being made" in answer.text or "<svg" in answer.text
        time.sleep(0.05)
    raise AssertionError("it is never made")


def test_the_report_is_on_the_page_for_each_period(served):
    for since in ("24h", "7d", "30d", "1y"):
        answer = page(served, f"/report?since={since}")
        assert answer.status == 200
        assert answer.text.count('role="img"') == 12
        assert f'<a href="/report?since={since}" aria-current="page">' in answer.text
    assert page(served, "/report").text.count("aria-current") == 2  # of the navigation, and of the week
    assert '<a href="/report"' in served.get("/search").text
    assert served.get("/report?since=9y").status == 404


def test_the_page_has_no_style_of_its_own(served):
    """The policy would keep it from counting; the sheet is where the page says."""
    text = page(served, "/report").text
    assert not re.search(r"<style|style=", text)
    assert served.get("/report.css").headers["content-type"].startswith("text/css")


def test_it_can_be_had_as_a_file(served):
    page(served, "/report?since=7d", **{"Accept-Language": "th"})
    answer = served.get("/report.html?since=7d", {"Accept-Language": "th"})
    assert answer.text.startswith('<!DOCTYPE html>\n<html lang="th">')
    assert 'filename="sttd-7d.html"' in answer.headers["content-disposition"]
    first = served.get("/report.html?since=1y")
    assert first.status == 200 or (first.status, first.headers["location"]) == (303, "/report?since=1y")


def test_nobody_sees_it_without_the_token(served):
    for path in ("/report", "/report.html", "/report.css"):
        assert served.ask("GET", path).status in (303, 401)


def test_a_report_that_takes_long_holds_no_request_up(served):
    """It is made once for all who ask, and kept for a while."""
    from sttd.config import Config
    from sttd.web.pages.reporting import Reporting
    from sttd.web.site import Site

    made = []

    def slowly(since, language):
        made.append(since)
        time.sleep(1)
        raise AssertionError("nobody waits for it")

    reporting = Reporting(Site(Config(), "x", served.root))
    reporting._make = slowly
    begun = time.monotonic()
    assert [reporting._latest("7d", "en") for _ in range(5)] == [(None, False)] * 5
    assert time.monotonic() - begun < 1
    assert made == ["7d"]
    reporting._maker.shutdown(cancel_futures=True)


def test_a_ledger_that_cannot_be_read_is_told(serve, tmp_path):
    served = serve()
    answer = page(served, "/report")
    assert answer.status == 503
    assert "there is no ledger" in answer.text
