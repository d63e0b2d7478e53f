"""Which receivers get which notices. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase

from sttd.config import Receiver
from sttd.notify.notice import Notice


def wants(receiver: Receiver, notice: Notice) -> bool:
    """Whether a receiver gets a notice. Rules about recordings do not apply to notices about the whole machine.

    A recording whose language is not known yet passes for every language: one notice too many is better than a failure unseen.
    """
    if notice.event not in receiver.events:
        return False
    if notice.job is None:
        return True
    languages = receiver.languages
    return (
        (not receiver.folders or any(fnmatchcase(each, rule) for each in notice.folders for rule in receiver.folders))
        and (not receiver.names or any(fnmatchcase(notice.name, rule) for rule in receiver.names))
        and (not languages or notice.language is None or notice.language in languages)
    )
