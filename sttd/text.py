"""Names of files in log lines and on terminals: escaped, so that a name can forge neither a line nor a colour."""

from __future__ import annotations

import re

# What shapes the text around it instead of being read: controls, line and paragraph separators, bidi controls
# (Unicode TR 36, 3.3), other invisible format characters, and surrogates (undecodable bytes, as os.fsdecode gives
# them). Zero width space, joiner and non-joiner stay: Thai, Persian and emoji are written with them.
_UNSAFE = re.compile(
    "["
    r"\x00-\x1f\x7f-\x9f\\"
    "\u00ad\u061c\u180e\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
    "\ud800-\udfff"
    "]"
)


def printable(name: str) -> str:
    r"""`name` as one line of harmless text: new lines, controls, ANSI, bidi controls and bad bytes are escaped.

    Undecodable bytes and ASCII controls become `\xNN`, other characters `\uNNNN`; a backslash is doubled, so that
    an escape cannot be confused with a backslash in a name. Thai, emoji and all that is meant to be read stay as they are.
    """
    return _UNSAFE.sub(_escape, name)


def sentence(text: str) -> str:
    """A message on one line. Names in it are escaped already, or not at all: a backslash is left as it is."""
    return printable(text).replace("\\\\", "\\")


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == ord("\\"):
        return r"\\"
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def counted(number: int, what: str) -> str:
    """`1 copy`, `2 copies`."""
    return f"{number} {what if number == 1 else f'{what[:-1]}ies' if what.endswith('y') else f'{what}s'}"
