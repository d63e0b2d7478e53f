"""Moves staged results to their final names. Each step may be killed, and is then repeated.

The staging folder stays until the ledger says `done`. So a result that is missing in it was either moved to its name, and is
found there, or somebody removed it: then the results are written again. No job is done before its results were seen in place.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from sttd.errors import SttdError
from sttd.fs import copies, moves
from sttd.fs.blame import Blame, blame
from sttd.fs.folder import Folder
from sttd.outbox import former, names
from sttd.outbox.disks import trouble, works
from sttd.outbox.place import folder_below
from sttd.outbox.places import Absent, Places
from sttd.outbox.plan import BESIDE, Plan
from sttd.outbox.rights import why_unwritable
from sttd.own import OWN

STAGING = f"{OWN}-staging"
_CHOICE = ".choice"  # a file in the staging folder: the names that the results get if the planned ones cannot be used


class Unkept(SttdError):
    """A plan cannot be carried out any more: the results must be written again, from the checkpoint.

    `moved_to` is the path of the source if it was filed away already; None: it is where its job says.
    """

    moved_to: str | None = None


@dataclass(frozen=True, slots=True)
class _Choice:
    """How the results are named: an index into `names.ways` of the source's name, and the number after the stem."""

    way: int
    number: int


def publish(plan: Plan, places: Places) -> tuple[str, ...]:
    """Give the staged results their names, JSON last; returns their paths.

    No other file is replaced: if a name is taken, all results of the job get the same number after their stem. If the file
    system refuses a name, it is changed until it fits.

    Raises:
        Unkept: somebody removed a staged result.
        Absent: transcripts/ is not mounted.
        DiskTrouble, FileTrouble: they cannot be put beside the recording.
        OSError: a disk is full, or no name fits.
    """
    if plan.place != BESIDE:
        with opened(plan, places) as results:
            return results.place()
    told = functools.partial(trouble, source=plan.name, location=plan.location, places=places)
    try:
        with opened(plan, places) as results:
            _go_beside(results, places)
            try:
                return results.place()
            except OSError as error:
                # a read-only folder of the library holds up only its own recordings
                if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS) or told(error):
                    raise
                raise results.refusal(error) from None
    except OSError as error:
        found = told(error)
        if found is None or not _staging_works(plan, places):
            raise
        raise found from error


def _staging_works(plan: Plan, places: Places) -> bool:
    """Whether the disk of the staged results works, so that the trouble lies with the other one."""
    with (
        contextlib.suppress(OSError, Absent),
        places.open("transcripts") as transcripts,
        transcripts.below([STAGING, plan.staging]) as staging,
    ):
        return works(staging)
    return False


def _go_beside(results: _Results, places: Places) -> None:
    """Make sure that the recording is there, and let everybody who may read it read the results.

    If the recording is missing, nothing is written: its file system may not be mounted, or it was just renamed, and then its
    results are written under the new name, by a job of its own.
    """
    seen = results.recording()
    if seen is None:
        places.require_inbox(results.source)
        results.take_back()
        raise Unkept("the recording is not there any more: nothing is written beside it")
    results.dress(seen)


@contextlib.contextmanager
def opened(plan: Plan, places: Places) -> Iterator[_Results]:
    """The results of a plan, with the folder where they are staged and the one where they appear held open.

    Raises:
        Unkept: one of these folders is gone.
        Absent, OSError: as `publish`.
    """
    with places.open("transcripts") as transcripts:
        try:
            staging = transcripts.below([STAGING, plan.staging])
        except FileNotFoundError:
            with contextlib.suppress(FileNotFoundError, Unkept), _folder(plan, places, transcripts) as folder:
                former.put_back(plan, folder)
            raise Unkept("its staged results are gone: they are written again") from None
        with staging, _folder(plan, places, transcripts) as folder:
            yield _Results(plan, staging, folder)


def _folder(plan: Plan, places: Places, transcripts: Folder) -> Folder:
    """The folder that the results appear in; below the transcripts it is made if it is missing."""
    if plan.place != BESIDE:
        return folder_below(transcripts, names.split(plan.name)[0])
    try:
        return plan.source_folder(places)
    except FileNotFoundError:
        places.require_inbox(plan.name)
        raise Unkept("the folder of the recording is gone: its results are written where it is by now") from None


def existing_folder(plan: Plan, places: Places) -> Folder:
    """The folder that the results appear in; it is not made.

    Raises:
        FileNotFoundError: it is missing.
    """
    if plan.place == BESIDE:
        return plan.source_folder(places)
    with places.open("transcripts") as transcripts:
        return transcripts.below(names.split(plan.name)[0])


def free_number(folder: Folder, plan: Plan, name: str, start: int = 1) -> int:
    """A number from `start` on with which the names of all results of a plan, made of `name`, are free in a folder.

    The names of earlier results that will be replaced count as free.
    """

    def is_taken(number: int) -> bool:
        targets = names.results(name, plan.language, plan.hashes, number).values()
        return any(target not in plan.replaces and folder.stat(target) is not None for target in targets)

    return names.first_free(is_taken, start)


