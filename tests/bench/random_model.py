"""A Whisper of `base`'s or `small`'s true shape whose weights are random, so that computing costs what it costs with them.

python -m tests.bench.random_model base|small [FOLDER]

It cannot hear, but it can be checked: each position of the decoder is steered to one token, strongly enough to
outweigh the random layers. So it writes the same known words for every window, between the marks that a Whisper would
put, then ends. Every contender decodes the same number of tokens a window, is sure of them (no threshold is met, no
window decoded again), and may run with the options that it has by itself. Vocabulary and tokenizer are the demo model's.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ctranslate2.specs import WhisperSpec
from faster_whisper.tokenizer import Tokenizer
from tokenizers import Tokenizer as HfTokenizer

from tests import speech

DEMO = speech.SAMPLES.parent / "model"
CACHE = Path(tempfile.gettempdir()) / "sttd-bench"
WORDS = 60  # tokens of text a window: what 30 s of English with pauses have
_END_STAMP = 1500  # <|30.00|>: the window is written down to its end
_VOCABULARY = 51_865
_CONTEXT = 448
_STEER = 24.0  # length of a position's vector; tokens' are about 1 long, what random layers add is a few (in `small`, 12 were too short)
_SPREAD = 0.02  # standard deviation of weights, as Whisper was initialised


class Shape(NamedTuple):
    layers: int  # of the encoder, and of the decoder
    width: int
    heads: int


SHAPES = {"base": Shape(6, 512, 8), "small": Shape(12, 768, 12)}  # openai/whisper, model card


def folder(name: str, cache: Path = CACHE) -> Path:
    """The model's folder: "demo", or one that is made (int8) where it is not there yet."""
    if name == "demo":
        return DEMO
    target = cache / f"random-{name}"
    if not (target / "model.bin").exists():
        shutil.rmtree(target, ignore_errors=True)
        make(SHAPES[name], target)
    return target


def sentence() -> str:
    """The words that are written for every window."""
    return _tokenizer().decode(_text_tokens()).strip()


def _tokenizer() -> Tokenizer:
    return Tokenizer(HfTokenizer.from_file(str(DEMO / "tokenizer.json")), True, "transcribe", "en")


def _text_tokens() -> list[int]:
    """Distinct tokens, each one an English word of the samples with its space."""
    tokenizer = _tokenizer()
    words = {word for name in speech.names("en") for word in speech.words(name)}
    spoken = [tokens[0] for word in sorted(words) if len(tokens := tokenizer.encode(" " + word)) == 1]
    others = [
        token
        for token in range(1000, 20_000)
        if (text := tokenizer.decode([token]))[:1] == " " and text[1:].isascii() and text[1:].isalpha()
    ]
    return list(dict.fromkeys([*spoken, *others]))[:WORDS]


def make(shape: Shape, target: Path, quantization: str = "int8") -> None:
    """Write a model folder, stored in that type; whole or not at all."""
    random = np.random.default_rng(0)
    spec = WhisperSpec(shape.layers, shape.heads, shape.layers, shape.heads)
    spec._visit(lambda part, path, _: _fill(part, path, shape.width, random))
    decoder = spec.decoder
    decoder.embeddings.weight, decoder.position_encodings.encodings = _steered(shape.width, random)
    decoder.projection.weight = decoder.embeddings.weight
    spec.register_vocabulary(json.loads((DEMO / "vocabulary.json").read_text("utf-8")))
    for key, value in json.loads((DEMO / "config.json").read_text()).items():
        spec.config.add_attribute(key, value)
    # as a model whose heads are not known has it: those of the upper half of the layers
    spec.config.add_attribute(
        "alignment_heads",
        [[layer, head] for layer in range(shape.layers // 2, shape.layers) for head in range(shape.heads)],
    )
    spec.validate()
    spec.optimize(quantization=quantization)
    making = target.with_name(f"{target.name}.{os.getpid()}")
    making.mkdir(parents=True)
    spec.save(str(making))
    for name in ("tokenizer.json", "preprocessor_config.json"):
        shutil.copy(DEMO / name, making / name)
    making.rename(target)


def _fill(part: Any, path: str, width: int, random: np.random.Generator) -> None:
    """Give an empty place of the specification what Whisper has there; `path` is like "encoder/layer_0/ffn/linear_1/weight"."""
    *_, owner, name = path.split("/")
    wide = path.split("/")[-3] if path.count("/") >= 2 else ""
    rows = {
        ("self_attention", "linear_0"): 3 * width, ("attention", "linear_1"): 2 * width, ("ffn", "linear_0"): 4 * width,
    }.get((wide, owner), width)  # fmt: skip
    columns = 4 * width if (wide, owner) == ("ffn", "linear_1") else width
    if owner in ("linear_0", "linear_1", "linear_2") and name == "weight":
        part.weight = _normal(random, rows, columns)
    elif owner in ("linear_0", "linear_1", "linear_2") and name == "bias":
        part.bias = np.zeros(rows, np.float32)
    elif owner in ("conv1", "conv2") and name == "weight":
        part.weight = _normal(random, width, 80 if owner == "conv1" else width, 3)
    elif owner in ("conv1", "conv2") and name == "bias":
        part.bias = np.zeros(width, np.float32)
    elif name == "gamma":
        part.gamma = np.ones(width, np.float32)
    elif name == "beta":
        part.beta = np.zeros(width, np.float32)
    elif path == "encoder/position_encodings/encodings":
        part.encodings = _normal(random, 1500, width)


def _steered(width: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Token embeddings, and positions each of which points at the token that is to be written there."""
    tokens = random.normal(0, 1 / np.sqrt(width), (_VOCABULARY, width)).astype(np.float32)
    tokenizer = _tokenizer()
    begin, end = tokenizer.timestamp_begin, tokenizer.eot
    # what each position gives: <|startoftranscript|>, language, task, and then what is heard
    given = [tokenizer.language, tokenizer.task]
    given += [begin, *_text_tokens(), begin + _END_STAMP]
    given += [end] * (_CONTEXT - len(given))
    return tokens, _STEER * tokens[given]


def _normal(random: np.random.Generator, *shape: int) -> np.ndarray:
    return random.normal(0, _SPREAD, shape).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=sorted(SHAPES))
    parser.add_argument("folder", type=Path, nargs="?", default=CACHE)
    args = parser.parse_args()
    print(folder(args.shape, args.folder))
    print(sentence())


if __name__ == "__main__":
    main()
