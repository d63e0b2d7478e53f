"""judge.py and places.py: pure rules, checked against faster-whisper's own where it has them."""

from __future__ import annotations

import types

import pytest
from faster_whisper import WhisperModel
from hypothesis import given, strategies as st

from sttd.worker.decoding import judge
from sttd.worker.decoding.judge import Limits, Piece, Score, Verdict, lay_out
from sttd.worker.decoding.places import Places

LIMITS = Limits(compression_ratio=2.4, log_prob=-1.0, no_speech=0.6)
B = 50364  # <|0.00|>
RATE = 16_000


@pytest.mark.parametrize(
    ("logprob", "no_speech", "ratio", "verdict"),
    [
        (-0.3, 0.1, 1.5, Verdict.KEEP),
        (-0.3, 0.9, 1.5, Verdict.KEEP),  # sure of what it heard: not silence, whatever no_speech_prob says
        (-1.5, 0.9, 1.5, Verdict.EMPTY),
        (-1.0, 0.9, 1.5, Verdict.EMPTY),  # Whisper keeps only what is above the threshold
        (-1.5, 0.9, 9.0, Verdict.EMPTY),  # a loop in silence is silence
        (-0.3, 0.9, 9.0, Verdict.EMPTY),  # also one that the model is sure of
        (-1.5, 0.1, 1.5, Verdict.AGAIN),
        (-0.3, 0.1, 2.5, Verdict.AGAIN),
        (-0.3, 0.9, 2.5, Verdict.AGAIN),
        (-1.0, 0.1, 2.4, Verdict.KEEP),  # on the thresholds
    ],
)
def test_a_window_is_judged_as_whisper_judges(logprob, no_speech, ratio, verdict):
    assert judge.judge(Score(logprob, no_speech, ratio), LIMITS) is verdict


def test_what_is_too_much_for_its_time_is_no_more_than_a_guess_though_it_is_no_loop():
    """The model is sure of it as of any text that repeats itself. A clip of a second was written with 62 characters."""
    assert judge.judge(Score(-0.3, 0.1, 2.2, hasty=True), LIMITS) is Verdict.AGAIN
    assert judge.judge(Score(-0.3, 0.9, 2.2, hasty=True), LIMITS) is Verdict.EMPTY
    assert judge.best([Score(-0.3, 0.1, 2.2, hasty=True), Score(-1.9, 0.1, 1.0)], LIMITS) == 1
    assert [judge.is_hasty("ฮ" * count, 110) for count in (44, 45)] == [False, True]
    assert not judge.is_hasty("thank you very much", 30), "a few words fit into any time"


def test_an_endless_loop_is_no_more_than_a_guess():
    """White noise, decoded as Thai by Whisper base: "thank you" up to the token limit, with these scores."""
    assert judge.judge(Score(-0.08, 0.9, 12.4, endless=True), LIMITS) is Verdict.EMPTY
    assert judge.judge(Score(-0.08, 0.3, 12.4, endless=True), LIMITS) is Verdict.AGAIN
    assert judge.judge(Score(-0.4, 0.9, 2.0, endless=True), LIMITS) is Verdict.KEEP  # text up to the token limit
    assert judge.judge(Score(-0.1, 0.63, 8.23), LIMITS) is Verdict.EMPTY  # a tone of 440 Hz: one syllable fifty times
    assert judge.judge(Score(-0.4, 0.9, 5.8), LIMITS) is Verdict.AGAIN  # a line of a song eight times


@pytest.mark.parametrize(
    ("scores", "taken"),
    [
        ([(-0.4, 2.7), (-1.95, 1.0)], 0),  # sure before unsure
        ([(-1.95, 1.0), (-0.4, 2.7)], 1),
        ([(-1.2, 2.7), (-1.9, 1.0)], 1),  # of unsure ones that without a loop
        ([(-1.2, 1.0), (-1.1, 1.0), (-1.5, 1.0)], 1),  # then the surest
        ([(-0.4, 2.7), (-0.2, 5.0)], 1),
        ([(-1.1, 1.0), (-1.1, 1.0)], 0),  # then the first
        ([(-1.0, 3.0), (-1.01, 1.0)], 0),  # on the threshold
        ([(-0.1, 8.4, True), (-1.95, 1.0)], 1),  # but an endless loop last
        ([(-0.1, 8.4, True), (-1.95, 3.0)], 1),
        ([(-0.1, 2.0, True), (-1.95, 1.0)], 0),  # text up to the token limit
        ([(-0.1, 8.4), (-1.95, 1.0)], 1),
        ([(-0.1, 5.8), (-1.95, 1.0)], 0),  # a line of a song eight times
    ],
)
def test_of_bad_results_a_sure_one_is_best_then_one_without_a_loop_then_the_surest(scores, taken):
    assert judge.best([Score(logprob, 0.1, ratio, *end) for logprob, ratio, *end in scores], LIMITS) == taken


def stamp(seconds: float) -> int:
    return B + round(seconds * 50)


def test_a_window_that_ends_with_its_last_timestamp_is_whole():
    tokens = [stamp(0), 1, 2, stamp(4), stamp(5), 3, stamp(28)]
    layout = lay_out(tokens, B, 3000, full=False)
    assert layout.pieces == (Piece(0, 200, (stamp(0), 1, 2, stamp(4))), Piece(250, 1400, (stamp(5), 3, stamp(28))))
    assert layout.go_on is None
    assert not layout.split


def test_text_after_the_last_pair_is_decoded_again_from_there():
    layout = lay_out([stamp(0), 1, stamp(20), stamp(21), 2, 3], B, 3000, full=False)
    assert [piece.tokens for piece in layout.pieces] == [(stamp(0), 1, stamp(20))]
    assert layout.go_on == 2000  # from the end of what is whole


