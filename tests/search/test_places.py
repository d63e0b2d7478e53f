"""Results that lie elsewhere than they were written, and folders as people type them."""

from __future__ import annotations

import contextlib
import unicodedata

import pytest

from sttd.search import Follower, Offered
from tests.web import NO_WEB


def test_results_that_were_moved_with_their_folder_are_found_as_on_the_page(archive):
    """`paths.transcripts` was changed, and what was in it moved: the pages of the jobs find them, see `sttd.web.files`."""
    old, new = archive.folder / "old", archive.folder / "new"
    (old / "talks").mkdir(parents=True)
    job = archive.done("talks/a.mp3", ["needle"], path=old / "talks" / "a.en.json")
    for transcripts in (old, new, old):
        if not transcripts.exists():
            (new if transcripts is old else old).rename(transcripts)
        with contextlib.closing(Follower(archive.index, archive.path, [transcripts], transcripts)) as follower:
            while follower.step():
                pass
        assert archive.jobs("needle") == [job.id], transcripts
        assert follower.coverage.searchable == 1


@pytest.mark.parametrize("is_outside", [True, False])
def test_a_result_that_is_outside_of_the_folders_or_no_transcript_is_not_taken_up_anew_at_each_look(
    archive, is_outside
):
    """Each time the whole index would be merged within the hour."""
    job = archive.done("a.mp3", ["needle"])
    if not is_outside:
        archive.result(job).write_text("no transcript")
    folder = archive.folder / "new" if is_outside else archive.folder
    for _ in range(2):
        with contextlib.closing(Follower(archive.index, archive.path, [folder])) as follower:
            while follower.step():
                pass
            before = follower._index._db.total_changes
            follower._next_check = 0.0
            while follower.step():
                pass
            assert follower._index._db.total_changes - before <= 2, "the look itself is noted, and no more"
    assert archive.jobs("needle") == []
    assert archive.jobs("a") == [job.id]


@pytest.mark.parametrize(
    ("source", "typed"),
    [
        ("cafe\u0301/x.mp3", "caf\xe9"),
        ("Meetings /2024/x.mp3", "Meetings/2024"),
        ("movies//Show/x.mkv", "movies/Show"),
        ("movies//Show/x.mkv", "movies"),
    ],
)
def test_a_folder_is_found_as_it_is_offered_and_as_it_is_typed(archive, source, typed):
    """macOS writes an accent as a character of its own; inboxes with a name have two slashes in the ledger."""
    job = archive.done(source, ["needle"])
    archive.done("other/x.mp3", ["needle"])
    archive.follow()
    for folder in (typed, unicodedata.normalize("NFD", typed), source.rpartition("/")[0]):
        assert archive.jobs("needle", folder=folder) == [job.id], folder


def test_of_many_folders_no_more_are_looked_at_than_are_offered():
    """It is done for each request: of 100,000 it took a tenth of a second."""
    pytest.importorskip("starlette", reason=NO_WEB)
    from sttd.web.pages.narrowing import folders

    looked_at = []

    class Many(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            looked_at.append(other)
            return str(self) == other

        __hash__ = str.__hash__

    found = folders(Offered((), tuple(Many(f"2024/{number}") for number in range(5000))))
    assert len(found) == 300
    assert len(looked_at) < 400
