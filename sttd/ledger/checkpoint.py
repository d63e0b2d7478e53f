"""The checkpoint of a part: one line a chunk, each with an end mark, flushed and fsynced.

Only the daemon writes it, so a worker that was wrongly taken for dead cannot. The first line says which file and which
options the chunks belong to. A torn, altered or out-of-order line does not count, nor does anything after it: a resume
continues after the last good line, and the rest is cut off before the next append.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from loguru import logger

from sttd.fs.regular import open_regular, set_mode
from sttd.fs.sync import fsync_folder
from sttd.job import Job, Part, Shared
from sttd.ledger.lines import from_json, to_json
from sttd.ledger.merging import by_time
from sttd.ledger.names import is_checkpoint
from sttd.ledger.rows import shared_of
from sttd.ledger.seal import is_whole, seal, unseal
from sttd.part import TOGETHER, Chunk, ModelSpec, Options, Place, Segment

_VERSION = 1
_ABOUT = ("sttd", "job", "options", "size", "mtime_ns")  # header fields that identify the file and the options
_IDENTITY = (*_ABOUT, "number", "shared")
# how `to_json` begins a line. Of most lines a resume reads no more: to parse 48 h with words would take seconds
_HEAD = re.compile(rb'\{"index":(\d+),(?:"channel":(\d+),)?"start":(\d+),"end":(\d+),"segments":\[')
# found in a line whose chunk has a language for the whole channel; never in a text, whose quotes are escaped
_SPOKEN = re.compile(rb',"spoken":"[^"]')


@dataclass(frozen=True, slots=True)
class Resume:
    """Where the next attempt goes on."""

    index: int = 0  # of the next chunk
    places: Mapping[int, Place] = field(default_factory=dict)  # by channel; only channels that have chunks
    # by channel: the sample where its first chunk starts
    begins: Mapping[int, int] = field(default_factory=dict, compare=False)

    @property
    def sample(self) -> int:
        """The first sample that is missing in any channel."""
        return min((place.sample for place in self.places.values()), default=0)


@dataclass(frozen=True, slots=True)
class Broken:
    """A part whose chunks cannot be made into a transcript."""

    number: int
    is_apart: bool = (
        False  # True: all its chunks are there, but do not begin where the part before ends. False: some are missing
    )


def options_key(options: Options, model: ModelSpec) -> str:
    """A hash of the model asked for and of every option that changes the words. Results with other keys are never mixed in.

    The compute type counts: people set float32 because int8 gets words wrong. The device does not: a job that runs out of
    GPU memory resumes on the CPU, and in the same way one resumes with the fallback model.
    """
    same = dataclasses.replace(options, batch_size=0, cue=None, max_audio=0.0)  # after a raised limit a job resumes
    words = dataclasses.asdict(same) | {"model": model.name}
    if model.compute_type != "default":  # keys of older checkpoints lack it
        words |= {"compute_type": model.compute_type}
    return hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()[:16]


class Checkpoint:
    """The chunks of one part in `state/work/<job>/<number>.jsonl`. A job that is not shared out has only `0.jsonl`.

    Every method may raise OSError (disk full, not writable): the machine's fault, never the job's.
    """

    def __init__(self, work: Path, job: Job, key: str, part: Part | None = None) -> None:
        self._number = 0 if part is None else part.number
        self.path = work / str(job.id) / f"{self._number}.jsonl"
        self.expected = job.chunks if part is None else part.chunks  # number of chunks, by the ledger
        self._header = {
            "sttd": _VERSION, "job": job.id, "options": key, "size": job.size, "mtime_ns": job.mtime_ns,
            "source": job.source, "created_at": job.created_at,
        }  # fmt: skip
        if job.folder_options:  # a rebuilt ledger takes them from here
            self._header["folder_options"] = dataclasses.asdict(job.folder_options)
        self._file: BinaryIO | None = None
        self._scanned: tuple[tuple[int, ...], tuple[Resume, int]] | None = None  # the file, and the result
        if job.shared is not None:
            self.share(job.shared)

    def resume(self) -> Resume:
        """Where to go on. Nothing is created or changed, but a foreign file or folder in its place is set aside."""
        self._clear()
        try:
            with self._reader() as file:
                return self._scan(file)[0]
        except FileNotFoundError:
            return Resume()

    def share(self, shared: Shared) -> None:
        """Note in the header how the recording is shared out. Must be called before the first chunk is appended."""
        self._header |= {"number": self._number, "shared": dataclasses.asdict(shared)}
        self._scanned = None

    def shared(self) -> Shared | None:
        """How the recording is shared out, by the header on disk; None: it is not, or there is no checkpoint."""
        self._clear()
        with contextlib.suppress(FileNotFoundError), self._reader() as file:
            line = file.readline()
            if self._matches(line, _ABOUT):
                with contextlib.suppress(ValueError, TypeError, KeyError):
                    return shared_of((unseal(line) or {})["shared"])
        return None

    def append(self, chunks: Iterable[Chunk]) -> None:
        """Add chunks; after a return they survive a power cut."""
        size = None
        try:
            file = self._file or self._open()
            size = file.seek(0, os.SEEK_END)
            file.write(b"".join(seal(to_json(chunk)) for chunk in chunks))
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            with contextlib.suppress(OSError):  # closing writes what is buffered, and fails for the same reason
                self.close()
            with contextlib.suppress(OSError):  # unsynced lines may be readable, and yet not be on disk
                if size is not None:
                    os.truncate(self.path, size)
            raise

    def _open(self) -> BinaryIO:
        """Cut off the lines that do not count, and open the file for appending."""
        self._clear()
        self.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        handle = open_regular(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        set_mode(handle, 0o640)
        file = os.fdopen(handle, "a+b")
        self._file = file
        _, size = self._scan(file)
        if self._is_damaged(file, size):
            self._set_aside()
        file.truncate(size)
        if size == 0:
            file.write(seal(self._header))
            for folder in self.path.parents[:3]:  # the state folder too: the first job of all creates `work`
                fsync_folder(folder)
        return file

    def _is_damaged(self, file: BinaryIO, size: int) -> bool:
        """Whether the bytes after `size` are damage: neither a line that a kill tore, nor chunks of other options."""
        file.seek(size)
        line = file.readline()
        if size == 0:
            return bool(line) and unseal(line) is None and line.endswith(b"\n")
        return line.endswith(b"\n")

    def _set_aside(self) -> None:
        """Copy a checkpoint with damage that no kill explains to a file beside the job's folder, and log it."""
        stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
        aside = self.path.parent.with_name(f"{self.path.parent.name}.jsonl.corrupt-{stamp}")
        shutil.copyfile(self.path, aside)
        logger.error(
            "the checkpoint {} is damaged: it is set aside as {}, and its job goes on after the last whole line",
            self.path, aside.name,
        )  # fmt: skip

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def chunks(self) -> Iterator[Chunk]:
        """The good chunks, one by one, from disk."""
        with (
            contextlib.suppress(FileNotFoundError),
            self._reader() as file,
        ):  # no file: the recording has not a single sample
            yield from self._good(file)

    def _reader(self) -> BinaryIO:
        return os.fdopen(open_regular(self.path), "rb")

    def _clear(self) -> None:
        """Set aside anything that is not our folder or file: a link would send writes elsewhere, a FIFO would block us.

        In older versions the group could write to the state folder, and put anything there.
        """
        for path, is_ours in ((self.path.parent, stat.S_ISDIR), (self.path, stat.S_ISREG)):
            with contextlib.suppress(FileNotFoundError):
                seen = path.lstat()
                if is_ours(seen.st_mode) and (seen.st_nlink == 1 or stat.S_ISDIR(seen.st_mode)):
                    continue
                aside = self.path.parent.with_name(f"{self.path.parent.name}.foreign-{secrets.token_hex(4)}")
                path.rename(aside)
                logger.error("{} is no checkpoint of sttd, and is set aside as {}", path, aside.name)

    def broken(self) -> Broken | None:
        """None: all chunks are there."""
        return None if self.resume().index == self.expected else Broken(self._number)

    def segments(self) -> Iterator[Segment]:
        """The segments of all chunks, with the channels merged by time.

        Raises:
            OSError: fewer chunks can be read than the ledger counts. The next attempt goes on after the last good one.
        """
        return by_time(self.all_chunks(), self.resume().places)

    def all_chunks(self) -> Iterator[Chunk]:
        count = 0
        for chunk in self.chunks():
            yield chunk
            count += 1
        if count < self.expected:
            raise OSError(errno.EIO, f"only {count} of {self.expected} chunks can be read", str(self.path))

    def discard(self) -> None:
        """Forget the chunks of this part alone: it starts anew."""
        self.close()
        self.path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Forget the job's chunks, those of its other parts too: its result is in place, or it starts anew."""
        self.discard()
        if self.path.parent.is_dir():
            for path in self.path.parent.iterdir():
                if is_checkpoint(path):
                    path.unlink(missing_ok=True)
            self.path.parent.rmdir()

    def _scan(self, file: BinaryIO) -> tuple[Resume, int]:
        """Where to go on, and how many bytes count. The file is read again only if it has changed since."""
        seen = os.fstat(file.fileno())
        which = (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns)
        if self._scanned is None or self._scanned[0] != which:
            self._scanned = which, self._read(file)
        return self._scanned[1]

    def _read(self, file: BinaryIO) -> tuple[Resume, int]:
        file.seek(0)
        line = file.readline()
        if not self._matches(line):
            return Resume(), 0
        index, size = 0, len(line)
        places: dict[int, Place] = {}
        begins: dict[int, int] = {}
        for line in file:
            head = _HEAD.match(line) if is_whole(line) else None
            if head is None:
                break
            channel = int(head[2] or TOGETHER)
            begin = begins.get(channel, int(head[3]) if self._number else 0)  # a later part begins at its border
            place = places.get(channel, Place(begin))
            if (int(head[1]), int(head[3])) != (index, place.sample):
                break
            language, probability = place.language, place.language_probability
            if language is None and _SPOKEN.search(line):
                chunk = from_json(unseal(line) or {})
                if chunk is None:
                    break
                language, probability = chunk.spoken, chunk.spoken_probability
            places[channel], begins[channel] = Place(int(head[4]), language, probability), begin
            index += 1
            size += len(line)
        return Resume(index, places, begins), size

    def _matches(self, line: bytes, names: tuple[str, ...] = _IDENTITY) -> bool:
        found = unseal(line)
        return found is not None and all(found.get(name) == self._header.get(name) for name in names)

    def _good(self, file: BinaryIO) -> Iterator[Chunk]:
        """The chunks in order, up to the first line that does not count."""
        if not self._matches(file.readline()):
            return
        index = 0
        ends: dict[int, int] = {}
        for line in file:
            chunk = from_json(unseal(line) or {})
            if chunk is None or chunk.index != index:
                return
            if chunk.start != ends.get(chunk.channel, chunk.start if self._number else 0):
                return
            index, ends[chunk.channel] = chunk.index + 1, chunk.end
            yield chunk
