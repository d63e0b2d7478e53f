"""What people ask for on the command line, acted on within a second, or at the next start.

A request is a file in the spool until it is carried out. The transaction that carries it out, or the last step of a large
one, stores its answer; then the file goes. A daemon that was killed between the two finds the answer, and only removes
the file. No request is trusted: what was checked when it was asked is checked here again, against the job as it is.
"""

from __future__ import annotations

import contextlib
import dataclasses

from loguru import logger

from sttd.configfile.languages import CODES
from sttd.daemon import attempts, filing, first, orders
from sttd.daemon.context import Context
from sttd.daemon.ending import release
from sttd.daemon.source import source_path
from sttd.errors import LedgerError, SttdError, UsageError
from sttd.host.events import Kind, say
from sttd.hub.names import require_name
from sttd.job import RETRIABLE, Job, Overrides, State
from sttd.ledger import Answer, Ask, Request, moved
from sttd.ledger.facts import PAUSED
from sttd.ledger.request import MOST_FIRST
from sttd.ledger.spool import Left, Unfit
from sttd.part import Cause
from sttd.rules import refusals
from sttd.text import counted, printable

# causes after which a queued job only waits for its next try: nothing happens meanwhile
AFTER_FAULTS = frozenset({
    Cause.TIMEOUT, Cause.CRASH, Cause.OOM, Cause.GPU_MEMORY, Cause.ERROR, Cause.NO_MODEL, Cause.MACHINE, Cause.CONFIGURATION,
})  # fmt: skip
BUDGET = 0.2  # seconds that requests may take of one round of the loop
STEP = 50  # jobs in one step of a request that is about many
AS_BEFORE = Overrides()


class Refused(SttdError):
    """What was asked for cannot be done; the message is for the person who asked."""


def take(context: Context, *, whole: bool = False) -> None:
    """Act on requests, for a bounded time. What is left is taken up in the next round.

    `whole`: the folder was read to its end, or need not be.
    """
    spool, end = context.requests.spool, context.clock() + BUDGET
    failed: OSError | None = None
    while context.clock() < end:
        try:
            if spool.found:
                _begin(context, spool.found.popleft())
            elif not whole:
                names = spool.names()
                whole = names is None
                spool.found.extend(names or ())
            elif spool.under_way:
                name, left = spool.under_way.popitem()
                _carry_out(context, name, left)
            else:
                break
        except OSError as error:  # about one entry: the others have their turn
            failed, whole = error, whole or not spool.found
    for text in spool.refusals():
        say(Kind.REQUEST_REFUSED, f"requests: {text}")
    if failed is None:
        context.troubles.end("requests")
    elif context.troubles.begin("requests", f"requests cannot be read: {failed}"):
        logger.error("a request cannot be read or removed: {}; it is tried again", failed)


def _begin(context: Context, name: str) -> None:
    """A request that was found: read it, unless it is known already."""
    if name in context.requests.spool.under_way or context.requests.sought.is_under_way(name):
        return
    found = context.requests.sought.take(name)
    answer = context.ledger.answer(name)
    if answer is not None and answer.ok is not None:
        context.requests.spool.remove(name)  # carried out by a daemon that was killed before this
        return
    try:
        left = context.requests.spool.read(name)
    except FileNotFoundError:
        return
    except Unfit as error:
        context.requests.spool.refuse(name, str(error))
        return
    why = _missing(context, name, left.request, found)
    if why:
        _refuse(context, name, left, why)
        context.requests.spool.remove(name)
    elif why is not None:
        _carry_out(context, name, left)


def _missing(context: Context, name: str, request: Request, found: str | None) -> str | None:
    """Why the model that a request names is not here; "": it is, or need not be; None: it is being looked for."""
    if request.kind is not Ask.REDO or request.model is None or context.config.has_others:  # those may have it
        return ""
    if found is not None:
        return found

    def go_on() -> None:
        context.requests.spool.found.appendleft(name)
        take(context, whole=True)  # the folder may have thousands more, whose models are being looked for

    with contextlib.suppress(UsageError):  # a folder that must not be looked at, say: `redo` refuses it
        _require_name(context, request.model)
        context.requests.sought.look(name, request.model, go_on)
        return None
    return ""


