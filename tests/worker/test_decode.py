"""Windows through the real demo model: as right as window by window, nothing missing at the end, no state between them."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import types
from collections.abc import Sequence

import numpy as np
import pytest
from faster_whisper import BatchedInferencePipeline

from sttd.part import TOGETHER, Cause, Chunk, CueRoom, ModelSpec, Options, Place
from sttd.worker import LoadedModel, PartFailed, load
from sttd.worker.decoding.decoder import Decoder
from sttd.worker.decoding.items import Item, encode, prepare, stack
from sttd.worker.decoding.languages import Languages
from sttd.worker.decoding.voice import Voices, max_length
from sttd.worker.speech.windows import Window
from tests import speech

RATE = speech.RATE
SURE = Options(temperatures=(0.0,))  # no random numbers
QUICK = Options(temperatures=(0.0,), beam_size=1)


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load(ModelSpec("demo"), lambda *_: None)


def decode(
    model: LoadedModel, audios: Sequence[np.ndarray], options: Options = SURE, known: Place | None = None
) -> tuple[Chunk, ...]:
    """The chunks of windows that follow each other, each one span of 30 s."""
    decoder = Decoder(model, options, {TOGETHER: known} if known else None)
    windows, size = [], options.batch_size
    for index, audio in enumerate(audios):
        start = index * 30 * RATE
        spans = ((start, start + len(audio)),) if len(audio) else ()
        window = Window(index, start, start + 30 * RATE, spans, audio.astype(np.float32))
        windows.append(prepare(model.whisper, window))
    batch = list(decoder.ready(windows))
    return tuple(chunk for at in range(0, len(batch), size) for chunk in decoder.decode(batch[at : at + size]))


def text(chunk: Chunk) -> str:
    return " ".join(segment.text for segment in chunk.segments)


def recordings(language: str, count: int) -> list[speech.Recording]:
    """Such as the demo model hears well: how it mishears others hangs on last digits that each machine has its own of."""
    return [speech.compose(seed=seed, seconds=14, language=language) for seed in range(7, 7 + count)]


def dense(seed: int, gap: float) -> tuple[np.ndarray, list[str]]:
    """29 s of Thai without a pause (or `gap` seconds between phrases), and its words: more than 224 tokens."""
    draw, audio, said = random.Random(seed), [np.zeros(RATE // 5, np.float32)], []
    while True:
        name = draw.choice(speech.names("th"))
        sound = speech.sample(name)[slice(*speech._sound(name))]
        if sum(map(len, audio)) + len(sound) + gap * RATE > 29.5 * RATE:
            noise = np.random.default_rng(seed).normal(0, 1e-4, sum(map(len, audio)))
            return np.concatenate(audio) + noise.astype(np.float32), said
        audio += [sound, np.zeros(round(gap * RATE), np.float32)]
        said += speech.words(name)


def plain_batched(model: LoadedModel, audio: np.ndarray, **options) -> str:
    whole = [{"start": 0, "end": len(audio) / RATE}]
    segments, _ = BatchedInferencePipeline(model.whisper).transcribe(
        audio, language="th", vad_filter=False, clip_timestamps=whole, without_timestamps=False, **options
    )
    return "".join(segment.text for segment in segments)


@pytest.mark.ci
@pytest.mark.parametrize("language", ["en", "th"])
def test_a_batch_is_no_more_wrong_than_window_by_window(model, language):
    recorded = recordings(language, 3)
    heard = [text(chunk) for chunk in decode(model, [recording.audio for recording in recorded])]
    alone = []
    for recording in recorded:
        segments, _ = model.whisper.transcribe(
            recording.audio, condition_on_previous_text=False, language=language, temperature=0.0
        )
        alone.append(" ".join(segment.text for segment in segments))
    said = [word for recording in recorded for word in recording.said()]
    ours, theirs = (speech.error_rate(said, " ".join(texts), language) for texts in (heard, alone))
    assert ours <= theirs + 0.03
    assert ours < 0.3  # what the demo model mishears varies with the processor


@pytest.mark.parametrize(
    ("limit", "gap", "gained"), [(100, 0.25, 0.5), pytest.param(0, 0.0, 0.05, marks=pytest.mark.slow)]
)
def test_the_last_words_of_dense_thai_are_there_where_the_batched_path_loses_them(model, limit, gap, gained):
    """Windows reach the token limit: one of 100, which loses the other path half of each, or (0) the model's own."""
    windows = [dense(seed, gap) for seed in range(2)]
    limits = {"beam_size": 1, "max_new_tokens": limit}
    options = Options(temperatures=(0.0,), language="th", **limits)
    ours = [text(chunk).replace(" ", "") for chunk in decode(model, [audio for audio, _ in windows], options)]
    theirs = [plain_batched(model, audio, **limits | {"max_new_tokens": limit or None}) for audio, _ in windows]
    ends = zip(ours, (said[-2:] for _, said in windows), strict=True)
    assert sum(word in heard[-40:] for heard, words in ends for word in words) >= 3  # of 4
    said = [word for _, words in windows for word in words]
    assert speech.error_rate(said, ours, "th") < speech.error_rate(said, theirs, "th") - gained


