"""Windows of any stream: whatever the probabilities, whatever the blocks, wherever the run is resumed."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, strategies as st

from sttd.part import SAMPLE_RATE
from sttd.worker.speech.cutting import END_SILENCE, FRAME, PAD, Bounds, Cut, Cutter
from sttd.worker.speech.windows import lead, windows
from tests.properties import words

MODEL_WINDOW = 30 * SAMPLE_RATE  # what Whisper takes
SMALL = Bounds(speech=20 * FRAME + 2 * PAD, source=120 * FRAME, silence=30 * FRAME)
probabilities = st.floats(0, 1) | st.sampled_from([0.0, 0.34, 0.35, 0.36, 0.49, 0.5, 0.51, 1.0])
thresholds = st.sampled_from([0.01, 0.1, 0.3, 0.5, 0.9, 0.99]) | st.floats(0.001, 0.999)
runs = st.lists(st.tuples(probabilities, st.integers(1, 40)), min_size=1, max_size=30)


class Memory:
    """A detector that hears a frame with all it has heard before: what leaks over a cut changes the cuts behind it."""

    def reset(self):
        self.heard = 0.0

    def probabilities(self, frames):
        found = []
        for frame in frames:
            self.heard = 0.7 * self.heard + 0.3 * float(frame[0])
            found.append(min(1.0, max(0.0, self.heard)))
        return np.array(found, np.float32)


def cut_all(stream: list[float], threshold: float, bounds: Bounds, extra: int) -> list[tuple[int, Cut]]:
    """Each window's first sample, and its cut, of frames of these probabilities; the last one lacks `extra` samples."""
    samples, start, found = len(stream) * FRAME - extra, 0, []
    while start < samples:
        cutter, cut = Cutter(threshold, bounds), None
        # a window need not start with a frame of the stream: its own frames lie across two of them
        for at in range(start, samples, FRAME):
            cut = cutter.feed(stream[min(at // FRAME, len(stream) - 1)])
            if cut is not None:
                break
        cut = cut or cutter.finish(samples - start)
        found.append((start, cut))
        start += cut.end
    assert start == samples, "a window ends behind the stream"
    return found


def check(found: list[tuple[int, Cut]], most: int) -> None:
    for _, cut in found:
        assert cut.end > 0, "a window without samples would come again for ever"
        places = [0, *itertools.chain.from_iterable(cut.spans), cut.end]
        assert places == sorted(places), "spans overlap, or lie outside of their window"
        assert sum(last - first for first, last in cut.spans) <= most <= MODEL_WINDOW


@given(runs, thresholds, st.integers(0, FRAME - 1))
def test_any_probabilities_give_windows_that_tile_the_stream_and_fit_the_model(runs, threshold, extra):
    """Every sample in exactly one window, no window with more speech than its bound, all speech in a span."""
    stream = [probability for probability, frames in runs for _ in range(frames)]
    found = cut_all(stream, threshold, SMALL, extra)
    check(found, SMALL.speech)
    for start, cut in found:
        inside = [(start + first, start + last) for first, last in cut.spans]
        # the frames as the window heard them, whole ones alone
        for at in range(start, start + cut.end - FRAME + 1, FRAME):
            if stream[min(at // FRAME, len(stream) - 1)] >= threshold:
                assert any(first <= at and at + FRAME <= last for first, last in inside), "speech is left out"


@words.percent(20)
@given(st.lists(st.tuples(probabilities, st.integers(1, 4000)), min_size=1, max_size=8), thresholds)
def test_windows_as_long_as_real_ones_hold_no_more_than_the_model_takes(runs, threshold):
    """With the bounds that are used: never over 30 s of audio for the model."""
    bounds = Bounds()
    found = cut_all([p for p, frames in runs for _ in range(frames)], threshold, bounds, 0)
    check(found, bounds.speech)
    assert all(cut.end <= bounds.source + bounds.speech + PAD + END_SILENCE for _, cut in found)


blocks_of = st.lists(st.integers(1, 9_000), min_size=1, max_size=12).map(lambda sizes: [*sizes, 4_000])


@words.percent(40)
@given(runs, thresholds, st.integers(0, FRAME - 1), blocks_of, blocks_of, st.floats(0, 1))
def test_neither_the_blocks_nor_a_resume_at_any_cut_change_a_window(runs, threshold, extra, sizes, others, place):
    """The decoder may hand the samples out in any pieces, and a run may begin anew at the end of any window."""
    audio = np.repeat(np.array([p for p, n in runs for _ in range(n)], np.float32), FRAME)
    audio = (audio + np.linspace(0, 0.01, len(audio), dtype=np.float32))[: len(audio) - extra]

    def cut(start: int, index: int, sizes: list[int]) -> list[tuple[int, int, int, tuple, bytes]]:
        def blocks():
            at = lead(start)
            for size in itertools.cycle(sizes):
                if at >= len(audio):
                    return
                yield at, audio[at : at + size]
                at += size

        found = windows(blocks(), start, index, threshold, detector=Memory(), bounds=SMALL)
        return [(each.index, each.start, each.end, each.spans, each.audio.tobytes()) for each in found]

    whole = cut(0, 0, sizes)
    assert [start for _, start, *_ in whole] == [0, *(end for _, _, end, *_ in whole[:-1])]
    assert whole[-1][2] == len(audio)
    number = round(place * (len(whole) - 1))
    assert cut(whole[number][1], number, others) == whole[number:]
