"""The settings that a far worker gets once, made from the configuration."""

from __future__ import annotations

from sttd import __version__
from sttd.config import Config
from sttd.pool.wire import PROTOCOL, Setup

_BEATS = 6  # beats at least within the time of silence
_BEAT = 5.0  # seconds between two, at most
_SOONER = 2 / 3  # of the time of silence: the far side is to end before we give its part to another worker


def setup_of(config: Config, *, number: int, slots: int, device: str, cpu_threads: int) -> Setup:
    """See `Setup` for the arguments."""
    memory, model, silence = config.memory, config.model, config.pool.remote_timeout
    return Setup(
        version=__version__,
        protocol=PROTOCOL,
        silence=_SOONER * silence,
        beat=min(_BEAT, silence / _BEATS),
        device=device,
        usual_device=model.device,
        cpu_threads=cpu_threads,
        cleanup_every_chunks=memory.cleanup_every_chunks,
        cleanup_cooldown=memory.cleanup_cooldown,
        jobs_per_worker=config.pool.jobs_per_worker,
        model=model.name,
        fallback=model.fallback,
        number=number,
        slots=slots,
    )
