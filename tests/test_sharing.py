"""Into how many parts a recording is shared out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from sttd.part import SAMPLE_RATE, ModelSpec, Options, PartSpec, Place
from sttd.sharing import MOST_PARTS, Share, fitted, parts_of, wanted

SHARE = Share(after=1200.0, length=600.0)


@pytest.mark.parametrize(
    ("seconds", "parts"),
    [(0.0, 1), (1200.0, 1), (1200.1, 2), (1499.9, 2), (1500.0, 3), (2099.9, 3), (2100.0, 4), (36000.0, 60)],
)
def test_only_what_is_longer_than_the_limit_is_shared_out_and_the_last_part_is_never_short(seconds, parts):
    assert parts_of(seconds, SHARE) == parts


def test_a_recording_whose_file_says_no_length_is_not_shared_out_and_none_is_without_a_share():
    assert parts_of(None, SHARE) == 1
    assert parts_of(36000.0, None) == 1


def test_a_recording_longer_than_the_limit_has_two_parts_at_least():
    assert parts_of(61.0, Share(after=60.0, length=600.0)) == 2


@pytest.mark.parametrize(
    ("after", "slots", "share"), [(1200.0, 2, SHARE), (1200.0, 1, None), (1200.0, 0, None), (math.inf, 8, None)]
)
def test_recordings_are_shared_out_where_several_workers_may_have_them_and_a_person_wants_it(after, slots, share):
    assert wanted(after, 600.0, slots) == share


@given(st.floats(1, 10**6), st.floats(1, 10**4))
def test_the_last_part_has_between_half_and_one_and_a_half_lengths(seconds, length):
    parts = parts_of(seconds, Share(after=0.0, length=length))
    if seconds >= 1.5 * length:
        assert 0.5 - 1e-6 <= seconds / length - (parts - 1) <= 1.5


@given(st.floats(1, 10**6), st.floats(1, 10**4))
def test_a_long_recording_has_longer_parts_and_not_more_of_them_than_can_be_reached_cheaply(seconds, length):
    """The daemon fits what it knows again, and to the same."""
    share = fitted(Share(after=0.0, length=length), seconds)
    assert parts_of(seconds, share) <= MOST_PARTS
    assert share.length == max(length, math.ceil(seconds / MOST_PARTS))
    assert fitted(share, seconds) == share
    assert fitted(SHARE, None) == SHARE


def test_a_part_that_was_begun_goes_on_at_its_place_and_another_is_looked_for_near_its_border():
    spec = PartSpec("1.2", 1, "a", 1, 1, ModelSpec("demo"), Options(), number=2, parts=3, share=SHARE)
    assert spec.resume_from == 1200 * SAMPLE_RATE
    begun = PartSpec(
        "1.2", 1, "a", 1, 1, ModelSpec("demo"), Options(), places={0: Place(5)}, number=2, parts=3, share=SHARE
    )
    assert begun.resume_from == 5
