"""Status and jobs as plain text: what pipes and files get. The columns stay where they are.

No field is trusted: each line is made harmless as a whole (`sentence`), whatever the ledger holds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sttd import units
from sttd.job import UNDER_WAY, Job, State
from sttd.script import may_cut, width
from sttd.sharing import in_words
from sttd.text import printable, sentence
from sttd.units import format_duration

if TYPE_CHECKING:
    from sttd.view.lying import Lying

clock = units.clock


def moment(utc: float | None) -> str:
    """A time of day with its date, in the local zone."""
    if utc is None:
        return "-"
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(utc))
    except (OverflowError, ValueError, OSError):  # no year of a calendar
        return f"{utc:g}"


def nearby(utc: float | None, now: float) -> str:
    """A time as short as it is clear beside the present: `14:32`, `Nov 28 14:32`, `2025-11-28`."""
    if utc is None:
        return "-"
    try:
        then, today = time.localtime(utc), time.localtime(now)
    except (OverflowError, ValueError, OSError):
        return "-"
    if then[:3] == today[:3]:
        return time.strftime("%H:%M", then)
    return time.strftime("%b %d %H:%M" if abs(utc - now) < 150 * 86400 else "%Y-%m-%d", then)


def nearest(utc: float | None, now: float) -> str:
    """As `nearby`, in six columns: `14:32`, `Nov 28`, `2025`."""
    found = nearby(utc, now)
    return found[:6] if " " in found else found.partition("-")[0] or found


def about(utc: float, now: float) -> str:
    """When something will be, which is an estimate: `about 14:32, in 3h 10min`."""
    left = utc - now
    if not math.isfinite(left):
        return "-"
    if left < 60:
        return "in less than a minute"
    return f"about {nearby(utc, now)}, in {span((left + 30) // 60 * 60)}"


def span(seconds: float) -> str:
    """How long ago, in the two largest units: `2h 14min`."""
    if not math.isfinite(seconds * 1e6):  # a duration is computed in microseconds
        return "-"
    return " ".join(format_duration(max(0, int(seconds))).split()[:2])


def size(count: int) -> str:
    """Bytes as people read them: `3.4 MB`."""
    value, units = float(count), ["bytes", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} {units[0]}" if units[0] == "bytes" else f"{value:.1f} {units[0]}"


def daemon(status: dict[str, Any], now: float) -> str:
    """Whether it runs, in words."""
    about = status["daemon"]
    if not about["running"]:
        return "not running"
    word = "paused" if status["paused"] else "running"
    if about["since"] is None:
        return f"{word}, starting"
    lasted = span(now - about["since"])
    return sentence(f"{word} since {moment(about['since'])} ({lasted}), pid {about['pid']}, version {about['version']}")


MOST = 5  # jobs of a kind that a status names
RARE = (State.VANISHED, State.COMMITTING)  # left out where there are none


def counted(jobs: dict[str, int]) -> Iterator[tuple[State, int, str]]:
    """Each state with its count, and both in words. A job whose files are being put in place has no worker any more."""
    filed = jobs[State.COMMITTING]
    for name, count in jobs.items():
        state, number = State(name), count - filed if name == State.RUNNING else count
        if number or state not in RARE:
            yield state, number, f"{number} {'being filed' if state is State.COMMITTING else name}"


def counts(status: dict[str, Any]) -> str:
    return ", ".join(words for _, _, words in counted(status["jobs"]))


def operation(found: dict[str, Any], now: float) -> str:
    """File work that takes long, and since when."""
    about = "" if found["job"] is None else f"job {found['job']}: "
    return sentence(f"{about}{found['name']}, for {span(now - found['since'])}")


def inbox(status: dict[str, Any]) -> str:
    """How much the inbox holds beside jobs; "" where there is nothing to say."""
    found = status["inbox"]
    words = [f"{found['settling']} settling"] if found["settling"] else []
    words += [f"{count} ignored ({reason})" for reason, count in sorted(found["ignored"].items())]
    return sentence(", ".join(words))


def remote(found: dict[str, Any], now: float) -> str:
    """The workers of another machine, or why there are none."""
    name = printable(found["name"])
    if found["away"] is None:
        return sentence(f"{name}: {found['workers']} of {found['slots']} workers")
    again = f"in {span(found['retry_at'] - now)}" if found["retry_at"] > now else "when there is work for it"
    return sentence(f"{name} is away: {found['away']}; it is tried again {again}")


def memory(status: dict[str, Any]) -> str:
    return sentence(f"{status['memory']['percent']:.1f} % ({status['memory']['level']})")


def held_up(status: dict[str, Any], program: str) -> Iterator[tuple[str, str]]:
    """What keeps recordings from being transcribed: a word, and a sentence with the problem and the remedy.

    `program`: how sttd is called for the same ledger.
    """
    if not status["daemon"]["running"]:
        yield "stopped", sentence(f"no recording is transcribed until `{start(program)}`")
    for trouble in status["trouble"]:
        yield "trouble", sentence(trouble)
    away = status["inbox"]["away"]
    if away and not any(away in trouble for trouble in status["trouble"]):
        yield "trouble", sentence(f"inbox away: {away}")
    if status["paused"]:
        yield "paused", sentence(f"no job starts until `{program} resume`")
    missing = [] if status["model"] is None or status["trouble"] else list(status["model"]["missing"].values())
    if missing:
        yield "model", sentence("; ".join(missing))


def start(program: str) -> str:
    """The command that starts the daemon. Without options it is the installed service."""
    return "systemctl start sttd" if program == "sttd" else f"{program} run"


def status_lines(
    status: dict[str, Any], now: float, lying: Lying | None = None, program: str = "sttd"
) -> Iterator[str]:
    """`sttd status`: a word, then what it says. What holds work up comes first."""
    yield f"daemon   {daemon(status, now)}"
    for word, text in held_up(status, program):
        yield f"{word:<7}  {text}"
    yield f"jobs     {counts(status)}"
    if status["memory"]["percent"] is not None:
        yield f"memory   {memory(status)}"
    if inbox(status):
        yield f"inbox    {inbox(status)}"
    for worker in status["workers"]:
        yield f"worker   {_worker(worker)}"
    for found in status["remotes"]:
        yield f"remote   {remote(found, now)}"
    for found in status["operations"]:
        yield f"files    {operation(found, now)}"
    for found in status["waiting"][:MOST]:
        yield f"waiting  {found['id']} {printable(found['source'])}{behind(waits(found, now))}"
    for found in status["failures"][:MOST]:
        yield f"failed   {found['id']} {printable(found['source'])}{behind(sentence(found['error'] or ''))}"
    if lying is not None:
        for name in lying.settling:
            yield f"settles  {printable(name)}"
        for why, name in lying.ignored:
            yield f"ignored  {printable(name)}{behind(sentence(why))}"


def waits(found: dict[str, Any], now: float) -> str:
    """Why a recording waits, or when it will be done; "": it waits for its turn, and how long is not known."""
    if found["reason"]:
        again = f"; next try at {nearby(found['not_before'], now)}" if (found["not_before"] or 0.0) > now else ""
        return sentence(f"{found['reason']}{again}")
    return "" if found["ends_at"] is None else f"done {about(found['ends_at'], now)}"


def behind(remark: str) -> str:
    """A remark that follows a name, after a tab: no printed name has one in it."""
    return f"\t{remark}" if remark else ""


def label(worker: dict[str, Any]) -> str:
    """The worker's process id, or its name if it is on another machine."""
    return printable(worker["name"]) if worker["pid"] is None and worker["name"] else str(worker["pid"])


