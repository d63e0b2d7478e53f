"""Names that hurt: each is a good recording, or one that fails, under a name that forges, hides, collides or overflows."""

from __future__ import annotations

import unicodedata

from tests.hostile import media
from tests.hostile.corpus import Case, Fate
from tests.hostile.media import ENGLISH, SECOND, THAI

_GOOD = [
    b"new\nline 1999-01-01 CRITICAL forged.flac",
    b"carriage\rreturn.flac",
    b"tab\tand\x0bvertical\x0cfeed\x08\x08\x7f.flac",
    b"\x1b[31mred\x1b[0m.flac",
    b"\x1b]0;title\x07\x1b]8;;http:\\\\x\x07link.flac",
    "c1 \x9b31m \x85.flac".encode(),
    b"undecodable-\xff\xfe.flac",
    b"half a letter \xe0\xb8.flac",
    b"overlong \xc0\xae\xc0\xae\xc0\xaf.flac",
    b"utf-8 surrogate \xed\xb3\xbf.flac",  # looks like the one that os.fsdecode makes of an undecodable byte
    "ก".encode() * 83 + b"x.flac",  # 255 bytes
    "เสียง ที่ น้ำ ๆ".encode() * 5 + b".flac",
    "👩‍👩‍👧‍👦".encode() * 10 + b".flac",
    b"e" + "\u0301".encode() * 124 + b"\x00.flac".replace(b"\0", b"z"),  # 255 bytes, one endless grapheme
    b"\xff" * 250 + b".flac",
    b"-rf.flac",
    b"--help.flac",
    b"-.flac",
    b"CON.flac",
    b"nul.lpt1.flac",
    b"x..%2f..%2fetc%2fpasswd.flac",
    b"a..flac",
    b" leading and trailing .flac",
    b" .flac",
    b"quote' \" ` $(touch pwned) ; & | < > * ? ~ ! #.flac",
    b"back\\slash\\n.flac",
    b"{} {0} {job.id} %s %n %(x)s.flac",
    b"<red>loguru</red> [bold]rich[/bold] [link=x].flac",
    "bidi \u202egnp.txt \u2066x\u2069.flac".encode(),
    "zero\u200bwidth\ufeff\u00ad.flac".encode(),
    "line\u2028and\u2029paragraph.flac".encode(),
    b"http:example.org.flac",
    b"concat:a.flac|b.flac",
    b"subfile,,start,0,end,9,,:x.flac",
    b"pipe:0.flac",
    b"img%03d.flac",
    b"x.error.json.flac",
    b"new\nfolder/\xff\xfe/\xe0\xb9\x80/x.flac",
    b"name.mp3/x.flac",  # a folder with a recording's suffix
    b"deep/" * 40 + b"x.flac",
    "e\u0301 folder/x.flac".encode(),
    b"'; DROP TABLE job; --.flac",
]
_SECONDS = [  # twins of one of the above, or of each other, that say something else
    (unicodedata.normalize("NFC", "café ñ.flac").encode(), ENGLISH),
    (unicodedata.normalize("NFD", "café ñ.flac").encode(), SECOND),
    (b"twin.flac", ENGLISH),
    (b"Twin.flac", SECOND),
    (b"TWIN.FLAC", THAI),
    (b"same.flac", ENGLISH),
    (b"same.FLAC", SECOND),
    (b"same (2).flac", SECOND),
    (b"same.en.flac", ENGLISH),
    ("ก".encode() * 83 + b"y.flac", SECOND),  # differs where names of results are cut
    ("é folder/x.flac".encode(), SECOND),
]
_FAILING = [
    b"bad\nname \x1b[31m\xff.flac",
    "ข".encode() * 83 + b"x.flac",
    "ข".encode() * 83 + b"y.flac",
    "bad é.flac".encode(),
    "bad e\u0301.flac".encode(),
    b"bad.flac",
    b"BAD.flac",
    b"bad (2).flac",
    b"{} %s <red> [bold] bad.flac",
    b"bad folder\n\xff/x.flac",
]
_LEFT = [
    (b".flac", "hidden"),
    (b"..flac", "hidden"),
    (b"....flac", "hidden"),
    (b".hidden/x.flac", "hidden"),
    (b"... /x.flac", "hidden"),
    (b"~x.flac", "unfinished"),
    (b"~folder/x.flac", "unfinished"),
    (b"x.flac.part", "unfinished"),
    (b"x.flac.CRDOWNLOAD", "unfinished"),
    (b"@eaDir/x.flac", "folder of"),
    (b"no suffix", "suffix"),
    (b"x.flac ", "suffix"),
    (b"x.flac\n", "suffix"),
    (b"x.fla\xff", "suffix"),
    (b"x.flac.error.json", "suffix"),
    (b".sttd-1.filing", ""),
    (b".sttd.lock2", ""),
]

CASES = [
    *(Case(name, media.good, Fate.DONE, ENGLISH) for name in _GOOD),
    *(Case(name, lambda sample=sample: media.good(sample=sample), Fate.DONE, sample) for name, sample in _SECONDS),
    *(Case(name, lambda: b"this is no recording", Fate.FAILED, "copy or export it again") for name in _FAILING),
    *(Case(name, media.good, Fate.LEFT, why) for name, why in _LEFT),
]
