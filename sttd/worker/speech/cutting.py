"""Where one window ends, decided from speech probabilities alone; pure.

A window is up to 26 s of speech, put together from spans with the silences between them left out. The rules are those of
faster-whisper's batched path (its `get_speech_timestamps` with 160 ms of silence, 400 ms of padding,
then `collect_chunks`), applied frame by frame, so that they need not see the whole recording. A cutter knows nothing from
before its window: that is why a run that was resumed at a window's end cuts as one that was never disturbed.
"""

from __future__ import annotations

from dataclasses import dataclass

from sttd.part import SAMPLE_RATE

FRAME = 512  # samples (32 ms); what Silero v6 hears at once
PAD = round(0.4 * SAMPLE_RATE)  # around speech; half the silence where two spans are nearer than twice this
# samples of silence that end a span by default; faster_whisper/transcribe.py, BatchedInferencePipeline
END_SILENCE = round(0.16 * SAMPLE_RATE)
CUT_SILENCE = round(0.098 * SAMPLE_RATE)  # in which speech may be cut; faster_whisper/vad.py
HYSTERESIS = 0.15  # speech goes on down to this much under the threshold; Silero's default
SEARCH = round(5.0 * SAMPLE_RATE)  # before the end of a window, where the quietest place is looked for


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a window ends at the latest, in samples."""

    # the spans together, padding included. The encoder takes 30 s; windows filled to the brim gave more errors
    # (tests/bench/LOG.md has the error rates at 30, 26 and 20 s)
    speech: int = 26 * SAMPLE_RATE
    source: int = 300 * SAMPLE_RATE  # of the recording, with silence, so that checkpoints come; a span may end later
    silence: int = 60 * SAMPLE_RATE  # without speech


@dataclass(frozen=True, slots=True)
class Cut:
    """Samples from the window's beginning."""

    end: int  # the window's, and the beginning of the next
    spans: tuple[tuple[int, int], ...]  # of speech, padded


