"""The topics of `sttd help` as man pages."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from sttd.install import manual, share

PAGES = manual.topics(share.DOCS) | {"sttd.8": share.text("sttd.8")}
needs_groff = pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff (apt-get install groff-base)")
TEXT = """# Talks: a `title`

A path `C:\\new` and **bold** with [a page](https://example.org)
and [a topic](topic.md).
`a line of the log: it's so`
- one
  item
- another

## Keys

    [pool]
    .hidden = "--x"

| key | default | meaning |
| --- | --- | --- |
| `pool.workers` | auto | `1` or more |

| | |
| --- | --- |
| .x | y |
"""
PAGE = r"""
.TH STTD-TALKS 7 "" "sttd" "sttd"
.ad l
.nh
.SH NAME
sttd\-talks \- Talks: a \fBtitle\fP
.SH DESCRIPTION
.PP
A path \fBC:\enew\fP and \fBbold\fP with a page (https://example.org)
and a topic.
\fBa line of the log: it\(aqs so\fP
.br
.IP \(bu 3
one item
.IP \(bu 3
another
.SH Keys
.PP
.RS 4
.nf
[pool]
\&.hidden = "\-\-x"
.fi
.RE
.TP
\fBpool.workers\fP
default: auto
.br
meaning: \fB1\fP or more
.TP
\fB\&.x\fP
y
"""


def test_a_topic_in_roff():
    assert manual.page("talks", TEXT) == PAGE.lstrip("\n")


@needs_groff
@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_mistake_and_loses_no_word(name):
    """As groff sees it, which warns of each request that it does not know; Thai is left whole."""
    command = ["groff", "-K", "utf8", "-man", "-T", "utf8", "-P", "-cbou", "-ww", "-W", "break", "-rLL=200n"]
    done = subprocess.run(command, input=PAGES[name], capture_output=True, encoding="utf-8", check=True)
    assert done.stderr == ""
    if name != "sttd.8":
        text = (share.DOCS / f"{name}.md").read_text("utf-8")
        text = re.sub(r"\]\((?!http)[^)]*\)|.*\n\|[ |-]+\|$", "", text, flags=re.MULTILINE)  # targets, heads of tables
        words = set(re.findall(r"[^\s`#|*\[\]()]+", text)) - {"-"}
        shown = re.sub(r"\s", "", done.stdout)
        assert [word for word in words if word not in shown] == []


def test_the_page_of_the_service_names_each_topic():
    assert set(re.findall(r"^\.BR sttd\\-(\w+) \(7\),$", PAGES["sttd.8"], re.MULTILINE)) == PAGES.keys() - {"sttd.8"}
