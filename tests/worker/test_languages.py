"""In which languages a recording is heard: one for all of it, by the votes of several windows; or several, by sections."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, strategies as st

from sttd.part import TOGETHER, Chunk, Chunks, ModelSpec, Options, PartSpec, Place
from sttd.worker import LoadedModel, load, run_part
from sttd.worker.decoding.decoder import Decoder
from sttd.worker.decoding.items import Item, Prepared, prepare
from sttd.worker.decoding.languages import Languages
from sttd.worker.decoding.turns import LEAST, MOST, sections, turns
from sttd.worker.decoding.voice import Spoken
from sttd.worker.decoding.votes import JURY, SURE as ENOUGH, WAIT, Decision, Vote, decide
from sttd.worker.speech.windows import Window
from tests import speech

RATE = speech.RATE
SURE = Options(temperatures=(0.0,))
LEAST_SPEECH = 0.4
OVER = 0.12  # gain at which English over Thai sounds like English to the demo model, and not surely

# What Whisper's `base` said of whole windows of real recordings: a person's Thai that it is unsure of, English, and both in one
THAI = Vote({"th": 0.981, "en": 0.004, "id": 0.002}, 0.973, 6.1)
DOUBTFUL = Vote({"vi": 0.42, "th": 0.38, "km": 0.12}, 0.9, 3.0)
ENGLISH = Vote({"en": 0.996, "pt": 0.001}, 0.912, 23.6)
JINGLE = Vote({"en": 0.95, "nn": 0.02}, 0.3, 20.0)


def decided(*votes: Vote | None, ended: bool = False) -> Decision | None:
    return decide(votes, ended=ended, least_speech=LEAST_SPEECH)


def test_a_window_that_is_sure_decides_alone():
    assert decided(ENGLISH) == Decision("en", 0.996, final=True)


def test_a_doubtful_window_waits_for_the_three_after_it_and_they_are_weighed_together():
    """Thai that sounds like Vietnamese at first is Thai, and the probability is that of all four together."""
    votes = [DOUBTFUL, THAI, None, THAI]
    assert [decided(*votes[:count]) for count in range(1, 5)] == [None] * 4
    decision = decided(*votes, THAI)
    assert (decision.language, decision.final) == ("th", True)
    assert 0.8 < decision.probability < 0.98


def test_what_there_is_must_do_where_the_recording_ends_or_is_silent_for_long():
    assert decided(DOUBTFUL, ended=True) == Decision("vi", pytest.approx(0.42), final=True)
    assert decided(DOUBTFUL, THAI, ended=True).language == "th"
    assert decided(DOUBTFUL, *[None] * (WAIT - 2)) is None
    assert decided(DOUBTFUL, *[None] * (WAIT - 1)).final


def test_a_window_in_which_nobody_seems_to_speak_decides_nothing():
    assert decided(JINGLE) is None
    assert decided(JINGLE, THAI, THAI, THAI) is None
    assert decided(JINGLE, THAI, THAI, THAI, THAI).language == "th"
    assert decided(*[JINGLE] * JURY) == Decision("en", pytest.approx(0.95), final=False)


SILENT = Window(0, 0, RATE, (), np.zeros(0, np.float32))


class Voted(Languages):
    """Languages whose windows have their votes already."""

    def __init__(self, known: tuple[str, float] | None) -> None:
        voices = types.SimpleNamespace(get=lambda language: types.SimpleNamespace(language=language))
        whisper = types.SimpleNamespace(model=types.SimpleNamespace(is_multilingual=True))
        super().__init__(voices, whisper, Options(), {TOGETHER: Place(0, *known)} if known else None)

    def _vote(self, window):
        return window, window.encoded


def heard(votes: Sequence[Vote | None], known: tuple[str, float] | None = None) -> list[tuple[str, float, bool] | None]:
    windows = [Prepared(SILENT, None if vote is None else np.zeros((80, 100)), vote) for vote in votes]
    return [_said(window.spoken) for window in Voted(known).decided(iter(windows))]


def _said(spoken: Spoken | None) -> tuple[str, float, bool] | None:
    return None if spoken is None else (spoken.voice.language, spoken.probability, spoken.final)


def test_silence_and_music_are_passed_on_and_the_language_is_that_of_all_windows_after_them():
    found = heard([None, *[JINGLE] * JURY, DOUBTFUL, THAI, THAI, THAI, ENGLISH])
    assert found[0] is None
    assert found[1] == ("en", pytest.approx(0.95), False)  # four of a kind; behind the next one speech comes into sight
    assert {said[0] for said in found[2:]} == {"th"}
    assert all(said[2] for said in found[2:])


@given(st.lists(st.sampled_from([None, THAI, DOUBTFUL, ENGLISH, JINGLE]), max_size=14))
def test_an_attempt_that_is_resumed_at_any_window_comes_to_the_same_language(votes):
    """The next attempt knows what the checkpoint has: the language of the first chunk for which it was decided."""
    whole = heard(votes)
    for place in range(len(votes)):
        known = next((said[:2] for said in whole[:place] if said is not None and said[2]), None)
        assert heard(votes[place:], known) == whole[place:]


def test_what_is_decided_of_later_windows_changes_nothing_of_a_guess():
    """They are decided in another thread, while this one waits for its turn, or is decoded: no text may hang on that."""
    votes = [*[JINGLE] * JURY, THAI]
    languages = Voted(None)
    first, *_ = languages.decided(iter([Prepared(SILENT, np.zeros((80, 100)), vote) for vote in votes]))
    (item,) = languages.divided([Item(0, 0, first.features, first.spoken.voice, first.spoken.probability)])
    assert (item.voice.language, item.probability) == ("en", pytest.approx(0.95))


def test_sections_are_cut_at_pauses_and_long_ones_at_their_quietest_place():
    loud, pause = [1.0] * 25, [-0.5] * 8
    (first, second) = sections(loud + pause + loud)
    assert 25 < first[1] == second[0] < 33
    long = [1.0] * 100
    long[37] = 0.8
    found = sections(long)
    assert any(35 <= last <= 40 for _, last in found)
    assert sections([]) == [(0, 0)]
    assert sections([1.0] * 12) == [(0, 12)]


@given(st.lists(st.floats(-1.5, 1.5), max_size=300))
def test_sections_tile_the_stretch_and_none_is_long_or_very_short(levels):
    found = sections(levels)
    assert [place for section in found for place in section][1:-1:2] == [first for first, _ in found[1:]]
    assert (found[0][0], found[-1][1]) == (0, len(levels))
    assert all(LEAST <= last - first <= MOST for first, last in found) or len(levels) < LEAST * 2


# Sections of windows of real recordings with what `base` said of each: the probability of Thai against English. The first two
# hold one language alone; in the others a change was made at 0.1 s times the number given
RECORDED = {
    "th": (
        [(34, 1.0), (65, 0.99), (82, 0.93), (107, 0.61), (137, 0.99), (169, 1.0), (188, 0.93), (208, 1.0), (252, 1.0)],
        [],
    ),
    "en": ([(35, 0.0), (58, 0.01), (88, 0.0), (106, 0.0), (149, 0.0), (197, 0.0), (207, 0.0), (239, 0.01)], []),
    "th en": ([(19, 0.88), (43, 0.85), (75, 0.99), (92, 0.97), (126, 0.99), (189, 1.0), (228, 0.0), (246, 0.0)], [196]),
    "en th": ([(10, 0.09), (43, 0.0), (77, 0.0), (100, 0.0), (121, 0.94), (152, 1.0), (187, 1.0), (248, 0.98)], [104]),
    "en th ": (
        [(37, 0.0), (57, 0.0), (75, 0.98), (109, 1.0), (137, 0.99), (158, 0.92), (182, 0.68), (236, 0.92)],
        [62],
    ),
}


@pytest.mark.parametrize("spoken", RECORDED)
def test_a_window_is_divided_where_the_language_changes_and_nowhere_else(spoken):
    said, changes = RECORDED[spoken]
    starts = [0, *[last for last, _ in said]]
    found = turns([((a, b), {"th": p, "en": 1 - p}) for a, (b, p) in zip(starts, said, strict=False)])
    assert [turn.language for turn in found] == spoken.split()
    assert [turn.first for turn in found[1:]] == pytest.approx(changes, abs=8)
    assert all(turn.probability > 0.9 for turn in found)


def test_a_word_of_the_other_language_is_no_turn():
    said = [((0, 30), 0.99), ((30, 40), 0.2), ((40, 80), 0.98)]
    (turn,) = turns([(place, {"th": p, "en": 1 - p}) for place, p in said])
    assert (turn.first, turn.last, turn.language) == (0, 80, "th")


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load(ModelSpec("demo"), lambda *_: None)


def window(model: LoadedModel, index: int, audio: np.ndarray) -> Prepared:
    start = index * 30 * RATE
    return prepare(
        model.whisper,
        Window(index, start, start + 30 * RATE, ((start, start + len(audio)),), audio.astype(np.float32)),
    )


def transcribed(model: LoadedModel, audios: Sequence[np.ndarray], options: Options) -> list[Chunk]:
    decoder = Decoder(model, options)
    return list(decoder.decode(list(decoder.ready(window(model, *each) for each in enumerate(audios)))))


def spoken(language: str, seed: int) -> speech.Recording:
    return speech.compose(seed=seed, seconds=14, language=language)


@pytest.mark.ci
def test_nothing_is_kept_of_what_was_heard_before_the_votes_were_counted(model):
    """A window that sounds like English, and Thai after it: all are Thai, to the word as if that had been configured."""
    thai = [spoken("th", seed).audio for seed in (7, 8, 9, 10)]
    english = spoken("en", 7).audio
    size = min(len(thai[0]), len(english))
    audios = [thai[0][:size] + OVER * english[:size], *thai[1:]]
    alone = transcribed(model, audios[:1], SURE)[0]
    assert alone.language == "en"
    assert 0.5 < alone.spoken_probability < ENOUGH
    together = transcribed(model, audios, SURE)
    configured = transcribed(model, audios, dataclasses.replace(SURE, language="th"))
    assert [chunk.segments for chunk in together] == [chunk.segments for chunk in configured]
    assert {(chunk.spoken, chunk.language) for chunk in together} == {("th", "th")}
    assert len({chunk.spoken_probability for chunk in together}) == 1
    assert together[0].spoken_probability > 0.6


def test_the_only_one_of_languages_is_the_language(model):
    english = spoken("en", 7).audio
    chunk = transcribed(model, [english], dataclasses.replace(SURE, languages=("th",)))[0]
    assert (chunk.spoken, chunk.spoken_probability) == ("th", 1.0)


def test_two_languages_in_one_window_are_each_heard_as_what_they_are(model):
    """Each segment has its language, the chunk that of most of the time; either part is heard as if it came alone."""
    first, second = spoken("th", 8), spoken("en", 8)
    half = np.concatenate([first.audio, np.zeros(RATE, np.float32), second.audio[: 9 * RATE]])
    both = dataclasses.replace(SURE, languages=("th", "en"))
    chunk = transcribed(model, [half], both)[0]
    by_language = {
        language: " ".join(part.text for part in chunk.segments if part.language == language)
        for language in ("th", "en")
    }
    said = [word for phrase in second.phrases if phrase.end < 9 for word in phrase.words]
    assert speech.error_rate(first.said(), by_language["th"], "th") < 0.5
    assert speech.error_rate(said, by_language["en"], "en") < 0.5
    assert chunk.language == "th"
    assert chunk.spoken == ""
    assert [part.start for part in chunk.segments] == sorted(part.start for part in chunk.segments)


@pytest.mark.ci
@pytest.mark.parametrize("language", ["th", "en"])
def test_the_key_changes_nothing_where_one_language_is_spoken(model, language):
    """To the word as if that language had been configured. What is asked for the vote is not encoded a second time."""
    # others end with a second that the demo model takes for the other language, on some processors
    audios = [spoken(language, seed).audio for seed in (7, 10, 11)]
    passes = []
    counted = types.SimpleNamespace(
        **{
            name: getattr(model.whisper, name)
            for name in ("model", "feature_extractor", "hf_tokenizer", "time_precision")
        },
        encode=lambda batch: passes.append(len(batch)) or model.whisper.encode(batch),
    )
    counting = LoadedModel(counted, model.loaded, 0.0)
    fixed = transcribed(counting, audios, dataclasses.replace(SURE, language=language))
    needed = sum(passes)
    asked = transcribed(counting, audios, dataclasses.replace(SURE, languages=("th", "en")))
    assert [chunk.segments for chunk in asked] == [chunk.segments for chunk in fixed]
    passes.clear()
    decided = transcribed(counting, audios, SURE)
    assert sum(passes) == needed
    assert [chunk.segments for chunk in decided] == [chunk.segments for chunk in fixed]


@pytest.mark.ci
def test_each_channel_has_its_own_language_and_waits_for_nobody(model):
    """English on one side and Thai on the other, of which the first window leaves a doubt: each as if it were alone."""
    thai, english = [spoken("th", seed).audio for seed in (7, 8)], [spoken("en", seed).audio for seed in (7, 8)]
    size = min(len(thai[0]), len(english[0]))
    thai[0] = thai[0][:size] + OVER * english[0][:size]
    windows = {
        1: [window(model, *each) for each in enumerate(thai)],
        2: [window(model, *each) for each in enumerate(english)],
    }
    order = [
        dataclasses.replace(prepared, window=dataclasses.replace(prepared.window, channel=channel))
        for pair in zip(*windows.values(), strict=True)
        for channel, prepared in enumerate(pair, 1)
    ]
    decoder = Decoder(model, SURE)
    ready = list(decoder.ready(order))
    assert [(each.window.channel, each.window.index) for each in ready] == [(2, 0), (2, 1), (1, 0), (1, 1)]
    chunks = decoder.decode(ready)
    for channel, audios in ((1, thai), (2, english)):
        mine = [chunk for chunk in chunks if chunk.channel == channel]
        alone = transcribed(model, audios, SURE)
        assert [chunk.spoken for chunk in mine] == [chunk.spoken for chunk in alone]
        assert [[(each.text, each.start) for each in chunk.segments] for chunk in mine] == [
            [(each.text, each.start) for each in chunk.segments] for chunk in alone
        ]
        assert {each.channel for chunk in mine for each in chunk.segments} == {channel}
    assert [chunk.spoken for chunk in chunks] == ["en", "en", "th", "th"]
    resumed = Decoder(model, SURE, {1: Place(0, "th", 0.9), 2: Place(0, "en", 0.9)})
    assert [(each.window.channel, each.spoken.voice.language) for each in resumed.ready(order)] == [
        (1, "th"), (2, "en"), (1, "th"), (2, "en"),
    ]  # fmt: skip


@pytest.mark.ci
def test_a_resumed_attempt_writes_what_an_undisturbed_one_writes(model, tmp_path):
    """From each chunk on, with what the checkpoint holds by then."""
    quiet = np.random.default_rng(0).normal(0, 1e-4, 70 * RATE).astype(np.float32)
    pieces = [quiet, spoken("th", 7).audio, quiet[: 5 * RATE], spoken("en", 8).audio, spoken("th", 9).audio]
    path = speech.encode(tmp_path / "talk.flac", np.concatenate(pieces))
    seen = path.stat()
    order = PartSpec("1.0", 1, str(path), seen.st_size, seen.st_mtime_ns, model.loaded.spec, SURE)
    whole = [chunk for event in run_part(order, model) if isinstance(event, Chunks) for chunk in event.chunks]
    assert len(whole) >= 3
    for place in range(1, len(whole)):
        told = next((chunk for chunk in whole[:place] if chunk.spoken), None)
        resumed = dataclasses.replace(
            order,
            places={0: Place(whole[place].start, told and told.spoken, told and told.spoken_probability)},
            next_index=place,
        )
        again = [chunk for event in run_part(resumed, model) if isinstance(event, Chunks) for chunk in event.chunks]
        assert again == whole[place:]
