"""Which of several decodings of a window is taken: recorded scores and texts, in place of what a model says by chance."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from sttd.config import Config, Expert
from sttd.part import Chunk, ModelSpec, Options
from sttd.worker import LoadedModel, load
from sttd.worker.decoding.decoder import Decoder
from sttd.worker.decoding.items import prepare
from sttd.worker.decoding.voice import max_length
from sttd.worker.speech.windows import Window
from tests import speech
from tests.worker.test_repetition import TEXTS

RATE = speech.RATE
TEMPERATURES = Options().temperatures
THAI = TEXTS["th"][350:590]  # 206 tokens
LOOP = "ขอบคุณครับ " * 20
SONG = "ช้าง ช้าง ช้าง น้องเคยเห็นช้างหรือเปล่า " * 5


@dataclass(frozen=True)
class Said:
    """One decoding."""

    text: str
    logprob: float  # mean, of all tokens and the end mark
    no_speech: float = 0.1
    times: tuple[float, ...] = (0.0, 20.0)  # of its only piece
    tail: str = ""  # after the last pair of timestamps


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load(ModelSpec("demo"), lambda *_: None)


class Scripted:
    """The demo model, with a decoder that says what it is told; it notes at which temperatures it was asked."""

    def __init__(self, loaded: LoadedModel, script: Sequence[Said]) -> None:
        self._whisper, self._script, self.asked = loaded.whisper, list(script), []
        self.model = types.SimpleNamespace(
            generate=self._generate,
            **{name: getattr(loaded.whisper.model, name) for name in ("device", "is_multilingual")},
        )

    def __getattr__(self, name: str):
        return getattr(self._whisper, name)

    def _generate(self, encoded, prompts, *, sampling_temperature, **options):
        self.asked.append(sampling_temperature)
        self.options, self.prompt = options, len(prompts[0])
        return [self._result(self._script.pop(0)) for _ in prompts]

    def _result(self, said: Said):
        encode = self._whisper.hf_tokenizer.encode
        begin = encode("<|0.00|>", add_special_tokens=False).ids[0]
        first, last = (begin + round(seconds * 50) for seconds in said.times)
        tokens = [first, *encode(said.text, add_special_tokens=False).ids, last]
        if said.tail:
            tokens += [last, *encode(said.tail, add_special_tokens=False).ids]
        score = said.logprob * (len(tokens) + 1) / len(tokens)
        return types.SimpleNamespace(sequences_ids=[tokens], scores=[score], no_speech_prob=said.no_speech)


def decode(loaded: LoadedModel, *script: Said, **options) -> tuple[Chunk, list[float]]:
    """A window of 20 s of noise through the script: what was made of it, and the temperatures that were asked."""
    scripted = Scripted(loaded, script)
    return hear(scripted, loaded, **options), scripted.asked


def hear(scripted: Scripted, loaded: LoadedModel, seconds: int = 20, **options) -> Chunk:
    noise = np.random.default_rng(0).normal(0, 0.1, seconds * RATE).astype(np.float32)
    window = Window(0, 0, seconds * RATE, ((0, seconds * RATE),), noise)
    decoder = Decoder(LoadedModel(scripted, loaded.loaded, 0.0), Options(language="th", **options))
    return decoder.decode([prepare(loaded.whisper, window)])[0]


def text(chunk: Chunk) -> str:
    return " ".join(segment.text for segment in chunk.segments)


def test_a_window_full_of_normal_thai_is_taken_at_the_first_temperature(model):
    """By Whisper's count of bytes it is a loop: 2.5."""
    chunk, asked = decode(model, Said(THAI, -0.4))
    assert (text(chunk), asked) == (THAI.strip(), [0.0])
    assert chunk.segments[0].compression_ratio < 1.6


def test_a_loop_is_decoded_again_until_a_result_is_good(model):
    loops = [Said(LOOP, -0.2)] * 3
    chunk, asked = decode(model, *loops, Said("สวัสดีครับ", -0.6), Said("ไม่", -0.1))
    assert (text(chunk), asked) == ("สวัสดีครับ", [0.0, 0.0, 0.2, 0.4])
    assert chunk.segments[0].temperature == 0.4


def test_a_loop_is_first_decoded_with_a_penalty_on_what_was_said(model):
    scripted = Scripted(model, [Said(LOOP, -0.2), Said("สวัสดีครับ", -0.6)])
    chunk = hear(scripted, model, temperatures=(0.0,))
    assert (text(chunk), scripted.asked) == ("สวัสดีครับ", [0.0, 0.0])
    assert scripted.options["repetition_penalty"] > 1
    guess = Scripted(model, [Said("สวัสดีครับ", -1.2)])  # a guess is not
    assert (text(hear(guess, model, temperatures=(0.0,))), guess.asked) == ("สวัสดีครับ", [0.0])