def _worker(worker: dict[str, Any]) -> str:
    words = [f"{label(worker)} {worker['state']}"]
    words += [f"model {printable(worker['model'])}"] if worker["model"] else []
    if worker["job"] is not None:
        at = "".join(f" {each}" for each in (part(worker), attempt(worker) if is_again(worker) else "") if each)
        done = percent(worker["progress"])
        words.append(f"job {worker['job']}{at} {done} {printable(worker['source'] or '')}".rstrip())
    return sentence(" ".join(words))


def part(worker: dict[str, Any]) -> str:
    """Which part of its recording a worker has; "" where that is not shared out."""
    if worker.get("part") is None:
        return ""
    return in_words(worker["part"] - 1, worker["parts"], worker["begins"], worker["ends"])


def is_again(worker: dict[str, Any]) -> bool:
    """Whether to show which attempt a worker is at. Not by the number for a part: the attempts at all parts count together."""
    return bool(worker["resumed_at"]) if worker.get("part") is not None else (worker["attempt"] or 1) > 1


def attempt(worker: dict[str, Any]) -> str:
    """Which attempt a worker is at, and where in the audio it began."""
    resumed_at = (worker["resumed_at"] or 0.0) + (worker.get("begins") or 0.0)
    resumed = f" from {clock(resumed_at)}" if worker["resumed_at"] else ""
    return f"attempt {worker['attempt']}{resumed}"