def _require_name(context: Context, model: str) -> None:
    require_name(model, (context.config.model.name, context.config.model.fallback))


def _carry_out(context: Context, name: str, left: Left) -> None:
    """One step of a request: mostly the only one."""
    try:
        with context.ledger.transaction():
            answer = _act(context, left.request, context.ledger.answer(name) or Answer(None))
            context.ledger.set_answer(name, answer, context.utc())
    except LedgerError:
        raise
    except SttdError as error:  # refused, no such job, or one that has gone on meanwhile
        answer = _refuse(context, name, left, str(error))
    except Exception as error:  # noqa: BLE001 - one request must not end the daemon, now and at each start to come
        logger.exception("a fault in sttd, met by the request {!r} of user {}", left.request, left.owner)
        answer = _refuse(context, name, left, f"a fault in sttd ({type(error).__name__}): its log has the trace")
    if answer.ok is None:
        context.requests.spool.under_way[name] = left
    else:
        context.requests.spool.remove(name)


def _refuse(context: Context, name: str, left: Left, why: str) -> Answer:
    answer = Answer(ok=False, text=why)
    context.ledger.set_answer(name, answer, context.utc())
    about = "" if left.request.job is None else f" {left.request.job}"
    text = printable(why.replace("`sttd ", f"`{context.config.program} "))  # its commands are for this ledger
    say(Kind.REQUEST_REFUSED, f"{left.request.kind}{about}, asked by user {left.owner}, is refused: {text}")
    return answer


def _act(context: Context, request: Request, before: Answer) -> Answer:
    """Do what is asked; raises Refused, NoSuchJob or Stale where it cannot be done."""
    if request.kind in (Ask.RETRY, Ask.RETRY_FAILED, Ask.RESUME):
        release(context)
    match request.kind:
        case Ask.PAUSE | Ask.RESUME:
            return Answer(ok=True, text=_switch(context, paused=request.kind is Ask.PAUSE))
        case Ask.RETRY_FAILED:
            return _retry_failed(context, before)
    job = context.ledger.get(request.job or 0)
    match request.kind:
        case Ask.RETRY:
            text = retry(context, job)
        case Ask.CANCEL:
            text = cancel(context, job)
        case Ask.REDO:
            text = redo(context, job, Overrides(request.model, request.language))
        case Ask.NEXT:
            text = put_first(context, job)
    return Answer(ok=True, text=text)


def _switch(context: Context, *, paused: bool) -> str:
    context.ledger.set_fact(PAUSED, paused)
    if paused:
        say(
            Kind.QUEUE_PAUSED,
            f"paused: running jobs end, no other starts until `{printable(context.config.program)} resume`",
        )
        return "paused: no further job starts until `sttd resume`"
    say(Kind.QUEUE_RESUMED, "resumed")
    return "resumed: jobs start again"


def _retry_failed(context: Context, before: Answer) -> Answer:
    """The next failed jobs, in order of their numbers: each once, however soon it fails again."""
    page = context.ledger.page(State.FAILED, before.last, STEP)
    queued = before.jobs
    for job in page:
        try:
            retry(context, job)
        except Refused as error:
            say(Kind.REQUEST_REFUSED, str(error), job)
        else:
            queued += 1
    if len(page) == STEP:
        return Answer(ok=None, jobs=queued, last=page[-1].id)
    return Answer(ok=True, text=f"queued again: {counted(queued, 'failed job')}", jobs=queued)