def test_a_token_limit_loses_nothing_and_is_kept(model, monkeypatch):
    recording = recordings("en", 1)[0]
    lengths = []
    generate = Decoder(model, SURE)._generator._whisper.model.generate

    class Spy:
        def __getattr__(self, name):
            return getattr(model.whisper.model, name)

        def generate(self, *args, **kwargs):
            results = generate(*args, **kwargs)
            lengths.extend(len(result.sequences_ids[0]) for result in results)
            return results

    class Whisper:
        model = Spy()

        def __getattr__(self, name):
            return getattr(model.whisper, name)

    limited = LoadedModel(Whisper(), model.loaded, 0.0)
    chunk = decode(limited, [recording.audio], Options(temperatures=(0.0,), max_new_tokens=20))[0]
    assert max(lengths) == 20
    assert speech.error_rate(recording.said()[-3:], text(chunk).split()[-3:]) < 0.5
    assert abs(len(text(chunk).split()) - len(recording.said())) < 0.4 * len(recording.said())


def test_silence_is_an_empty_window_of_no_language(model):
    noise = np.random.default_rng(0).normal(0, 1e-3, 10 * RATE)
    for chunk in decode(model, [np.zeros(0), np.zeros(5 * RATE), noise, np.zeros(100)]):
        assert chunk.segments == ()
        assert (chunk.language, chunk.language_probability) == ("und", 0.0)


def test_the_language_is_that_of_the_first_speech_where_it_is_sure_and_stays(model):
    english, thai = recordings("en", 1)[0].audio, recordings("th", 1)[0].audio
    chunks = decode(model, [np.zeros(0), thai, english], QUICK)
    assert [chunk.language for chunk in chunks] == ["und", "th", "th"]
    assert chunks[1].language_probability > 0.9
    assert {segment.language for chunk in chunks for segment in chunk.segments} == {"th"}
    chunks = decode(model, [np.zeros(5 * RATE), thai, thai, english], QUICK)  # it asks for the votes of all four
    assert [chunk.language for chunk in chunks] == ["und", "th", "th", "th"]


@pytest.mark.ci
def test_a_known_language_is_not_detected_again(model):
    thai = recordings("th", 1)[0].audio
    chunk = decode(model, [thai], known=Place(0, "en", 0.7))[0]
    assert (chunk.language, chunk.language_probability) == ("en", 0.7)
    configured = decode(model, [thai], Options(temperatures=(0.0,), language="en"), Place(0, "th", 0.7))[0]
    assert (configured.language, configured.language_probability) == ("en", 1.0)


def test_languages_are_told_apart_window_by_window_among_those_allowed(model):
    english, thai = recordings("en", 1)[0], recordings("th", 1)[0]
    options = Options(temperatures=(0.0,), languages=("th", "en"))
    chunks = decode(model, [english.audio, thai.audio, english.audio], options, Place(0, "th", 1.0))
    assert [chunk.language for chunk in chunks] == ["en", "th", "en"]
    assert text(chunks[0]) == text(chunks[2])
    assert (
        speech.error_rate(thai.said(), text(chunks[1]), "th") < 0.7
    )  # what the demo model mishears varies with the processor
    only = decode(model, [english.audio], Options(temperatures=(0.0,), languages=("th", "fr")))[0]
    assert only.language in ("th", "fr")


def test_a_translation_is_english_and_does_not_take_its_own_language_for_the_spoken_one(model):
    options = Options(temperatures=(0.0,), beam_size=1, task="translate")
    thai = recordings("th", 1)[0].audio
    first = decode(model, [thai], options)[0]
    assert first == decode(model, [thai], options, Place(0, first.spoken, first.spoken_probability))[0]
    assert (first.language, first.language_probability, first.spoken) == ("en", 1.0, "th")
    assert {segment.language for segment in first.segments} == {"en"}
    assert first.language_probability == 1.0  # of English, not that of Thai


