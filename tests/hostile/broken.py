"""Contents that are no recording, or no whole one: other kinds, scripts that name files and hosts, files cut short, lying heads."""

from __future__ import annotations

import gzip
import io
import sqlite3
import struct
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial

import numpy as np

from tests.hostile import media
from tests.hostile.corpus import Case, Fate
from tests.hostile.media import ENGLISH, cut, good

_NO_RECORDING = "copy or export it again"
_NO_SOUND = "no sound"


def _fails(path: str, make: Callable[[], bytes], says: str = _NO_RECORDING) -> Case:
    return Case(path.encode(), make, Fate.FAILED, says)


def _done(path: str, make: Callable[[], bytes], says: str = ENGLISH, warns: str = "") -> Case:
    return Case(path.encode(), make, Fate.DONE, says, warns)


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("talk.wav", media.wav())
        archive.writestr("../../zeros", bytes(2**22))
    return file.getvalue()


def _tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo("../talk.wav")
        member.size = len(media.wav())
        archive.addfile(member, io.BytesIO(media.wav()))
    return file.getvalue()


def _elf() -> bytes:
    code = bytes.fromhex("554889e54883ec10897dfc488975f08b45fc83c0015dc3") * 2_000
    return b"\x7fELF\x02\x01\x01" + bytes(57) + code + b".text\0.data\0.symtab\0"


def _sqlite() -> bytes:
    with sqlite3.connect(":memory:") as database:
        database.execute("create table job (id)")
        return database.serialize()


_HTML = b"<!DOCTYPE html><html><head><title>404 Not Found</title></head><body>Sign in to download.</body></html>\n" * 9
_JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000") + bytes(500) + b"\xff\xd9"
_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0" + bytes(100)

OTHER_KINDS = [
    _fails("empty.mp3", bytes, "the file is empty"),
    _fails("one-byte.wav", lambda: b"R"),
    _fails("text.mp3", lambda: b"Dear diary, nothing to be heard.\n" * 100),
    _fails("thai.wav", ("ไม่มีเสียง\n" * 500).encode),
    _fails("zip.m4a", _zip),
    _fails("tar.ogg", _tar),
    _fails("gzip.wav", lambda: gzip.compress(media.wav())),
    _fails("elf.mp3", _elf),
    _fails("sqlite.m4a", _sqlite),
    _fails("html.mp4", lambda: _HTML),
    _fails("json.flac", lambda: b'{"error": "quota exceeded", "url": "http://127.0.0.1:9/"}'),
    _fails("jpeg.mp3", lambda: _JPEG),
    _fails("png.wav", lambda: _PNG),
    _fails("pdf.mp3", lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(5_000)),
    _fails("midi.wav", lambda: b"MThd\0\0\0\6\0\1\0\1\0\x60MTrk\0\0\0\4\0\xff\x2f\0"),
    _fails("subtitles.mp3", lambda: b"1\n00:00:01,000 --> 00:00:02,000\nhello\n\n"),
    _fails(
        "ass.mp3", lambda: b"[Script Info]\nScriptType: v4.00+\n[Events]\nDialogue: 0,0:00:00.00,0:00:01.00,,,,,,,x\n"
    ),
    _fails("zeros.mp3", lambda: bytes(300_000)),
    _fails("ones.mp3", lambda: b"\xff" * 300_000),
    _fails("sync-words.mp3", lambda: b"\xff\xfb\x90\x64" * 50_000, ""),
    _fails("sync-words.aac", lambda: b"\xff\xf1\x50\x80\x00\x1f\xfc" * 30_000, ""),
    _fails("random.mp3", lambda: np.random.default_rng(1).bytes(60_000)),
    _fails("random.ts", lambda: b"".join(b"G" + np.random.default_rng(n).bytes(187) for n in range(500)), ""),
    _fails("id3-alone.mp3", lambda: media.id3(media.id3_frame(b"TIT2", b"\0title"))),
    _fails("id3-claims-256-mb.mp3", lambda: media.id3(b"", 2**28 - 1) + good("mp3")),
]

_PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{}\n#EXT-X-ENDLIST\n"
_MPD = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT9S">'
    '<Period><AdaptationSet mimeType="audio/mp4"><Representation id="1" bandwidth="1"><BaseURL>{}</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>"
)
_SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 50004 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n"
_FILE, _HTTP = "/etc/hostname", "http://127.0.0.1:50009/x.flac"

