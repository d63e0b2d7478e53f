"""What measures the search at 100,000 transcripts searches, and finds: it is run by hand, and takes minutes."""

from __future__ import annotations

import re

from tests.bench import searching


def test_the_table_has_a_row_for_each_figure_and_queries_find_something(tmp_path, capsys):
    searching.measure(tmp_path, 30)
    text = capsys.readouterr().out
    rows = [line.split(" | ")[0].strip("| ") for line in text.splitlines() if line.startswith("| ")]
    assert rows == [
        "measure", "---", "transcripts; characters of each", "index built", "transcripts indexed a second",
        "size of the index; of each transcript", "a look with nothing new",
        "300 queries, p50", "300 queries, p95", "300 queries, most",
    ]  # fmt: skip
    assert "| transcripts; characters of each | 30; " in text
    assert all(int(hits) for hits in re.findall(r" ms +(\d+) hits", text))
