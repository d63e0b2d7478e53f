"""Subtitles in the file itself, as the worker sees them before it decodes anything."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from sttd.part import Cause, Existing, Options
from sttd.worker.audio.opening import open_recording
from sttd.worker.errors import PartFailed
from tests.hostile.media import ebml


def film(path: Path, subtitles: list[tuple[str, str, bool]], spoken: str = "") -> Path:
    """A Matroska file of a second of silence with subtitle tracks: language, title, whether it is forced."""
    audio = ebml(0xE1, ebml(0xB5, struct.pack(">d", 16_000.0)) + ebml(0x9F, b"\x01") + ebml(0x6264, b"\x10"))
    tracks = ebml(0xAE, _track(1, 2, b"A_PCM/INT/LIT", spoken) + audio)
    for number, (language, title, is_forced) in enumerate(subtitles, 2):
        more = ebml(0x536E, title.encode()) + ebml(0x55AA, bytes([is_forced]))
        tracks += ebml(0xAE, _track(number, 17, b"S_TEXT/UTF8", language) + more)
    info = ebml(0x2AD7B1, struct.pack(">I", 1_000_000))
    cluster = ebml(0xE7, b"\x00") + ebml(0xA3, b"\x81\x00\x00\x80" + bytes(32_000))
    segment = ebml(0x1549A966, info) + ebml(0x1654AE6B, tracks) + ebml(0x1F43B675, cluster)
    path.write_bytes(ebml(0x1A45DFA3, ebml(0x4282, b"matroska")) + ebml(0x18538067, segment))
    return path


def _track(number: int, kind: int, codec: bytes, language: str) -> bytes:
    return (
        ebml(0xD7, bytes([number])) + ebml(0x73C5, bytes([number])) + ebml(0x83, bytes([kind])) + ebml(0x86, codec)
        + ebml(0x22B59C, (language or "und").encode())
    )  # fmt: skip


def why(path: Path, existing: Existing | None) -> str | None:
    seen = path.stat()
    try:
        open_recording(str(path), seen.st_size, seen.st_mtime_ns, Options(), existing=existing).close()
    except PartFailed as error:
        return error.message if (error.cause, error.retriable) == (Cause.EXISTING, False) else str(error)
    return None


def test_a_full_track_in_the_wanted_language_is_enough(tmp_path):
    path = film(tmp_path / "film.mkv", [("eng", "", True), ("ger", "Deutsch", False), ("tha", "Signs", False)])
    assert why(path, Existing(("de",))) == "not transcribed: it has subtitles in German (track 2 of its subtitles)"
    assert why(path, Existing(("en",))) is None
    assert why(path, Existing(("th",))) is None
    assert why(path, None) is None


@pytest.mark.parametrize(("spoken", "is_enough"), [("ger", True), ("jpn", False), ("", True)])
def test_where_no_language_is_configured_that_of_the_audio_track_counts(tmp_path, spoken, is_enough):
    path = film(tmp_path / "film.mkv", [("deu", "", False)], spoken)
    assert (why(path, Existing()) is not None) == is_enough


def test_files_beside_it_count_too(tmp_path):
    path = film(tmp_path / "film.mkv", [], "tha")
    assert "film.th.srt" in (why(path, Existing(("th", "en"), (("film.th.srt", "th"),))) or "")
    assert why(path, Existing(("th", "en"), (("film.en.srt", "en"),))) is None
