"""What FFmpeg makes of our subtitles; players and media servers read them by it."""

from __future__ import annotations

from pathlib import Path

import av


def packets(path: Path) -> tuple[str, int]:
    """The codec of a subtitle file, and how many cues it has."""
    with av.open(str(path)) as container:
        (stream,) = container.streams.subtitles
        return stream.codec_context.name, sum(packet.size > 0 for packet in container.demux(stream))
