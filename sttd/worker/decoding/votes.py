"""Decides the one language of a recording from what its first windows sound like; pure.

One window alone may sound like another language: a jingle, a name, two words of greeting. A window that leaves a doubt is
weighed with those after it, before anything is decoded. A decision depends on its window and on later ones, never on those
before: so an attempt that is resumed at any window comes to the same language.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SURE = 0.9  # probability from which on one window is enough; `base` has 0.93 to 1.00 for most speech, in most languages
JURY = 4  # windows with speech that are asked at most
WAIT = 8  # windows, silent ones included, among which they are looked for


@dataclass(frozen=True, slots=True)
class Vote:
    """What one window with sound says."""

    probabilities: Mapping[str, float]  # by language
    speech: float  # probability that somebody speaks at all
    seconds: float


@dataclass(frozen=True, slots=True)
class Decision:
    language: str
    probability: float
    final: bool  # for the whole recording; else a guess for the first window alone, in which nobody seems to speak


def decide(votes: Sequence[Vote | None], *, ended: bool, least_speech: float) -> Decision | None:
    """The language by the votes of consecutive windows, or None: the next window is to be asked first.

    Args:
        votes: None for a silent window; the first one is a vote.
        ended: the recording has no further window.
        least_speech: a vote with a lower probability of speech counts only if all votes are so low.
    """
    heard = [vote for vote in votes if vote is not None]
    sure = _weigh(heard[:1])
    if heard[0].speech >= least_speech and sure[1] >= SURE:
        return Decision(*sure, final=True)
    jurors = [vote for vote in heard if vote.speech >= least_speech]
    enough = len(jurors or heard) >= JURY
    if not (enough or ended or len(votes) >= WAIT):
        return None
    return Decision(*_weigh(jurors or heard), final=bool(jurors))


def _weigh(votes: Sequence[Vote]) -> tuple[str, float]:
    """The likeliest language and its probability: the mean over all seconds, weighted by the probability of speech."""
    shares: defaultdict[str, float] = defaultdict(float)
    for vote in votes:
        for language, probability in vote.probabilities.items():
            shares[language] += probability * vote.seconds * max(vote.speech, 1e-6)
    language = max(shares, key=lambda language: shares[language])
    return language, shares[language] / sum(vote.seconds * max(vote.speech, 1e-6) for vote in votes)