SCRIPTS = [
    _fails("ffconcat.mp3", f"ffconcat version 1.0\nfile {_FILE}\n".encode),
    _fails("ffconcat-of-a-neighbour.mp3", lambda: b"ffconcat version 1.0\nfile 'bystander.txt'\n"),
    _fails("ffconcat-of-a-url.wav", f"ffconcat version 1.0\nfile '{_HTTP}'\n".encode),
    _fails("hls.m4a", lambda: _PLAYLIST.format(_FILE).encode()),
    _fails("hls-of-a-url.mp3", lambda: _PLAYLIST.format(_HTTP).encode()),
    _fails(
        "hls-of-a-concat.mp4", lambda: _PLAYLIST.format(f"concat:{_FILE}|subfile,,start,0,end,9,,:{_FILE}").encode()
    ),
    _fails("dash.mp4", lambda: _MPD.format(_FILE).encode()),
    _fails("dash-of-a-url.mp4", lambda: _MPD.format(_HTTP).encode()),
    _fails("session.wav", _SDP.encode),
    _fails("url.mp3", f"{_HTTP}\nrtsp://127.0.0.1/x\nfile://{_FILE}\n".encode),
    _fails("pls.mp3", f"[playlist]\nNumberOfEntries=1\nFile1={_HTTP}\n".encode),
    _fails("asx.wma", f'<asx version="3.0"><entry><ref href="{_HTTP}"/></entry></asx>'.encode),
    _fails("smil.mp4", f'<smil><body><audio src="{_HTTP}"/></body></smil>'.encode),
    _fails("asf-reference.wma", f"[Reference]\r\nRef1={_HTTP}\r\n".encode),
    _fails("lavfi.wav", lambda: b"amovie=/etc/hostname"),
    _fails("ffmetadata.mp3", lambda: b";FFMETADATA1\ntitle=x\n"),
    _done("mov-of-an-alias.mov", lambda: media.mov_elsewhere(_FILE)),
    _done("playlist-in-avi.avi", lambda: media.avi_with_playlist(_HTTP)),
    _done(
        "tag-names-urls.mp3",
        lambda: (
            media.id3(
                media.id3_frame(b"WOAF", _HTTP.encode()) + media.id3_frame(b"APIC", b"\0-->\0\3\0" + _HTTP.encode())
            )
            + good("mp3")
        ),
    ),
]

_TWICE = partial(good, times=2)
CUT = [
    _fails("cut-riff.wav", lambda: cut(media.wav(), 10)),
    _fails("cut-format.wav", lambda: cut(media.wav(), 30)),
    _fails("cut-before-sound.wav", lambda: cut(media.wav(), 44), _NO_SOUND),
    _done("cut-sound.wav", lambda: cut(_TWICE("wav"), 0.6), "*", "ends early"),
    _done("claims-4-gb.wav", lambda: media.wav(claim=2**32 - 1), ENGLISH),
    _fails("cut-streaminfo.flac", lambda: cut(good(), 20)),
    _fails("cut-head.flac", lambda: cut(good(), 42)),
    _fails("cut-first-frame.flac", lambda: cut(good(), 8_300 if len(good()) > 9_000 else 0.1), ""),
    _done("cut-sound.flac", lambda: cut(_TWICE(), 0.6), "*", "ends early"),
    _fails("cut-first-frame.mp3", lambda: cut(good("mp3"), 60)),
    _done("cut-sound.mp3", lambda: cut(_TWICE("mp3"), 0.6), "*"),
    _fails("cut-first-page.ogg", lambda: cut(good("ogg"), 30)),
    _fails("cut-before-tags.opus", lambda: cut(good("opus"), 47), ""),
    _done("cut-sound.ogg", lambda: cut(_TWICE("ogg"), 0.6), "*"),
    _fails("no-index.m4a", lambda: cut(good("m4a"), 0.7)),
    _fails("cut-in-index.mp4", lambda: cut(good("mp4"), 0.97)),
    _fails("index-without-sound.m4a", lambda: _moov_first("m4a")[: _moov_first("m4a").index(b"mdat") + 4], _NO_SOUND),
    _done("cut-fragment.m4a", lambda: cut(_TWICE("m4a", fragmented=True), 0.7), "*"),
    _fails("cut-ftyp.m4a", lambda: cut(good("m4a"), 12)),
    _fails("cut-ebml.mkv", lambda: cut(good("mka"), 20)),
    _fails("cut-tracks.webm", lambda: cut(good("webm"), good("webm").index(b"OpusHead") + 3), ""),
    _done("cut-cluster.webm", lambda: cut(_TWICE("webm"), 0.7), "*", "ends early"),
    _fails("cut-tables.ts", lambda: cut(good("ts"), 188 * 2), ""),
    _done("cut-sound.ts", lambda: cut(_TWICE("ts"), 0.7), "*"),
    _fails("cut-header.aac", lambda: cut(good("aac"), 5)),
    _done("cut-sound.aac", lambda: cut(_TWICE("aac"), 0.7), "*"),
    _fails("cut-header.avi", lambda: cut(media.tracks("avi", "pcm_s16le"), 100)),
    _done("cut-index.avi", lambda: cut(media.tracks("avi", "pcm_s16le"), 0.95), "*"),
]


