"""How repetitive a text is: Whisper's compression ratio, counted by characters instead of bytes; pure.

Whisper divides the length of a text in UTF-8 by its length after zlib, and takes more than 2.4 for a loop. UTF-8 spends
three bytes on a Thai letter, two of which are nearly always the same: normal Thai, Lao, Khmer, Burmese and Hindi compress to
more than that. Here each distinct character is one symbol, and all scripts are alike.

Measured on the Universal Declaration of Human Rights, all stretches of 150 to 448 characters: median (highest). A window of
30 s has 350 characters of fast English or Thai; at 448 a token each is one character. Loops: the lowest ratio of any
15, 30 or 60 characters said three, four or eight times.

|          | Whisper's   | by characters |             |             |             |
|          | 350         | 150           | 250         | 350         | 448         |
| -------- | ----------- | ------------- | ----------- | ----------- | ----------- |
| English  | 1.67 (2.08) | 1.44 (1.81)   | 1.62 (2.14) | 1.74 (2.20) | 1.84 (2.17) |
| Thai     | 2.74 (3.47) | 1.22 (1.61)   | 1.36 (1.77) | 1.46 (1.87) | 1.53 (1.82) |
| Lao      | 2.78 (3.22) | 1.24 (1.56)   | 1.38 (1.66) | 1.49 (1.73) | 1.56 (1.80) |
| Khmer    | 2.87 (3.42) | 1.26 (1.55)   | 1.40 (1.75) | 1.52 (1.79) | 1.60 (1.83) |
| Burmese  | 3.14 (4.08) | 1.33 (2.03)   | 1.52 (2.16) | 1.64 (2.16) | 1.74 (2.16) |
| Hindi    | 2.76 (3.25) | 1.34 (1.63)   | 1.52 (1.87) | 1.61 (1.90) | 1.71 (1.89) |
| Chinese  | 1.68 (1.82) | 1.03 (1.16)   | 1.05 (1.17) | 1.08 (1.16) | 1.06 (1.14) |
| Japanese | 2.00 (2.36) | 1.09 (1.32)   | 1.14 (1.45) | 1.22 (1.39) | 1.25 (1.42) |
| Korean   | 1.90 (2.17) | 1.18 (1.47)   | 1.24 (1.50) | 1.33 (1.50) | 1.40 (1.56) |
| Arabic   | 2.10 (2.31) | 1.39 (1.69)   | 1.54 (1.77) | 1.64 (1.80) | 1.72 (1.83) |
| Russian  | 2.11 (2.59) | 1.36 (1.74)   | 1.52 (1.92) | 1.63 (1.97) | 1.72 (2.04) |

| loop of  | three times | four times | eight times |
| 15       | 1.68        | 2.24       | 4.48        |
| 30       | 2.17        | 2.90       | 5.80        |
| 60       | 2.54        | 3.38       | 6.49        |

One to three letters said fifty times have 4.17 or more. So Whisper's limit of 2.4 is right for all scripts once
characters are counted: no normal text reaches it, and four times the same phrase passes it unless the phrase is very short.
"""

from __future__ import annotations

import zlib
from collections import Counter

_SHORT = 255  # characters that are written as one byte


def compression_ratio(text: str) -> float:
    """Characters of `text` for each byte that zlib needs for them; 0 for an empty text.

    The most common characters are written as one byte each, however many UTF-8 has for them. Only a text with more than 255
    different ones (a long one in Chinese or Japanese, which is no loop) has others; these are written as four bytes.

    A text of fewer than about 20 characters is below 1 whatever it says: zlib's own frame is longer than what it saves.
    """
    ranked = [character for character, _ in Counter(text).most_common()]
    codes = {character: _code(rank) for rank, character in enumerate(ranked)}
    return len(text) / len(zlib.compress(b"".join(codes[character] for character in text)))


def _code(rank: int) -> bytes:
    return bytes([rank]) if rank < _SHORT else bytes([_SHORT]) + (rank - _SHORT).to_bytes(3, "big")
