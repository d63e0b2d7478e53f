"""Where parts end and begin: neighbours agree on it sample by sample, and each sample is in one part."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from sttd.part import SAMPLE_RATE, ModelSpec, Options, PartSpec, Place
from sttd.sharing import Share
from sttd.worker.span import Span
from sttd.worker.speech.borders import border
from sttd.worker.speech.side_by_side import _Shared
from sttd.worker.speech.windows import Window, lead
from tests import speech

LENGTH = 12.0  # seconds of a part
SHARE = Share(after=0.0, length=LENGTH)


def blocks_of(audio: np.ndarray, first: int, size: int = SAMPLE_RATE):
    """Blocks of a recording, which lie on a grid of their own wherever one begins."""
    for at in range(first // size * size, audio.shape[-1], size):
        skipped = max(0, first - at)
        yield at + skipped, audio[..., at + skipped : at + size]


def order(number: int, parts: int, options: Options, share: Share = SHARE, places: dict[int, Place] | None = None):
    return PartSpec(
        f"1.{number}", 1, "", 0, 0, ModelSpec("demo"), options,
        number=number, parts=parts, share=share, places=places or {},
    )  # fmt: skip


def cut(audio: np.ndarray, spec: PartSpec, size: int = SAMPLE_RATE) -> list[Window]:
    """The windows of one part, from nothing but the stretch that it reads."""
    span = Span(spec, range(1 if audio.ndim == 1 else len(audio)), spec.parts)
    return list(span.windows(blocks_of(audio, span.first, size)))


def spans(windows: list[Window], channel: int = 0) -> list[tuple[int, int]]:
    return [(window.start, window.end) for window in windows if window.channel == channel]


def check_tiles(parts: list[list[Window]], length: int, channel: int = 0, share: Share = SHARE) -> None:
    """Every sample is in one window of one part, and each part begins behind its place."""
    found = [span for part in parts for span in spans(part, channel)]
    assert [start for start, _ in found] == [0, *(end for _, end in found)][: len(found)]
    assert found[-1][1] == length
    for number, part in enumerate(parts):
        own = spans(part, channel)
        if own and number:
            place = round(number * share.length * SAMPLE_RATE)
            assert place < own[0][0] < place + round(share.length * SAMPLE_RATE)


def noise(seconds: float, level: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, level, round(seconds * SAMPLE_RATE)).astype(np.float32)


def talk(seed: int, seconds: float) -> np.ndarray:
    """Words without a pause between them that anybody could rely on."""
    names = speech.names()
    random = np.random.default_rng(seed)
    found = [np.zeros(0, np.float32)]
    while sum(map(len, found)) < seconds * SAMPLE_RATE:
        found.append(speech.sample(names[random.integers(len(names))]))
    return np.concatenate(found)[: round(seconds * SAMPLE_RATE)]


@st.composite
def recordings(draw) -> np.ndarray:
    """Speech, noise, silence and tones by turns, of any length; some with no pause, some with nothing but one."""
    kinds = {
        "speech": lambda seconds, seed: talk(seed, seconds),
        "noise": lambda seconds, seed: noise(seconds, 0.1, seed),
        "silence": lambda seconds, seed: np.zeros(round(seconds * SAMPLE_RATE), np.float32),
        "hum": lambda seconds, seed: np.sin(np.arange(round(seconds * SAMPLE_RATE)) * (0.02 + seed % 7 / 50)) * 0.3,
    }
    pieces = draw(
        st.lists(
            st.tuples(st.sampled_from(sorted(kinds)), st.floats(0.5, 30), st.integers(0, 10**6)), min_size=1, max_size=5
        )
    )
    return np.concatenate([kinds[kind](seconds, seed) for kind, seconds, seed in pieces]).astype(np.float32)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    recordings(),
    st.integers(2, 6),
    st.sampled_from([Options(), Options(vad=False), Options(vad_threshold=0.2, vad_silence=1.0)]),
    st.integers(500, 40_000),
)
def test_the_parts_of_any_recording_tile_it_whatever_its_length_was_said_to_be(audio, parts, options, size):
    """Each part reads its own stretch alone, in blocks of its own size. Those behind the end are empty."""
    found = [cut(audio, order(number, parts, options), size + number) for number in range(parts)]
    check_tiles(found, len(audio))


def talking(seconds: float, seed: int = 1) -> np.ndarray:
    audio = speech.compose(seed=seed, seconds=seconds).audio[: round(seconds * SAMPLE_RATE)]
    return (audio + noise(len(audio) / SAMPLE_RATE, 1e-4, seed)).astype(np.float32)


@pytest.mark.parametrize("vad", [True, False])
def test_a_part_that_goes_on_in_its_middle_is_cut_as_one_that_was_never_disturbed(vad):
    """At any window's end, also where the next border is near or was reached; the own border is not looked for again."""
    audio, options = talking(70), Options(vad=vad)
    share = Share(after=0.0, length=30.0)
    for number in (0, 1):
        whole = cut(audio, order(number, 2, options, share))
        for index, window in enumerate(whole):
            rest = cut(audio, order(number, 2, options, share, {0: Place(window.end)}))
            assert [(w.start, w.end, w.spans) for w in rest] == [(w.start, w.end, w.spans) for w in whole[index + 1 :]]
            assert all(np.array_equal(a.audio, b.audio) for a, b in zip(rest, whole[index + 1 :], strict=True))