def retry(context: Context, job: Job, asked: Overrides = AS_BEFORE) -> str:
    """Queue an ended job again, with all of its attempts, from its checkpoint.

    `asked`: new overrides for this job alone, beside those that it has. Its chunks may not fit them.
    """
    _require(refusals.of_retry(job))
    latest = context.ledger.latest(job.source)
    if not job.location and latest is not None and latest.id != job.id:
        raise Refused(f"job {job.id}: {printable(job.source)} is another file by now, which job {latest.id} is about")
    now, where = context.utc(), moved.location(job, context.config.paths)
    changes = {
        "attempts": 0,
        "not_before": 0.0,
        "error": None,
        "cause": None,
        "finished_at": None,
        "copy_of": None,
        "no_copy": False,
        "options_key": None,  # those of its folder may have been put right
        "overrides": Overrides(asked.model or job.overrides.model, asked.language or job.overrides.language),
    }
    if asked.model is not None:  # what the former model had no memory for says nothing about this one
        changes |= {"batch_size": None, "device": None}
    new = context.ledger.update(job, state=State.QUEUED, queued_at=now, location=where or None, **changes)
    context.ledger.reopen_parts(job)  # parts that are done stay done, if the options are the same
    context.judging.claims.forget(job.id)
    words = f" ({_in_words(asked)})" if asked != AS_BEFORE else ""
    if words and job.chunks and job.options_key != orders.key_of(context, new):
        words += ", from its beginning: its chunks were made with other options"
    say(Kind.JOB_QUEUED, f"job {job.id}: {printable(job.source)} is queued again{words}", job)
    return f"{_named(job)} is queued again{words}"


def cancel(context: Context, job: Job) -> str:
    """Take a waiting job out of the queue, or end a running one. Its source stays where it is."""
    _require(refusals.of_cancel(job))
    if job.state is State.QUEUED:
        context.ledger.update(
            job, state=State.CANCELLED, cause=Cause.CANCELLED, copy_of=None, finished_at=context.utc()
        )
        context.pool.forget(source_path(context, job))
        say(Kind.JOB_CANCELLED, f"job {job.id}: {printable(job.source)} is cancelled", job)
        return f"{_named(job)} is cancelled"
    if job.state is State.RUNNING:
        attempts.cancel(context, job)
    else:
        filing.cancel(context, job)
    return f"{_named(job)} is being stopped"


def redo(context: Context, job: Job, overrides: Overrides) -> str:
    """A new job from the source of a finished one, with another model or language; the old result stays.

    A job without a result is itself queued again.
    """
    _require(refusals.of_redo(job))
    if overrides.model is not None:
        _require_name(context, overrides.model)
    if overrides.language is not None and overrides.language not in CODES:
        raise Refused(f"{overrides.language!r} is no language that Whisper knows")
    if job.state in RETRIABLE:
        release(context)
        return retry(context, job, overrides)
    new = context.ledger.add(
        job.source, job.identity, context.utc(),
        location=moved.location(job, context.config.paths), redo_of=job.id, sha256=job.sha256, overrides=overrides,
        folder_options=job.folder_options,
    )  # fmt: skip
    text = f"job {new.id}: {printable(job.source)} is done again ({_in_words(overrides) or 'as configured'})"
    say(Kind.JOB_QUEUED, text, new, redo_of=job.id)
    return f"{_named(job)} is done again as job {new.id}"


def put_first(context: Context, job: Job) -> str:
    """A waiting job comes before all others, at once where it only waits for its next try."""
    _require(refusals.of_next(job))
    if job.cause in AFTER_FAULTS and job.not_before > context.utc():
        job = context.ledger.update(job, not_before=0.0)
        context.ledger.hurry_parts(job)
    left = "".join(
        f"; job {each} is no longer before the others: {MOST_FIRST} can be" for each in first.put(context, job)
    )
    say(Kind.JOB_QUEUED, f"job {job.id}: {printable(job.source)} comes before all others{left}", job)
    later = ", not before its file has settled or can be read" if job.not_before > context.utc() else ""
    if job.waits_for_folder:
        later = f", once the options of its folder are put right ({printable(job.error or '')})"
    return f"{_named(job)} is the next{later}{left}"


def _in_words(asked: Overrides) -> str:
    return printable(", ".join(f"{name} {value}" for name, value in dataclasses.asdict(asked).items() if value))


def _require(refusal: str) -> None:
    """Raises Refused where there is a reason; see rules/refusals.py."""
    if refusal:
        raise Refused(refusal)


def _named(job: Job) -> str:
    return f"job {job.id} ({printable(job.source)})"