def speed(factor: float) -> str:
    """Seconds of audio a second: `9.5×`, `120×`."""
    return f"{factor:.1f}×" if factor < 9.95 else f"{factor:.0f}×"


def percent(progress: float | None) -> str:
    return "-" if progress is None else f"{progress:.0%}"


def done_share(job: Job) -> float | None:
    """How much of the recording is transcribed, 0 to 1; None where it is not known."""
    if job.state is State.DONE:
        return 1.0
    return min(1.0, job.progress / job.audio_seconds) if job.audio_seconds else None


MODEL_ROOM = 16  # columns
JOBS_HEAD = "    ID  STATE       DONE      AUDIO  LANG  MODEL             WHEN              SOURCE"


def job_line(job: Job) -> str:
    """One job; the source comes last, and after a tab (which no printed name holds) what is wrong with it."""
    language, model = printable(job.language or "-"), model_name(job.model, MODEL_ROOM)
    words = f"{job.id:>6}  {job.state:<10}  {percent(done_share(job)):>4}  {clock(job.audio_seconds):>9}  {language:<4}"
    wrong = "" if job.state in UNDER_WAY else _wrong(job)
    return f"{words}  {padded(model, MODEL_ROOM)}  {moment(when(job))[:16]:<16}  {printable(job.source)}" + (
        f"\t{wrong}" if wrong else ""
    )


def model_name(model: str | None, room: int) -> str:
    """A model's name in a list: what follows the last slash. It is cut at its front, because versions differ at the end."""
    name = printable((model or "").rstrip("/").rpartition("/")[2] or "-")
    if width(name) <= room:
        return name
    begin = max(1, len(name) - 4 * room)  # a damaged name may have 100,000 letters: do not measure them all
    first = next(at for at in range(begin, len(name) + 1) if width(name[at:]) < room and may_cut(name, at))
    return f"…{name[first:]}"


def padded(text: str, room: int) -> str:
    """`text` with spaces behind it up to `room` columns: marks above and below Thai letters take none."""
    return text + " " * (room - width(text))


def when(job: Job) -> float:
    """When a job ended; if it runs, when its attempt began; if it waits, when it came. UTC seconds."""
    began = job.started_at if job.state in UNDER_WAY else None
    return job.finished_at or began or job.created_at


def remark(job: Job) -> str:
    """A remark on a job in a list; "": none. While a worker has the job, earlier errors are not shown."""
    if job.state is State.RUNNING and job.shared is not None:
        return f"in {job.shared.parts} parts"
    if job.state is State.RUNNING:
        return f"attempt {job.attempt} since {moment(job.started_at)}" if job.attempt > 1 else ""
    return "" if job.state is State.COMMITTING else _wrong(job)


def _wrong(job: Job) -> str:
    """What went wrong with a job, or with its result."""
    return sentence("; ".join((*([job.error] if job.error else []), *job.warnings)))