def test_a_phrase_of_which_the_model_gives_the_start_alone_is_decoded_again():
    assert lay_out([stamp(0), 1, stamp(20), stamp(21)], B, 3000, full=False).go_on == 2000


def test_at_the_token_limit_even_a_single_last_timestamp_is_gone_on_from():
    tokens = [stamp(0), 1, stamp(28)]
    assert lay_out(tokens, B, 3000, full=False).go_on is None
    assert lay_out(tokens, B, 3000, full=True).go_on == 2800


def test_a_window_of_speech_that_stops_early_is_gone_on_with():
    assert lay_out([stamp(0), 1, stamp(10)], B, 3000, full=False).go_on == 1000
    assert lay_out([stamp(0), 1, stamp(10)], B, 1200, full=False).go_on is None


def test_at_the_token_limit_without_any_place_to_go_on_the_window_is_halved():
    assert lay_out([stamp(0), *[1] * 223], B, 3000, full=True).split
    assert lay_out([stamp(0), *[1] * 223], B, 300, full=True).pieces  # too short to be anything but a loop
    assert not lay_out([stamp(0), *[1] * 100], B, 3000, full=False).split


def test_a_step_too_small_to_go_on_keeps_all_text():
    layout = lay_out([stamp(0), 1, stamp(0.1), stamp(0.1), 2], B, 2000, full=False)
    assert [piece.tokens for piece in layout.pieces] == [(stamp(0), 1, stamp(0.1)), (stamp(0.1), 2)]
    assert layout.pieces[-1].end == 1000
    assert layout.go_on is None


TOKENS = st.lists(st.one_of(st.integers(0, 50), st.integers(B, B + 1500)), max_size=40).map(lambda tail: [B, *tail])


@given(TOKENS)
def test_pieces_are_those_of_faster_whisper(tokens):
    model = types.SimpleNamespace(time_precision=0.02, input_stride=2)
    expected, seek, _ = WhisperModel._split_segments_by_timestamps(
        model, types.SimpleNamespace(timestamp_begin=B), tokens, 0.0, 3000, 30.0, 0
    )
    layout = lay_out(tokens, B, 3000, full=False)
    kept = layout.pieces[: len(expected)]
    assert [list(piece.tokens) for piece in kept] == [segment["tokens"] for segment in expected]
    assert [piece.start * 0.02 for piece in kept] == pytest.approx([segment["start"] for segment in expected])
    assert [piece.end * 0.02 for piece in kept] == pytest.approx([segment["end"] for segment in expected])
    if layout.go_on is not None and seek < 3000:
        assert layout.go_on == seek


@given(TOKENS, st.integers(10, 3000), st.booleans())
def test_going_on_always_gets_nearer_to_the_end(tokens, frames, full):
    layout = lay_out(tokens, B, frames, full=full)
    if layout.go_on is not None:
        assert judge.LEAST_STEP <= layout.go_on <= frames - judge.LEAST_REST
    if layout.split:
        assert frames >= 2 * judge.LEAST_HALF


def test_a_window_is_halved_at_the_quietest_place_of_its_middle_third():
    levels = [0.0, 9, 9, 9, 9, 3, 9, 9, 9, 9, 9, 0.0]
    assert judge.quietest(levels) == 5
    assert judge.quietest([1.0] * 30) == 15


def test_only_a_short_rest_far_below_the_speech_is_hushed():
    speech = [1.0, 0.2, 1.1] * 20
    assert judge.is_hushed([*speech, *[-0.5] * 6], 6)
    assert not judge.is_hushed([*speech, 0.5, *[-0.5] * 5], 6)  # the quiet end of a word
    assert not judge.is_hushed([*speech, *[-0.5] * 12], 12)  # long enough to be worth a look


def test_times_are_those_of_the_recording_across_what_was_cut_out():
    places = Places(((RATE * 10, RATE * 12), (RATE * 100, RATE * 103)))
    assert places.segment(0.5, 1.5) == (10.5, 11.5)
    assert places.segment(2.5, 4.0) == (100.5, 102.0)
    assert places.segment(0.5, 4.0) == (10.5, 102.0)
    assert places.segment(3.0, 99.0) == (101.0, 103.0)


def test_a_time_stamp_just_beside_a_joint_does_not_reach_through_the_silence():
    places = Places(((RATE * 10, RATE * 12), (RATE * 100, RATE * 103)))
    assert places.segment(1.9, 3.0) == (100.0, 101.0)
    assert places.segment(0.5, 2.2) == (10.5, 12.0)
    assert places.segment(1.5, 2.0) == (11.5, 12.0)
    assert places.word(1.9, 2.6) == (100.0, 100.6)
    assert places.word(1.2, 2.1) == (11.2, 12.0)


def test_only_silence_that_was_cut_out_is_a_break():
    places = Places(((0, RATE), (RATE, 2 * RATE), (2 * RATE + 8000, 3 * RATE), (60 * RATE, 61 * RATE)))
    assert not places.bridges(0.1, 2.4)  # half a second is none
    assert places.bridges(0.1, 3.2)
    assert not places.bridges(2.4, 3.4)  # a stamp just beside the joint
    assert [places.section(at, at + 0.1) for at in (0.2, 1.2, 2.2, 2.8)] == [0, 0, 0, 1]


def test_spans_that_touch_are_one():
    places = Places(((0, RATE), (RATE, 2 * RATE)))
    assert places.segment(0.9, 1.1) == (0.9, 1.1)