@pytest.mark.parametrize("options", [Options(language="xx"), Options(languages=("th", "xx")), Options(language="yue")])
def test_a_language_that_the_model_does_not_know_is_the_configurations_fault(model, options):
    key = "transcribe.languages" if options.languages else "transcribe.language"
    with pytest.raises(PartFailed, match=f"does not know the language .*: set {key},") as caught:
        Decoder(model, options)
    assert caught.value.cause is Cause.CONFIGURATION


@pytest.mark.parametrize("is_multilingual", [True, False])
def test_a_recording_is_not_gone_on_with_in_another_language_than_it_was_begun_in(model, is_multilingual):
    """A fallback may know English alone, or not the newest of Whisper's languages."""
    inner = types.SimpleNamespace(is_multilingual=is_multilingual)
    whisper = types.SimpleNamespace(hf_tokenizer=model.whisper.hf_tokenizer, model=inner)
    voices = Voices(LoadedModel(whisper, model.loaded, 0.0), Options())
    with pytest.raises(PartFailed, match="'yue': an earlier attempt began the recording in it") as caught:
        Languages(voices, whisper, Options(), {TOGETHER: Place(0, "yue", 0.9)})
    assert caught.value.cause is Cause.CONFIGURATION


def test_an_english_only_model_hears_english_and_says_so(model):
    whisper = types.SimpleNamespace(
        hf_tokenizer=model.whisper.hf_tokenizer, model=types.SimpleNamespace(is_multilingual=False)
    )
    voices = Voices(LoadedModel(whisper, model.loaded, 0.0), Options(language="th"))
    languages = Languages(voices, whisper, Options(language="th"))
    (item,) = languages.divided([Item(0, 0, np.zeros((80, 100), np.float32))])
    assert (item.voice.language, item.probability) == ("en", 1.0)
    assert item.voice.prompt == [item.voice.tokenizer.sot]
    assert "English alone" in languages.remark
    assert not Languages(voices, whisper, Options(language="en")).remark


def test_only_a_bad_window_is_decoded_again_and_alone(model):
    audios = [recording.audio for recording in recordings("en", 3)]
    sure = [chunk.segments[0].avg_logprob for chunk in decode(model, audios, QUICK)]
    between = min(sure) + 1e-4  # above the worst, below the others
    chunks = decode(model, audios, Options(temperatures=(0.0, 0.01), beam_size=1, log_prob=between))
    heated = [index for index, chunk in enumerate(chunks) if any(part.temperature > 0 for part in chunk.segments)]
    assert heated in ([], [sure.index(min(sure))])  # [] where even so the first result was the better one
    loops = decode(model, audios[:1], Options(temperatures=(0.0, 0.01), beam_size=1, compression_ratio=0.01))
    assert {segment.temperature for segment in loops[0].segments} <= {0.0, 0.01}
    assert text(loops[0])


@pytest.mark.parametrize("languages", [("en",), pytest.param(("en", "th"), marks=pytest.mark.ci)])
def test_words_have_times_and_nothing_leaks_between_windows_or_jobs(model, languages):
    audios = [recording.audio for language in languages for recording in recordings(language, 2)]
    options = Options(temperatures=(0.0,), beam_size=1, word_timestamps=True, languages=languages)
    together, again = decode(model, audios, options), decode(model, audios, options)
    alone = decode(model, audios, Options(**{**_fields(options), "batch_size": 1}))
    assert together == again
    for chunk, other in zip(together, alone, strict=True):
        ours, theirs = ([word for part in c.segments for word in part.words] for c in (chunk, other))
        assert [word.word for word in ours] == [word.word for word in theirs]
        assert [word.start for word in ours] == pytest.approx([word.start for word in theirs], abs=0.05)
        for segment in chunk.segments:
            assert "".join(word.word for word in segment.words).split() == segment.text.split()
            times = [time for word in segment.words for time in (word.start, word.end)]
            assert times == sorted(times)
            assert (segment.start, segment.end) == (times[0], times[-1])
            assert chunk.start <= segment.start * RATE < segment.end * RATE <= chunk.end
    assert [part.text for chunk in together for part in chunk.segments] == [
        part.text
        for chunk in decode(model, audios, Options(**{**_fields(options), "word_timestamps": False}))
        for part in chunk.segments
    ]


