"""What a browser is told of a recording: never that it is a page."""

from __future__ import annotations

_AUDIO = {
    "aac": "aac", "aif": "aiff", "aiff": "aiff", "amr": "amr", "caf": "x-caf", "flac": "flac", "m4a": "mp4", "m4b": "mp4",
    "mka": "x-matroska", "mp1": "mpeg", "mp2": "mpeg", "mp3": "mpeg", "mpga": "mpeg", "oga": "ogg", "ogg": "ogg",
    "opus": "ogg", "wav": "wav", "wave": "wav", "weba": "webm", "wma": "x-ms-wma",
}  # fmt: skip
_VIDEO = {
    "3gp": "3gpp", "avi": "x-msvideo", "m4v": "mp4", "mkv": "x-matroska", "mov": "quicktime", "mp4": "mp4", "mpeg": "mpeg",
    "mpg": "mpeg", "ogv": "ogg", "webm": "webm", "wmv": "x-ms-wmv",
}  # fmt: skip


def kind(name: str) -> str:
    """The media type of a recording, by its suffix (RFC 9110, 8.3.1)."""
    suffix = name.rpartition(".")[2].lower()
    if suffix in _AUDIO:
        return f"audio/{_AUDIO[suffix]}"
    return f"video/{_VIDEO[suffix]}" if suffix in _VIDEO else "application/octet-stream"


def is_film(name: str) -> bool:
    return name.rpartition(".")[2].lower() in _VIDEO
