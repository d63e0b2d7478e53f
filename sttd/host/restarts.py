"""A growing wait before a start that follows soon after a failed one: systemd has RestartSteps= only since 254.

The unit's runtime folder survives restarts (RuntimeDirectoryPreserve=restart), and a daemon that is stopped removes its
count. So only restarts after a failure are counted. A person has to wait only if they stopped the unit in the very second
between a failure and its restart: systemd 252 then leaves the folder.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from sttd.host.sd_notify import Notifier

FIRST = 2.0  # seconds; each further failure in a row doubles the wait
LONGEST = 300.0
SOUND = 600.0  # seconds; a daemon that ran this long did not fail at its start: counting begins anew
FILE = "starts.json"


@dataclass(frozen=True, slots=True)
class Starts:
    """Starts in a row that failed soon, and when the last one was (seconds since the boot)."""

    failed: int = 0
    last: float = 0.0


def following(before: Starts | None, now: float) -> tuple[Starts, float]:
    """What to store for a start at `now` (seconds since the boot), and how many seconds it is to wait first.

    Args:
        before: what the start before has stored; None: this is the first one.
        now: seconds since the boot.
    """
    if before is None:
        return Starts(0, now), 0.0
    failed = 1 if now - before.last >= SOUND else before.failed + 1
    wait = min(LONGEST, FIRST * 2.0 ** min(failed - 2, 30)) if failed > 1 else 0.0
    return Starts(failed, now + wait), wait


def wait_turn(notifier: Notifier, environ: Mapping[str, str], sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait as long as this start has to. Nothing happens where systemd gave no runtime folder."""
    path = _path(environ)
    if path is None:
        return
    starts, wait = following(_read(path), time.clock_gettime(time.CLOCK_BOOTTIME))
    try:
        temporary = path.with_suffix(".part")
        temporary.write_text(json.dumps([starts.failed, starts.last]), "ascii")
        temporary.replace(path)
    except OSError as error:
        logger.warning("starts cannot be counted: {}: {}", path, error.strerror or error)
        return
    if wait:
        logger.warning(
            "started {} times in a row and ended soon: waits {:.0f} s before this start", starts.failed, wait
        )
        notifier.extend_timeout(wait + 60)
        notifier.status(f"waits {wait:.0f} s: the last {starts.failed} starts ended soon")
        sleep(wait)


def reset(environ: Mapping[str, str]) -> None:
    """To be called when the daemon ends on request: the next start follows no failure, and does not wait."""
    path = _path(environ)
    if path is not None:
        with contextlib.suppress(OSError):  # then the next start waits a little
            path.unlink()


def _path(environ: Mapping[str, str]) -> Path | None:
    folder = environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return Path(folder, FILE) if folder and environ.get("NOTIFY_SOCKET") else None


def _read(path: Path) -> Starts | None:
    try:
        failed, last = json.loads(path.read_text("ascii"))
        return Starts(int(failed), float(last))
    except (OSError, ValueError, TypeError):  # the first start, or a file that is torn
        return None