class _Results:
    """The results of one plan on their way from `staging` to `folder`."""

    def __init__(self, plan: Plan, staging: Folder, folder: Folder) -> None:
        self._plan, self._staging, self._folder = plan, staging, folder
        self._suffixes = sorted(plan.hashes, key=lambda suffix: suffix == "json")
        self._ways = tuple(names.ways(plan.result_name))
        self.source = plan.name

    def place(self) -> tuple[str, ...]:
        """Give all results their names; returns the paths in that order, JSON last."""
        choice = self._read_choice()
        while True:
            targets = self._targets(choice)
            try:
                for suffix in self._suffixes:
                    self._place(suffix, targets[suffix])
            except OSError as error:
                if blame(error) is not Blame.NAME:
                    raise
                self._take_back(targets)
                choice = self._other_choice(choice, error)
                self._write_choice(choice)
            else:
                self._folder.sync()
                former.remove(self._plan, self._folder, set(targets.values()))
                return tuple(self._folder.path_of(targets[suffix]) for suffix in self._suffixes)

    def recording(self) -> os.stat_result | None:
        """The recording in the folder of the results; None: it is not there."""
        return self._folder.file(self._plan.source_name)

    def refusal(self, error: OSError) -> OSError:
        """The error with a remedy, if one is known: as a PermissionError, so that it holds up no other job."""
        why = why_unwritable(self._folder)
        return error if why is None else PermissionError(errno.EACCES, why, self._folder.path)

    def dress(self, recording: os.stat_result) -> None:
        """Let everybody read the results who may read the recording: copies the read bits of group and others."""
        for suffix in self._suffixes:
            with contextlib.suppress(FileNotFoundError):  # it is in place
                handle = self._staging.open_file(suffix)
                try:
                    os.fchmod(handle, moves.RESULT_MODE | (recording.st_mode & 0o044))
                    os.fsync(handle)
                finally:
                    os.close(handle)

    def are_final(self) -> bool:
        """Whether all results are in place, and earlier ones were removed for them: then it cannot be undone."""
        if any(self._staging.file(suffix) is not None for suffix in self._suffixes):
            return False
        return former.has_removed(self._plan, self._folder, set(self._targets(self._read_choice()).values()))

    def take_back(self) -> None:
        self._take_back(self._targets(self._read_choice()))
        former.put_back(self._plan, self._folder)

    def _place(self, suffix: str, target: str) -> None:
        if self._staging.file(suffix) is None:
            if self._folder.file(target) is None:
                raise Unkept(f"its staged result {suffix} is gone: it is written again")
        elif self._folder.stat(target) is None:
            self._move(suffix, target)
        elif self._is_moved(suffix, target):
            moves.drop_first_name(self._staging, suffix, self._folder)
        elif former.set_aside(self._plan, self._folder, target):
            self._move(suffix, target)
        else:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self._folder.path_of(target))

    def _move(self, suffix: str, target: str) -> None:
        """Move one result from staging to its name; by a copy if need be, as a folder of the transcripts may be a mount."""
        move = moves.copy_new if self._is_of_another_group(suffix) else moves.move_new
        move(self._staging, suffix, self._folder, target)

    def _is_moved(self, suffix: str, target: str) -> bool:
        """Whether an earlier try was killed when the result had its name, before the staged file was removed."""
        if moves.is_moved(self._staging, suffix, self._folder, target):
            return True
        here = (self._staging, suffix, self._folder, target)
        return self._is_of_another_group(suffix) and self._folder.file(target) is not None and copies.is_copy(*here)

    def _is_of_another_group(self, suffix: str) -> bool:
        """Whether a result beside a recording lacks the group that its setgid folder gives; the service may not call chown(2)."""
        folder, staged = os.fstat(self._folder.handle), self._staging.file(suffix)
        is_handed_on = self._plan.place == BESIDE and folder.st_mode & stat.S_ISGID
        return bool(is_handed_on) and staged is not None and staged.st_gid != folder.st_gid

    def _targets(self, choice: _Choice) -> dict[str, str]:
        return names.results(self._ways[choice.way], self._plan.language, self._suffixes, choice.number)

    def _other_choice(self, choice: _Choice, error: OSError) -> _Choice:
        if isinstance(error, FileExistsError):
            number = free_number(self._folder, self._plan, self._ways[choice.way], choice.number + 1)
            return _Choice(choice.way, number)
        if choice.way + 1 == len(self._ways):
            raise error
        return _Choice(choice.way + 1, 1)  # if that name is taken, the next round finds out

    def _take_back(self, targets: dict[str, str]) -> None:
        """Move the results that are already placed back to staging, to get their next names with the rest."""
        for suffix, target in targets.items():
            if self._staging.file(suffix) is not None:
                self._drop_second_name(suffix, target)
            elif self._folder.file(target) is not None:
                moves.move_new(self._folder, target, self._staging, suffix)
        self._staging.sync()
        self._folder.sync()

    def _drop_second_name(self, suffix: str, target: str) -> None:
        """Remove the final name of a result that is still staged, as a kill may leave it. A refused name was never given."""
        try:
            has_both = self._is_moved(suffix, target)
        except OSError as error:
            if blame(error) is not Blame.NAME:
                raise
        else:
            if has_both:
                self._folder.unlink(target)

    def _read_choice(self) -> _Choice:
        """The choice on disk, else the planned one. One that is torn was never used: it is fsynced before any result is named."""
        try:
            handle = self._staging.open_file(_CHOICE)
        except FileNotFoundError:
            return _Choice(0, self._plan.number)
        with open(handle, "rb") as file:
            try:
                return _Choice(**json.load(file))
            except (ValueError, TypeError):
                return _Choice(0, self._plan.number)

    def _write_choice(self, choice: _Choice) -> None:
        text = json.dumps({"way": choice.way, "number": choice.number})
        moves.write_whole(self._staging, _CHOICE, lambda file: print(text, file=file))
        self._staging.sync()
