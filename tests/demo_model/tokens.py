"""Whisper's multilingual tokenizer as a `tokenizers.Tokenizer`, from the ranks of byte pairs that openai-whisper ships.

The numbers are those of whisper/tokenizer.py for the models before large-v3 (99 languages).

    python -m tests.demo_model.tokens        a word of each language there and back
"""

from __future__ import annotations

import base64
import itertools
from pathlib import Path

import whisper
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from whisper.tokenizer import LANGUAGES

EOT, SOT = 50257, 50258
TRANSLATE, TRANSCRIBE, SOT_LM, SOT_PREV, NOSPEECH, NOTIMESTAMPS, TIMESTAMP0 = range(50358, 50365)
VOCAB = 51865

LANG = {code: SOT + 1 + number for number, code in enumerate(list(LANGUAGES)[:99])}


def timestamp(seconds: float) -> int:
    """The token of a time: Whisper counts in 0.02 s, the demo model was taught in 0.1 s."""
    return TIMESTAMP0 + round(seconds * 10) * 5


def byte_alphabet() -> dict[int, str]:
    """A printable character for each byte, as GPT-2 has them (openai/gpt-2, src/encoder.py, bytes_to_unicode)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (byte for byte in range(256) if byte not in printable)
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + number) for number, byte in enumerate(others)}


def split(token: bytes, ranks: dict[bytes, int], limit: int) -> list[bytes]:
    """The two pieces whose merge made `token`: byte-pair encode it with the merges that came before rank `limit`."""
    parts = [bytes([byte]) for byte in token]
    while len(parts) > 2:
        pairs = enumerate(itertools.pairwise(parts))
        rank, at = min((ranks.get(left + right, limit), number) for number, (left, right) in pairs)
        if rank >= limit:
            break
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def read_ranks() -> dict[bytes, int]:
    """Rank by token, of openai-whisper's own file."""
    lines = (Path(whisper.__file__).parent / "assets" / "multilingual.tiktoken").read_text().splitlines()
    ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in lines if line)}
    if len(ranks) != EOT:
        raise ValueError(f"expected {EOT} ranks, found {len(ranks)}")
    return ranks


def build_tokenizer() -> Tokenizer:
    """The tokenizer with all special tokens and the 1501 time stamps."""
    ranks, alphabet = read_ranks(), byte_alphabet()
    text = {token: "".join(alphabet[byte] for byte in token) for token in ranks}
    merges = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        parts = split(token, ranks, rank) if len(token) > 1 else []
        if len(parts) == 2:
            merges.append((text[parts[0]], text[parts[1]]))
    vocabulary = {text[token]: rank for token, rank in ranks.items()}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, fuse_unk=False))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    names = ["endoftext", "startoftranscript", *LANG, "translate", "transcribe"]
    names += ["startoflm", "startofprev", "nospeech", "notimestamps"]
    tokenizer.add_special_tokens([AddedToken(f"<|{name}|>", special=True, normalized=False) for name in names])
    times = [f"<|{number * 0.02:.2f}|>" for number in range(1501)]
    tokenizer.add_tokens([AddedToken(time, special=False, normalized=False) for time in times])
    assert tokenizer.get_vocab_size() == VOCAB, tokenizer.get_vocab_size()
    return tokenizer


if __name__ == "__main__":
    made = build_tokenizer()
    ids = made.encode(" hello world สวัสดี").ids
    print(ids, made.decode(ids), made.token_to_id("<|notimestamps|>"), made.token_to_id("<|30.00|>"))