def test_each_channel_has_its_own_border_whatever_the_others_are_like():
    audio = np.stack([talking(50, 1), talking(50, 2), np.zeros(50 * SAMPLE_RATE, np.float32)])
    parts = [cut(audio, order(number, 4, Options())) for number in range(4)]
    for channel, alone in enumerate(audio):
        check_tiles(parts, len(alone), channel)
        place = border(1, SHARE, Options())
        assert spans(parts[1], channel)[0][0] == place.find(blocks_of(alone, place.first))
    assert len({spans(parts[1], channel)[0][0] for channel in range(3)}) > 1


def test_channels_go_on_each_at_its_own_place():
    """One has reached the next border, one is in the middle, one has not found its own border yet."""
    audio = np.stack([talking(50, 1), talking(50, 2), talking(50, 3)])
    whole = cut(audio, order(1, 4, Options()))
    places = {0: Place(spans(whole, 0)[-1][1]), 1: Place(spans(whole, 1)[0][1])}
    rest = cut(audio, order(1, 4, Options(), places=places))
    assert [spans(rest, channel) for channel in range(3)] == [[], spans(whole, 1)[1:], spans(whole, 2)]


def test_a_border_depends_on_half_a_minute_behind_its_place_and_the_seconds_before_it_alone():
    audio = talking(120)
    share = Share(after=0.0, length=60.0)
    found = border(1, share, Options())
    place = found.find(blocks_of(audio, found.first))
    assert place is not None
    assert found.place < place <= found.place + 37 * SAMPLE_RATE
    other = audio.copy()
    other[: lead(60 * SAMPLE_RATE)] = noise(56, 0.2, 1)
    other[place + SAMPLE_RATE + 512 :] = 0.3
    assert found.find(blocks_of(other, found.first)) == place


@pytest.mark.ci
def test_what_is_held_back_until_a_border_is_found_is_bounded():
    """Also where nobody speaks, and where nobody stops."""
    for audio in (np.zeros(300 * SAMPLE_RATE, np.float32), talk(3, 300), noise(300, 0.1, 1)):
        share = Share(after=0.0, length=120.0)
        read: list[int] = []
        span = Span(order(0, 2, Options(), share), (0,), 2)
        blocks = ((read.append(at) or at, block) for at, block in blocks_of(audio, span.first))
        found = list(span.windows(blocks))
        assert found[-1].end <= read[-1] <= (120 + 37) * SAMPLE_RATE


def test_a_border_is_in_a_pause_where_there_is_one():
    audio = np.concatenate([np.concatenate((talk(seed, 4), noise(0.8, 1e-4, seed))) for seed in range(30)])
    found = border(1, Share(after=0.0, length=60.0), Options())
    place = found.find(blocks_of(audio, found.first))
    assert place is not None
    around = audio[place - SAMPLE_RATE // 20 : place + SAMPLE_RATE // 20]
    assert np.sqrt(np.mean(around**2)) < np.sqrt(np.mean(audio**2)) / 4


def test_a_part_without_its_border_is_no_part():
    spec = order(1, 2, Options())
    with pytest.raises(ValueError, match="part 1 of a recording that is not shared out"):
        Span(PartSpec("1.1", 1, "", 0, 0, ModelSpec("demo"), Options(), number=1, parts=2), (0,), 2)
    assert Span(spec, (0,), 2).first == lead(round(LENGTH * SAMPLE_RATE))


@pytest.mark.parametrize("seconds", [11.0, 12.0, 12.01, 16.0, 23.9])
def test_a_part_that_begins_behind_the_end_is_empty_and_the_one_before_goes_to_it(seconds):
    audio = talking(30)[: round(seconds * SAMPLE_RATE)]
    parts = [cut(audio, order(number, 5, Options())) for number in range(5)]
    check_tiles(parts, len(audio))
    assert [bool(part) for part in parts[2:]] == [False] * 3
    assert list(itertools.chain(*map(spans, parts)))[-1][1] == len(audio)


def test_borders_are_in_order_where_one_is_followed_by_a_long_silence():
    """The window behind the first place would end behind the second one's, had it no bound."""
    audio = np.concatenate((talk(1, 23), np.zeros(40 * SAMPLE_RATE, np.float32), talk(2, 10)))
    check_tiles([cut(audio, order(number, 6, Options())) for number in range(6)], len(audio))


def test_a_channel_that_is_over_keeps_nothing_of_what_is_read_for_the_others():
    blocks = ((at, np.zeros((2, SAMPLE_RATE), np.float32)) for at in range(0, 60 * SAMPLE_RATE, SAMPLE_RATE))
    shared = _Shared(blocks, [0, 0])
    shared.drop(0)
    assert len(list(shared.of(1))) == 60
    assert list(shared.of(0)) == []
