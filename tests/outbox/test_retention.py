"""Which filed sources go, and which stay."""

from __future__ import annotations

import math
import os

import pytest
from hypothesis import given, strategies as st

from sttd.outbox.retention import GRACE, LONGEST, Kept, choose, remove, walk

NOW = 1_000_000.0
DAY = 86_400.0


def kept(name: str, days: float, size: int = 10) -> Kept:
    return Kept(name, size, NOW - days * DAY)


FILES = [kept("new", 1), kept("old", 9), kept("older", 30), kept("fresh", 0.01)]


def names(choice) -> list[str]:
    return [file.path for file in choice.surplus]


def test_nothing_goes_where_nothing_is_configured():
    assert names(choose(FILES, NOW, math.inf, math.inf, ())) == []


def test_what_is_older_goes_oldest_first():
    assert names(choose(FILES, NOW, 7 * DAY, math.inf, ())) == ["older", "old"]


def test_the_oldest_go_until_the_rest_fits():
    assert names(choose(FILES, NOW, math.inf, 25, ())) == ["older", "old"]
    assert names(choose(FILES, NOW, math.inf, 40, ())) == []


def test_what_a_job_needs_stays_and_counts_for_the_size():
    assert names(choose(FILES, NOW, 7 * DAY, 25, {"older"})) == ["old", "new"]


def test_what_has_just_come_stays():
    """It may not be in the ledger yet."""
    assert names(choose(FILES, NOW, 0, 0, ())) == ["older", "old", "new"]


def test_a_folder_is_looked_through_again_when_its_next_file_is_too_old():
    """Not before, and once a day at least; what a job needs may be free in an hour."""
    assert choose(FILES, NOW, 7 * DAY, math.inf, ()).again == NOW + LONGEST
    assert choose(FILES, NOW, 1.25 * DAY, math.inf, ()).again == NOW + 0.25 * DAY
    assert choose(FILES, NOW, 7 * DAY, math.inf, {"old"}).again == NOW + GRACE
    assert choose([], NOW, 7 * DAY, 5, ()).again == NOW + LONGEST


ages = st.one_of(st.just(math.inf), st.floats(0, 100 * DAY))
files = st.lists(st.builds(Kept, st.text("abc", min_size=1), st.integers(0, 100), st.floats(0, NOW)), max_size=12)


@given(files, ages, st.one_of(st.just(math.inf), st.floats(0, 500)), st.sets(st.text("abc", min_size=1), max_size=4))
def test_whatever_is_there_only_what_may_go_goes(found, age, size, needed):
    """All that is over the age goes; over the size no more than must; what is needed or fresh never does."""
    choice = choose(found, NOW, age, size, needed)
    chosen = choice.surplus
    may = [file for file in found if file.path not in needed and NOW - file.since >= GRACE]
    assert all(file in may for file in chosen)
    assert all(file in chosen for file in may if NOW - file.since > age)
    rest = sum(file.size for file in found) - sum(file.size for file in chosen)
    young = [file for file in chosen if NOW - file.since <= age]
    assert rest <= size or len(chosen) == len(may)
    assert not young or rest + young[-1].size > size
    left = [file for file in found if file not in chosen and file.path not in needed]
    assert NOW < choice.again <= NOW + LONGEST
    assert not [file for file in left if GRACE <= choice.again - 1 - file.since > age]


def test_only_regular_files_that_are_not_hidden_are_seen(tmp_path):
    (tmp_path / "2024").mkdir()
    (tmp_path / ".stfolder").mkdir()
    for name in ("2024/a.mp3", ".b.part", ".stfolder/c.mp3", "d.mp3"):
        (tmp_path / name).write_bytes(b"12345")
    (tmp_path / "link.mp3").symlink_to("d.mp3")
    os.mkfifo(tmp_path / "pipe.mp3")
    os.utime(tmp_path / "d.mp3", (1, 1))  # an old recording that came just now
    found = {os.path.relpath(file.path, tmp_path): file for file in walk(str(tmp_path))}
    assert set(found) == {"2024/a.mp3", "d.mp3"}
    assert found["d.mp3"].size == 5
    assert found["d.mp3"].since > 1


def test_a_folder_that_is_away_is_no_empty_one(tmp_path):
    with pytest.raises(FileNotFoundError):
        walk(str(tmp_path / "away"))


def test_a_file_that_changed_or_went_meanwhile_is_left(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"1")
    found = sorted(walk(str(tmp_path)), key=lambda file: file.path)
    (tmp_path / "a").write_bytes(b"22")
    (tmp_path / "b").unlink()
    assert [os.path.basename(file.path) for file in remove(found)] == ["c"]
    assert os.listdir(tmp_path) == ["a"]
