"""Staged results get their names. Each step can be killed, and is done again."""

from __future__ import annotations

import os

from sttd.errors import SttdError
from sttd.fs import moves
from sttd.fs.digest import digest
from sttd.fs.sync import fsync_folder
from sttd.outbox import names
from sttd.outbox.plan import Plan


class Unkept(SttdError):
    """What a plan promised cannot be kept any more: the results are to be written anew, from the checkpoint."""


def publish(plan: Plan) -> tuple[str, ...]:
    """Give the staged results their names, JSON last; returns their paths.

    Names that others have are left to them: all results of a job get the same number behind their stem.

    Raises:
        Unkept: somebody took a staged result away.
    """
    if not os.path.isdir(plan.staging):
        return _published_before(plan)
    moves.make_folder(plan.folder)
    number = 1
    while not _is_free(plan, number):
        number += 1
    while True:
        try:
            outputs = tuple(_place(plan, suffix, number) for suffix in sorted(plan.hashes, key=lambda s: s == "json"))
        except FileExistsError:  # somebody took the name in this moment: what is placed already moves on with the rest
            _take_back(plan, number)
            number += 1
            continue
        fsync_folder(plan.folder)
        moves.remove_tree(plan.staging)
        return outputs


def _published_before(plan: Plan) -> tuple[str, ...]:
    """The results of a try that was killed after its last step; () where a person took them away since."""
    number = 1
    while True:
        paths = [_target(plan, suffix, number) for suffix in plan.hashes]
        if not any(map(os.path.lexists, paths)):
            return ()
        if all(_is_ours(plan, suffix, _target(plan, suffix, number)) for suffix in plan.hashes):
            return tuple(sorted(paths, key=lambda path: path.endswith(".json")))
        number += 1


def _target(plan: Plan, suffix: str, number: int) -> str:
    return os.path.join(plan.folder, names.results(names.split(plan.name)[1], plan.language, [suffix], number)[suffix])


def _is_ours(plan: Plan, suffix: str, path: str) -> bool:
    staged = os.path.join(plan.staging, suffix)
    if os.path.exists(staged):
        return os.path.exists(path) and os.path.samefile(staged, path)
    return os.path.isfile(path) and digest(path) == plan.hashes[suffix]


def _is_free(plan: Plan, number: int) -> bool:
    """Whether every name with this number is nobody's, or ours from a try before."""
    paths = {suffix: _target(plan, suffix, number) for suffix in plan.hashes}
    return all(not os.path.lexists(path) or _is_ours(plan, suffix, path) for suffix, path in paths.items())


def _place(plan: Plan, suffix: str, number: int) -> str:
    target, staged = _target(plan, suffix, number), os.path.join(plan.staging, suffix)
    if not os.path.exists(staged):
        if _is_ours(plan, suffix, target):
            return target
        raise Unkept(f"the staged result {staged} is gone: it is written again")
    if os.path.lexists(target) and os.path.samefile(staged, target):  # killed between link and unlink
        os.unlink(staged)
    else:
        moves.move_new(staged, target)  # a folder of the transcripts may be another mount
    return target


def _take_back(plan: Plan, number: int) -> None:
    for suffix in plan.hashes:
        target, staged = _target(plan, suffix, number), os.path.join(plan.staging, suffix)
        if not os.path.exists(staged) and _is_ours(plan, suffix, target):
            moves.move_new(target, staged)


def withdraw(plan: Plan) -> None:
    """Take results back that were placed; only those that are ours, by their content."""
    number = 1
    while any(os.path.lexists(_target(plan, suffix, number)) for suffix in plan.hashes):
        for suffix in plan.hashes:
            path = _target(plan, suffix, number)
            if os.path.lexists(path) and _is_ours(plan, suffix, path):
                os.unlink(path)
        number += 1
    if os.path.isdir(plan.folder):
        fsync_folder(plan.folder)
