"""What no worker says, though the types of its words are right: code of the daemon would stumble over it.

Three jobs in a row that meet a fault in sttd end the daemon. A worker that is broken, or was taken over, is to end alone.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from sttd.part import Chunks, Message, Notice, Started
from sttd.sharing import MOST_PARTS

LONGEST = 65536  # characters of a text for people
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def nonsense(message: Any) -> str:
    """What is wrong with it, for a sentence; "": nothing."""
    if not isinstance(message, Message):
        return ""
    for each in dataclasses.fields(message):
        value = getattr(message, each.name)
        if isinstance(value, float) and math.isinf(value):
            return "a time that never ends"
        if isinstance(value, str) and len(value) > LONGEST:
            return "a text without end"
    match message:
        case Notice() if message.level not in _LEVELS:
            return "an unknown level"
        case Chunks(chunks=()):
            return "no chunk"
        case Started() if not 1 <= message.parts <= MOST_PARTS:
            return "parts that no recording has"
    return ""