@pytest.mark.parametrize(
    "endless", ["ศา" * 110, "ศา " * 300], ids=["up to the token limit", "faster than anybody speaks"]
)
def test_an_endless_loop_is_replaced_even_by_a_guess(model, endless):
    """The model is surer of a loop with each repetition: 0.9 of 1.0, where nothing of it was said."""
    guess = Said("ภาษาไทยง่ายมาก", -1.95)
    limit = {"max_new_tokens": 100} if len(endless) < 300 else {}
    chunk, _ = decode(model, Said(endless, -0.1), guess, *[Said(endless, -0.1)] * 5, **limit)
    assert text(chunk) == guess.text


def test_a_guess_is_decoded_again_and_the_surest_of_all_guesses_is_taken(model):
    guesses = [Said(f"คำที่ {n}", -1.4 + (n == 2) * 0.3) for n in range(len(TEMPERATURES))]
    chunk, asked = decode(model, *guesses)
    assert (text(chunk), asked) == ("คำที่ 2", list(TEMPERATURES))
    assert chunk.segments[0].temperature == 0.4


def test_a_sure_text_is_never_replaced_by_an_unsure_one(model):
    """Not even where it is repetitive and the other is not: a poem, a song, a roll call."""
    guesses = [Said("คนละเรื่อง", -1.06 - temperature) for temperature in TEMPERATURES]
    chunk, asked = decode(model, Said(SONG, -0.4), *guesses)
    assert (text(chunk), asked) == (SONG.strip(), [0.0, *TEMPERATURES])


def test_silence_is_what_the_first_decoding_says_and_no_other(model):
    """Guesses at high temperatures have low scores: with them as a measure, speech would be silence."""
    guesses = [Said("คนละเรื่อง", -1.5, no_speech=0.88) for _ in TEMPERATURES]
    chunk, _ = decode(model, Said(SONG, -0.4, no_speech=0.88), *guesses)
    assert text(chunk) == SONG.strip()
    chunk, asked = decode(model, Said("ขอบคุณ", -1.1, no_speech=0.88), *guesses)
    assert (text(chunk), asked) == ("", [0.0])
    chunk, _ = decode(model, Said("ขอบคุณ", -1.9, no_speech=0.3), *guesses)
    assert text(chunk) == "คนละเรื่อง", "also where a guess is taken that says so of itself"


def test_only_what_is_kept_of_a_decoding_is_judged(model):
    """A loop behind the last pair of timestamps is dropped and decoded again from there: the text before it is good."""
    rest = Said("จบแล้วครับ", -0.3, times=(0.0, 10.0))
    chunk, asked = decode(model, Said(THAI, -0.4, times=(0.0, 10.0), tail=LOOP * 3), rest)
    assert (text(chunk), asked) == (f"{THAI.strip()} จบแล้วครับ", [0.0, 0.0])
    looped = Said(LOOP, -0.4, times=(0.0, 10.0), tail=THAI)
    chunk, asked = decode(model, looped, Said("สวัสดีครับ", -0.4))
    assert (text(chunk), asked) == ("สวัสดีครับ", [0.0, 0.0])


def test_every_expert_key_reaches_the_decoder(model):
    keys = {
        "vad_silence": 0.5,  # of the cutter's
        "compression_ratio": 5.0,
        "log_prob": -2.0,
        "no_speech": 0.3,
        "repetition_penalty": 1.2,
        "no_repeat_ngram_size": 7,
        "max_new_tokens": 100,
    }
    options = dataclasses.asdict(Config(expert=Expert(**keys)).options())
    guess = Said(LOOP[:60], -1.5, no_speech=0.2)  # good by these limits alone
    scripted = Scripted(model, [guess, Said("ไม่", -2.1, no_speech=0.4)])
    chunk = hear(scripted, model, **{name: options[name] for name in keys})
    assert (text(chunk), scripted.asked) == (guess.text.strip(), [0.0])
    assert (scripted.options["repetition_penalty"], scripted.options["no_repeat_ngram_size"]) == (1.2, 7)
    assert scripted.options["max_length"] == max_length(scripted.prompt, 100)
    assert hear(scripted, model, **{name: options[name] for name in keys}).segments == ()


def test_a_short_clip_gets_no_more_tokens_than_can_be_said_in_it(model):
    """A loop in 1 s would go on up to 224, at each temperature; a window of 20 s has room for all."""
    for seconds, tokens in ((1, 80), (20, 224)):
        scripted = Scripted(model, [Said("ครับ", -0.3, times=(0.0, seconds))])
        hear(scripted, model, seconds)
        assert scripted.options["max_length"] == max_length(scripted.prompt, tokens)