def _moov_first(kind: str) -> bytes:
    """A good MP4 file with its index before its sound, as `faststart` puts it."""
    data = good(kind)
    at = data.index(b"moov") - 4
    size = struct.unpack(">I", data[at : at + 4])[0]
    head = struct.unpack(">I", data[:4])[0]
    return data[:head] + data[at : at + size] + data[head:at] + data[at + size :]


_NAN80, _ZERO80, _HUGE80 = b"\x7f\xff\xc0" + bytes(7), bytes(10), b"\x7f\xfe\xff\xff\xff\xff\xff\xff\xff\xff"
LYING = [
    _fails("rate-0.wav", lambda: media.wav(rate=0), ""),
    _fails("rate-4-billion.wav", lambda: media.wav(rate=2**32 - 1), ""),
    _fails("rate-1.wav", lambda: media.wav(bytes(60), rate=1), "1 Hz"),
    _fails("channels-0.wav", lambda: media.wav(channels=0), ""),
    _fails("channels-65535.wav", lambda: media.wav(channels=65535), ""),
    _fails("bits-0.wav", lambda: media.wav(bits=0), ""),
    _fails("bits-65535.wav", lambda: media.wav(bits=65535), ""),
    _fails("unknown-coding.wav", lambda: media.wav(tag=0x4242), "cannot be decoded"),
    _fails("format-4-gb.wav", lambda: b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\xff" + bytes(1_000), ""),
    _fails("rate-0.au", lambda: media.au(rate=0), ""),
    _fails("channels-0.au", lambda: media.au(channels=0), ""),
    _fails("rate-0.aiff", lambda: media.aiff(_ZERO80), ""),
    _fails("rate-nan.aiff", lambda: media.aiff(_NAN80), ""),
    _fails("rate-huge.aiff", lambda: media.aiff(_HUGE80), ""),
    _fails("rate-nan.caf", lambda: media.caf(float("nan")), ""),
    _fails("rate-0.caf", lambda: media.caf(0.0), ""),
    _fails("rate-negative.caf", lambda: media.caf(-16_000.0), ""),
    _fails("rate-infinite.caf", lambda: media.caf(float("inf")), ""),
    _done("rate-0-in-the-head.flac", lambda: media.flac_with(rate=0), "*"),
    _done("claims-50-days.flac", lambda: media.flac_with(samples=2**36 - 1), "*", "ends early"),
    _done("rate-0.m4a", lambda: media.patched(good("m4a"), b"\0\x10\0\0\0\0\x3e\x80", b"\0\x10\0\0\0\0\0\0")),
    _done("time-scale-0.m4a", lambda: media.patched(good("m4a"), b"\0\0\0\0\x3e\x80", bytes(6)), "", "ends early"),
    _fails("atoms-in-atoms.mp4", lambda: media.nested(3_000)),
    _fails("tags-in-tags.mkv", media.endless_nesting, ""),
    _fails("atom-of-8-eb.mp4", lambda: b"\0\0\0\1ftyp" + b"\x7f" + b"\xff" * 7 + bytes(100)),
    _fails("samples-2-billion.m4a", lambda: _many_samples("m4a"), ""),
]


def _many_samples(kind: str) -> bytes:
    """The table of sample sizes says that it has 2**31 - 1 of them."""
    data = bytearray(good(kind))
    at = data.index(b"stsz") + 12
    data[at : at + 4] = struct.pack(">I", 2**31 - 1)
    return bytes(data)


CASES = [*OTHER_KINDS, *SCRIPTS, *CUT, *LYING]