class Cutter:
    """One window, from its first frame to its cut."""

    def __init__(
        self, threshold: float, bounds: Bounds, *, everything: bool = False, silence: int = END_SILENCE
    ) -> None:
        """A cutter for one window.

        Args:
            threshold: the probability above which a frame is speech.
            bounds: where the window ends at the latest.
            everything: the whole window is one span. Pauses only decide where it is cut.
            silence: samples without speech that end a span.
        """
        self._everything = everything
        self._silence = silence
        self._threshold = threshold
        self._floor = max(threshold - HYSTERESIS, 0.01)
        self._bounds = bounds
        self._at = 0  # samples seen
        self._spans: list[tuple[int, int]] = []  # finished ones, not padded
        self._run: _Run | None = None  # speech that goes on
        self._room = bounds.speech  # samples of `bounds.speech` that are left for the current or latest span

    def feed(self, probability: float) -> Cut | None:
        """Take the next frame of 512 samples. Returns a cut if the window ends, at or before this frame's end."""
        before, self._at = self._at, self._at + FRAME
        if self._run is not None:
            self._run.feed(probability, before, probability >= self._threshold, probability < self._floor)
        elif probability >= self._threshold or self._everything:
            self._open(before, probability)
        if self._run is None:
            return self._cut_in_silence()
        if self._at - self._padded_start() > self._room:
            return self._cut_before_run() if self._spans else self._cut_run()
        if self._at > self._bounds.source and self._spans:
            return self._cut_before_run()
        if self._run.quiet is not None and self._ends(self._run.quiet):
            self._spans.append((self._run.start, self._run.quiet))
            self._run = None
        return None

    def finish(self, samples: int) -> Cut:
        """The stream ends `samples` after the window's beginning, in the last frame fed."""
        if self._run is not None:
            self._spans.append((self._run.start, samples))
        return self._cut(samples)

    def _ends(self, quiet: int) -> bool:
        """Whether speech that has been quiet since `quiet` is over."""
        return not self._everything and self._at - FRAME - quiet >= self._silence

    def _open(self, start: int, probability: float) -> None:
        self._run = _Run(start, probability)
        if self._spans:
            padded = _pad(self._spans, self._before(start))
            self._room = self._bounds.speech - sum(last - first for first, last in padded)

    def _before(self, start: int) -> int:
        """Where the padding of speech that begins at `start` begins."""
        return max(start - PAD, (self._spans[-1][1] + start + 1) // 2 if self._spans else 0)

    def _padded_start(self) -> int:
        assert self._run is not None
        return self._before(self._run.start)

    def _cut_in_silence(self) -> Cut | None:
        """Cut as if speech began with the next frame, so that neither it nor its padding is lost."""
        bound = self._bounds.source if self._spans else self._bounds.silence
        return self._cut(self._before(self._at)) if self._at > bound else None

    def _cut_before_run(self) -> Cut:
        return self._cut(self._padded_start())

    def _cut_run(self) -> Cut:
        """Speech without end: cut it where it is quiet longest, else at the frame that is least like speech."""
        assert self._run is not None
        earliest = self._at - 2 * SEARCH if self._everything else 0  # an early pause would make a short window
        place = self._run.longest_silence(self._at, earliest) or self._run.quietest(self._at - SEARCH)
        self._spans.append((self._run.start, place))
        return self._cut(place)

    def _cut(self, end: int) -> Cut:
        spans = _pad(self._spans, end)
        if spans:
            rest = self._bounds.speech - sum(last - first for first, last in spans[:-1])
            first, last = spans[-1]
            spans[-1] = (first, min(last, first + rest))  # cuts padding alone: `feed` keeps the speech short enough
        return Cut(end, tuple(spans))


class _Run:
    """Speech that goes on: where it is quiet, and how much like speech each frame is."""

    def __init__(self, start: int, probability: float) -> None:
        self.start = start
        self.quiet: int | None = None  # beginning of the silence that may become its end
        self._silences: list[tuple[int, int]] = []
        self._probabilities = [probability]

    def feed(self, probability: float, start: int, loud: bool, silent: bool) -> None:
        """The next frame, which begins at `start`; between loud and silent it goes on being what it was."""
        self._probabilities.append(probability)
        if silent and self.quiet is None:
            self.quiet = start
        elif loud and self.quiet is not None:
            self._silences.append((self.quiet, start))
            self.quiet = None

    def longest_silence(self, now: int, earliest: int) -> int | None:
        """The middle of the longest silence of 98 ms or more, the last one of equals, as far as it is behind `earliest`."""
        silences = self._silences if self.quiet is None else [*self._silences, (self.quiet, now)]
        late = ((max(start, earliest), end) for start, end in silences)
        length, start = max(((end - start, start) for start, end in late), default=(0, 0))
        return start + length // 2 if length >= CUT_SILENCE else None

    def quietest(self, after: int) -> int:
        """The middle of the frame that is least like speech, the last one of equals, at or behind `after`.

        The newest frame is left out: with it, the speech would be too long.
        """
        first = max(0, (after - self.start) // FRAME)
        frames = range(first, len(self._probabilities) - 1)
        lowest = min(frames, key=lambda index: (self._probabilities[index], -index))
        return self.start + lowest * FRAME + FRAME // 2


def _pad(spans: list[tuple[int, int]], end: int) -> list[tuple[int, int]]:
    """The spans with their padding. They may touch, but do not overlap, and none ends after `end`."""
    padded = []
    for index, (start, stop) in enumerate(spans):
        before = spans[index - 1][1] if index else None
        after = spans[index + 1][0] if index + 1 < len(spans) else None
        first = max(start - PAD, 0 if before is None else (before + start + 1) // 2)
        last = min(stop + PAD, end if after is None else (stop + after + 1) // 2)
        padded.append((first, last))
    return padded
