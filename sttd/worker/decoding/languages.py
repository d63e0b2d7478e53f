"""Which language each window is decoded in: configured, known, decided for the whole recording, or asked section by section."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import ctranslate2
import numpy as np

from sttd.part import Cause, Options, Place
from sttd.worker.decoding.items import Item, Prepared, outputs
from sttd.worker.decoding.judge import FRAMES_PER_SECOND, FRAMES_PER_TIMESTAMP, LEVEL
from sttd.worker.decoding.turns import Turn, sections, turns
from sttd.worker.decoding.voice import Spoken, Voices
from sttd.worker.decoding.votes import Decision, Vote, decide
from sttd.worker.errors import PartFailed

# for a fallback model, which lacks the language: the configuration is right, and other recordings are not affected
BEGUN = "an earlier attempt began the recording in it, with a model that does; it goes on when that can be loaded again"


@dataclass
class _Held:
    """Windows of one channel whose language is not decided yet, and what each says of it."""

    windows: list[Prepared] = field(default_factory=list)
    votes: list[Vote | None] = field(default_factory=list)


class Languages:
    """The languages of one part.

    One language where it is configured, known from an earlier attempt, or the only one of `options.languages`. With several of
    these, the model is asked section by section. Else one is decided for each channel, by its first windows with speech: the two
    sides of a call may speak two languages.

    Both ways use the encoder's output of the whole window, and the text is decoded from that output afterwards.

    Raises:
        PartFailed: the model does not know a language that is asked for.
    """

    def __init__(
        self, voices: Voices, whisper: Any, options: Options, known: Mapping[int, Place] | None = None
    ) -> None:
        self._voices = voices
        self._whisper = whisper
        self._least_speech = 1 - options.no_speech
        self._among = () if options.language else tuple(dict.fromkeys(options.languages))
        self._fixed: Spoken | None = None  # of all channels
        self._decided: dict[int, Spoken] = {}  # by channel
        self.remark = ""  # what a person should know about the languages that were asked for
        if not whisper.model.is_multilingual:
            self._fixed = self._spoken("en")
            begun = {place.language for place in (known or {}).values()} - {None, "en"}
            if begun and not options.language and not self._among:
                raise _unknown(begun.pop(), BEGUN)  # else the rest of the recording would turn English for no reason
            if {options.language, *self._among} - {"", "en"}:
                self.remark = "the model knows English alone; transcribe.language and transcribe.languages are ignored"
        elif options.language:
            self._fixed = self._spoken(options.language)
        elif len(self._among) == 1:
            self._fixed = self._spoken(self._among[0])
        elif not self._among:
            self._decided = self._remembered(known or {})
        for language in self._among if self._fixed is None else ():
            self._spoken(language)

    def _remembered(self, places: Mapping[int, Place]) -> dict[int, Spoken]:
        return {
            channel: self._spoken(place.language, _sure(place), remedy=BEGUN)
            for channel, place in places.items()
            if place.language is not None
        }

    @property
    def are_fixed(self) -> bool:
        """Whether no language is decided for a whole channel by its first windows."""
        return self._fixed is not None or bool(self._among)

    def of(self, channel: int) -> Spoken | None:
        """The language of a channel, where it has one and that is known."""
        return self._fixed or self._decided.get(channel)

    def decided(self, windows: Iterable[Prepared]) -> Iterator[Prepared]:
        """The windows with the language of their channel, if it has one; they are held back until it is decided.

        Those of other channels go on meanwhile. A window in which the model looked for the language brings its encoder's output
        along.
        """
        waiting: dict[int, _Held] = {}
        for window in windows:
            channel = window.window.channel
            held = waiting.setdefault(channel, _Held())
            spoken = self.of(channel)
            if spoken is None and not self._among and (held.windows or window.features is not None):
                asked, vote = self._vote(window)
                held.windows.append(asked)
                held.votes.append(vote)
                yield from self._release(channel, held, ended=False)
            else:
                yield replace(window, spoken=spoken)
        for channel, held in waiting.items():
            yield from self._release(channel, held, ended=True)

    def _release(self, channel: int, held: _Held, *, ended: bool) -> Iterator[Prepared]:
        """Release the windows of `held` whose language is known by now."""
        while held.windows:
            if held.votes[0] is None:  # a silent one behind a guess
                decision, count = None, 1
            else:
                decision = decide(held.votes, ended=ended, least_speech=self._least_speech)
                if decision is None:
                    return
                count = len(held.windows) if decision.final else 1
            spoken = self._of(channel, decision)
            yield from (replace(window, spoken=spoken) for window in held.windows[:count])
            del held.windows[:count], held.votes[:count]

    def _of(self, channel: int, decision: Decision | None) -> Spoken | None:
        if decision is None:
            return None
        spoken = self._spoken(decision.language, decision.probability, final=decision.final)
        if decision.final:
            self._decided[channel] = spoken
        return spoken

    def _vote(self, window: Prepared) -> tuple[Prepared, Vote | None]:
        if window.features is None:
            return window, None
        item = Item(0, 0, window.features)
        self._encode([item])
        seconds = item.frames / FRAMES_PER_SECOND
        vote = Vote(self._probabilities(item.encoded), 1 - self._silence(item.encoded), seconds)
        return replace(window, encoded=item.encoded), vote

    def divided(self, items: Sequence[Item]) -> list[Item]:
        """The items with their voices. Those without one are divided where another language begins.

        A window keeps what was `decided` for it, even if another thread decides on later windows meanwhile.
        """
        fixed = self._fixed
        for item in items:
            if item.voice is None and fixed is not None:
                item.voice, item.probability = fixed.voice, fixed.probability
        self._encode([item for item in items if item.voice is None])
        return [turn for item in items for turn in ([item] if item.voice is not None else self._divide(item))]

    def _divide(self, item: Item) -> list[Item]:
        """The item with its voice; or its turns, each with its own."""
        found = self._turns(item)
        cuts: dict[tuple[int, int], Item] = {}
        if len(found) > 1:
            # a section's encoder output is coloured by its neighbours: a turn must sound like its language when encoded alone
            cuts = {(turn.first, turn.last): _cut(item, turn) for turn in found}
            self._encode(list(cuts.values()))
            found = turns([(place, self._allowed(cut.encoded)) for place, cut in cuts.items()])
        if len(found) == 1:
            return [self._voiced(item, found[0])]
        return [self._voiced(cuts.get((turn.first, turn.last)) or _cut(item, turn), turn) for turn in found]

    def _turns(self, item: Item) -> list[Turn]:
        """The turns, by each section's language in the encoder's output of the whole window."""
        places = sections(item.levels())
        if len(places) == 1:
            return turns([(places[0], self._allowed(item.encoded))])
        return turns([(place, self._allowed(item.encoded[:, slice(*_positions(*place))])) for place in places])

    def _voiced(self, item: Item, turn: Turn) -> Item:
        item.voice, item.probability = self._spoken(turn.language).voice, turn.probability
        return item

    def _encode(self, items: Sequence[Item]) -> None:
        for item, output in zip(items, outputs(self._whisper, items), strict=True):
            item.encoded = output

    def _allowed(self, encoded: Any) -> dict[str, float]:
        """The probabilities among `languages` alone, where these are given."""
        found = self._probabilities(encoded)
        among = self._among or tuple(found)
        total = sum(found[language] for language in among)
        return {language: found[language] / total if total > 0 else 1 / len(among) for language in among}

    def _probabilities(self, encoded: Any) -> dict[str, float]:
        """By language; `encoded` may be any stretch of the encoder's output."""
        (ranked,) = self._whisper.model.detect_language(_view(encoded))
        return {token[2:-2]: float(probability) for token, probability in ranked}

    def _silence(self, encoded: Any) -> float:
        """The probability that nobody speaks."""
        (result,) = self._whisper.model.generate(
            _view(encoded), [[self._voices.start]], max_length=2, beam_size=1, return_no_speech_prob=True
        )
        return float(result.no_speech_prob)

    def _spoken(self, language: str, probability: float = 1.0, *, final: bool = True, remedy: str = "") -> Spoken:
        try:
            return Spoken(self._voices.get(language), probability, final)
        except ValueError:
            key = "transcribe.languages" if self._among else "transcribe.language"
            raise _unknown(language, remedy or f"set {key}, or model.name to one that does") from None


def _unknown(language: str | None, remedy: str) -> PartFailed:
    return PartFailed(Cause.CONFIGURATION, f"the model does not know the language {language!r}: {remedy}")


def _sure(place: Place) -> float:
    return 1.0 if place.language_probability is None else place.language_probability


def _cut(item: Item, turn: Turn) -> Item:
    first, last = turn.first * LEVEL, turn.last * LEVEL
    return item.cut(first, None if item.frames - last < LEVEL else last)


def _positions(*levels: int) -> Iterator[int]:
    """The levels' positions in the encoder's output."""
    return (level * LEVEL // FRAMES_PER_TIMESTAMP for level in levels)


def _view(encoded: Any) -> Any:
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(encoded))