def _fields(options: Options) -> dict:
    return {name: getattr(options, name) for name in Options.__dataclass_fields__}


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("pad", [0.0, 0.4])
def test_no_segment_reaches_through_the_silence_that_was_cut_out(model, words, pad):
    """Two phrases, a minute of silence between them; without padding the model takes them for one."""
    names, starts = ("clip00", "clip01"), (10, 90)
    quiet = np.zeros(round(pad * RATE), np.float32)
    sounds = [np.concatenate([quiet, speech.sample(name), quiet]) for name in names]
    spans = tuple((start * RATE, start * RATE + len(sound)) for start, sound in zip(starts, sounds, strict=True))
    decoder = Decoder(model, Options(temperatures=(0.0,), word_timestamps=words))
    chunk = decoder.decode([prepare(model.whisper, Window(0, 0, 100 * RATE, spans, np.concatenate(sounds)))])[0]
    for name, start in zip(names, starts, strict=True):
        first, last = (start + pad + sample / RATE for sample in speech._sound(name))
        inside = [part for part in chunk.segments if start - 0.5 <= part.start <= part.end <= start + 10]
        assert speech.error_rate(speech.words(name), " ".join(part.text for part in inside)) < 0.3
        assert inside[0].start == pytest.approx(first, abs=0.5)
        assert inside[-1].end == pytest.approx(last, abs=0.5)
        assert all(bool(part.words) == words for part in inside)


@pytest.mark.parametrize(
    ("room", "words"),
    [(CueRoom(2, 0, 7.0), False), (CueRoom(1, 8, 7.0), True), (CueRoom(2, 0, 1.0), True), (None, False)],
)
def test_a_segment_that_is_too_much_for_a_subtitle_has_the_times_of_its_words(model, room, words):
    """And no other has them: they cost time. Too much is too wide, or too long."""
    (chunk,) = decode(model, [speech.sample("english")], Options(temperatures=(0.0,), cue=room))
    assert all(bool(part.words) == words for part in chunk.segments)
    for part in chunk.segments:
        assert not words or "".join(word.word for word in part.words).split() == part.text.split()


def test_prompt_and_hotwords_leave_room_for_the_text(model):
    long = " ".join(["meeting notes"] * 300)
    voices = Voices(model, Options(initial_prompt=long + " tuesday", hotwords=long))
    voice = voices.get("en")
    told = voice.tokenizer.decode(voice.prompt)
    assert len(voice.prompt) + 224 <= 448
    assert told.strip().startswith("meeting notes")
    assert told.endswith("tuesday")  # the prompt keeps its end
    assert "there is room for" in voices.remark
    short = Voices(model, Options(initial_prompt="hello", hotwords="fox"))
    assert short.get("en").tokenizer.decode(short.get("en").prompt) == " fox hello"
    assert short.remark == ""
    assert Voices(model, Options()).get("th").prompt == voices.get("th").tokenizer.sot_sequence


@pytest.mark.parametrize("tokens", [1, 20, 224])
@pytest.mark.parametrize("prompt", [3, 100, 224])
def test_the_token_limit_is_what_ctranslate2_makes_of_it(tokens, prompt):
    length = max_length(prompt, tokens)
    assert min(length // 2, length - (prompt - 1)) == tokens
    assert length <= 448


def test_windows_are_encoded_one_by_one_to_what_the_encoder_makes_of_them_together(model):
    """On a CPU the encoder never sees two windows at once, and the batch that the decoder gets is the same to the bit."""
    features = [
        prepare(model.whisper, Window(0, 0, RATE, ((0, RATE),), speech.sample(f"clip0{n}"))).features for n in range(3)
    ]
    items = [Item(index, 0, found) for index, found in enumerate(features)]
    sizes = []
    whisper = types.SimpleNamespace(
        model=model.whisper.model, encode=lambda batch: sizes.append(len(batch)) or model.whisper.encode(batch)
    )
    one_by_one = np.asarray(encode(whisper, items))
    assert sizes == [1, 1, 1]
    assert np.array_equal(one_by_one, np.asarray(model.whisper.encode(stack(items))))


def test_a_worker_has_no_threads_that_wait_for_matrices():
    """numpy's BLAS starts no threads in a worker: they would spin between one window's features and the next."""
    code = "import os, sttd.worker; print(len(os.listdir('/proc/self/task')))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"},
    )  # fmt: skip
    assert done.stdout == "1\n"
