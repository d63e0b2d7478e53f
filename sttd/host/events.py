"""The kinds of events in the log. Each has a word, a level, and a MESSAGE_ID by which the journal finds and explains it.

Every line about a job, a worker, a model or the memory is logged by `say`, so that `journalctl STTD_JOB=42` is the life of
job 42. `systemd/sttd.catalog` has the text that `journalctl -x` adds. An identifier is for ever: it is never given to
another kind of event, and a new kind gets a new one (`journalctl --new-id128`).
"""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping
from dataclasses import dataclass

from loguru import logger

from sttd.job import Job

Value = str | bytes | float | None  # ints are floats here; None: the field is left out


class Kind(enum.Enum):
    """The word, which is the field STTD_EVENT; the MESSAGE_ID; the level."""

    DAEMON_START = "daemon-start", "6261278b0eef46da8519dceab0a8349e", "INFO"
    DAEMON_STOPPING = "daemon-stopping", "3807e80bb51a455a8a75f16b75fe8018", "INFO"
    DAEMON_STOP = "daemon-stop", "515eaa41f43f429a8780aa8ee97c36ac", "INFO"
    CONFIG_LOADED = "config-loaded", "883e76e4dc9b45bdb008a26d5e5abc9b", "INFO"
    CONFIG_REFUSED = "config-refused", "b6e32b7aba57405bb6baf78424f50022", "ERROR"
    OPTIONS_REFUSED = "options-refused", "72388fbb47f6459288419d18b034f3e0", "WARNING"
    QUEUE_PAUSED = "queue-paused", "b6da6d7fa2654152b02c4e6fbc4b98ee", "INFO"
    QUEUE_RESUMED = "queue-resumed", "64ad81953f71476382435448f19dfe9b", "INFO"
    QUEUE_HELD = "queue-held", "637aaa1a1a924ffcbc1a6f72929225b7", "ERROR"
    LEDGER_TROUBLE = "ledger-trouble", "582e48cd3e4142638dc67b6ad93f48b2", "CRITICAL"
    LEDGER_BACK = "ledger-back", "db1a0ae1405846599a9faf8ed6f9172b", "INFO"
    CLOCK_SET_BACK = "clock-set-back", "a30473246e2e4b53b49f93a2b4918709", "WARNING"
    INBOX_AWAY = "inbox-away", "4227c31fb76644a891782c4569cc05e6", "ERROR"
    INBOX_BACK = "inbox-back", "750b73634ff847f9a0135651439bdb28", "INFO"
    INBOX_UNWATCHED = "inbox-unwatched", "c9bca4f19f264f379080af9117497643", "WARNING"
    INBOX_IGNORED = "inbox-ignored", "3f268905031a48a0a556fac9f2c6bd2b", "INFO"
    INBOX_REFUSED = "inbox-refused", "f011bf9bf938474baee876c38c322530", "WARNING"

    JOB_QUEUED = "job-queued", "b93d78e3d1d542418ccbacf9e928ea2e", "INFO"  # by a new file, or again by a person
    JOB_CHANGED = "job-changed", "75e27dc6225f488e954903d20024ef6a", "INFO"
    JOB_VANISHED = "job-vanished", "d82055f37eb94aa7aa2774ee1dbbdd52", "WARNING"
    JOB_STARTED = "job-started", "4e83c25d8c294a87b349a01fc48f0a71", "INFO"
    JOB_RESUMED = "job-resumed", "ac609cd5bdf2487a9c195c4dcf232938", "INFO"
    JOB_COPIED = "job-copied", "6707a9a0016549d3890267d1d3c62e80", "INFO"
    JOB_SKIPPED = "job-skipped", "e951986a398549a3a3519c9c2ad481a6", "INFO"
    JOB_STOPPED = "job-stopped", "b01b99018a4746cd9c2c7ba37194416b", "INFO"
    JOB_TIMEOUT = "job-timeout", "5fa952528168430da565b3f11363a708", "ERROR"
    JOB_RETRY = "job-retry", "a1edd105e493434c99fa647acc5ff9d8", "WARNING"
    JOB_WAITS = "job-waits", "d4e3484742464d2397d519bacdc26d74", "WARNING"
    PART_DONE = "part-done", "93aec9ab590d4203859a5c4fd031a11d", "INFO"  # of a long recording that is shared out
    JOB_DONE = "job-done", "b8ae9c735373408dbc8b516b90379302", "SUCCESS"
    JOB_WARNING = "job-warning", "a6034f089c0a4bdc8b515b7ce2860ea1", "WARNING"  # logged beside job-done
    JOB_FAILED = "job-failed", "24c8b0970da4481aa4161adf6d02732b", "ERROR"
    JOB_CANCELLED = "job-cancelled", "02bf2069ae1a4720a16cf67a305515d9", "INFO"
    REQUEST_REFUSED = "request-refused", "6f6c07095c82404d9af67489863fd7ec", "WARNING"
    CHECKPOINT_TROUBLE = "checkpoint-trouble", "e6064477a038473c81ca72a19fa3ac36", "ERROR"
    RESULT_TROUBLE = "result-trouble", "ee4eaf0a82ee4269bc44ddad1b6a90d1", "ERROR"
    REMARK = "remark", "ca034206d1ed4bff8576df5dcafdbf45", "WARNING"

    MODEL_LOADED = "model-loaded", "543c7fb66994457d80d68f16abd629ef", "INFO"
    MODEL_TIMEOUT = "model-timeout", "57fc2bd83b1a426eb420537c4bcaa991", "ERROR"
    MODEL_ERROR = "model-error", "ceaec8b01a5c444585e7043c3834f3a8", "ERROR"
    MODEL_FALLBACK = "fallback", "b6d7786a85e148e4b30275c3e73a41e0", "WARNING"
    MODEL_REPLACED = "model-replaced", "1fb814f6522849cb8bf79a14bf11f59c", "WARNING"

    WORKER_KILLED = "worker-killed", "ccc25c1e7c014782b09ec2b5629e1587", "INFO"
    WORKER_CONFINED = "confined", "7c925c1c7f9d438a9e6ce57fa0c2cc5f", "DEBUG"
    WORKER_DIED = "worker-died", "f83777ba81e4410287ac0795577f7a66", "WARNING"
    WORKER_OOM = "worker-oom", "eb8c49a05faf4e669a84b3f755b57666", "ERROR"
    WORKER_STUCK = "worker-stuck", "f6ff0364ce1241c893c5814ec6ad6d50", "ERROR"

    REMOTE_READY = "remote-ready", "6151f27bbcf74157bf22bad380659477", "INFO"
    REMOTE_AWAY = "remote-away", "67c7b1636a434c09ae26f1d20ca93965", "WARNING"
    REMOTE_SAID = "remote-said", "f7e6f815e22b4b32977787fdf6881207", "INFO"

    MEMORY = "memory", "a2ca2bd2c106481683769711fc2c3719", "INFO"
    MEMORY_RISES = "memory-rises", "87f14b78c5cb41bd86e5d79affd42478", "WARNING"
    MEMORY_FALLS = "memory-falls", "fb804f807bf44a60996c81c4fea39036", "INFO"
    MEMORY_SHRINKS = "memory-shrinks", "73b14369d1594839b8d1e3995fc51507", "WARNING"
    NOTICE_TOLD = "notice-told", "624ade3f03f74ae19fd91332351770d2", "INFO"
    NOTICE_FAILED = "notice-failed", "09a365483ac24310b996bb0805d80986", "WARNING"
    NOTICE_DROPPED = "notice-dropped", "5f59e8f4a4134b298e573e5757cbab99", "ERROR"
    CLEANUP = "cleanup", "2ff30286063f4e299fda810bea6daa72", "DEBUG"

    def __init__(self, word: str, message_id: str, level: str) -> None:
        self.word = word
        self.message_id = message_id
        self.level = level

    @classmethod
    def of(cls, word: str) -> Kind:
        """The kind with this word. A word that only a newer worker knows becomes REMARK."""
        return next((kind for kind in cls if kind.word == word), cls.REMARK)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the journal gets beside the message. A field whose value is None is left out."""

    kind: Kind
    fields: Mapping[str, Value]


def say(kind: Kind, text: str, job: Job | None = None, *, level: str | None = None, **fields: Value) -> None:
    """Log one event.

    Args:
        kind: what happened.
        text: the line; names in it have passed through `text.printable`.
        job: the job that it is about: gives STTD_JOB, and STTD_SOURCE in the bytes of the name.
        level: replaces the kind's own level.
        fields: `seconds=3` becomes STTD_SECONDS. Seconds, bytes and per cent are numbers without a unit.
    """
    about: dict[str, Value] = {} if job is None else {"job": job.id, "source": os.fsencode(job.source)}
    logger.opt(depth=1).bind(facts=Facts(kind, about | fields)).log(level or kind.level, text)
