"""People and machines at the inbox: they drop, copy, move, change and delete, and write down what they left there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.soak.recordings import variant

# what people and machines name their recordings; the last ones are no valid text, and too long for a result beside it
NAMES = ["memo", "ประชุม", "a b", "10:30", 'say "hi"', "two\nlines", "🎙️", "-rf", "\x1b[31mred", "caf\udce9", "ก" * 70]

Version = tuple[str, int, int]  # path below the inbox, size, mtime_ns


@dataclass
class Left:
    """What a version is, and what became of it as far as its writer knows."""

    base: str
    sha256: str
    times: int = 1  # that it was put there
    stays: bool = True  # nobody but sttd took it away


@dataclass
class Writer:
    """One thread. Its names are its own, so that what it writes down is what happened."""

    number: int
    inbox: Path
    staging: Path  # on the inbox's file system
    bases: list[Path]
    versions: dict[Version, Left] = field(default_factory=dict)
    acts: Counter[str] = field(default_factory=Counter)
    links: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._draw = random.Random(self.number)
        self._made = 0
        self._here: list[str] = []  # that may still be in the inbox

    def run(self, files: int, seconds: float, stop: threading.Event) -> None:
        """Drop so many files in about so many seconds, and do other things to some of them."""
        while self.acts["dropped"] + self.acts["copied"] < files:
            self._drop()
            if self._here and self._draw.random() < 0.35:
                acts = [self._move, self._replace, self._rewrite, self._delete, self._borrow, self._link]
                act = self._draw.choice(acts)
                with contextlib.suppress(FileNotFoundError):  # sttd was quicker
                    act(self._here.pop(self._draw.randrange(len(self._here))))
            del self._here[:-6]
            if stop.wait(self._draw.uniform(0, 2) * seconds / files):
                return

    def _new(self) -> tuple[Path, bytes]:
        kind = self._draw.choices(["clip", "quiet", "long"], [60, 39, 1])[0]
        base = self._draw.choice([each for each in self.bases if each.stem.startswith(kind)])
        return base, variant(base, self._draw)

    def _name(self, suffix: str) -> str:
        self._made += 1
        folder = self._draw.choice(["", "", f"w{self.number}/", "shared/"])
        return f"{folder}{self._draw.choice(NAMES)}-{self.number}-{self._made}{suffix}"

    def _note(self, rel: str, seen: os.stat_result, base: Path, data: bytes) -> None:
        version = (rel, seen.st_size, seen.st_mtime_ns)
        if version in self.versions:
            self.versions[version].times += 1
            self.versions[version].stays = True
        else:
            self.versions[version] = Left(base.name, hashlib.sha256(data).hexdigest())
        self._here.append(rel)

    def _leaves(self, rel: str, seen: os.stat_result) -> Left:
        """It is about to be taken from under sttd: what is known of it is no longer what must come."""
        found = self.versions[rel, seen.st_size, seen.st_mtime_ns]
        found.stays = False
        return found

    def _drop(self) -> None:
        base, data = self._new()
        rel = self._name(base.suffix)
        if self._draw.random() < 0.6:
            self._rename_in(rel, base, data)
            self.acts["dropped"] += 1
        else:
            self._copy_in(rel, base, data)
            self.acts["copied"] += 1

    def _rename_in(self, rel: str, base: Path, data: bytes) -> None:
        part, target = self.staging / str(self.number), self.inbox / rel
        part.write_bytes(data)
        seen = part.stat()
        target.parent.mkdir(exist_ok=True)
        self._note(rel, seen, base, data)
        part.rename(target)

    def _copy_in(self, rel: str, base: Path, data: bytes) -> None:
        """Written in the inbox itself, in pieces."""
        target = self.inbox / rel
        target.parent.mkdir(exist_ok=True)
        with target.open("xb") as file:
            third = len(data) // 3 + 1
            for at in range(0, len(data), third):
                file.write(data[at : at + third])
                file.flush()
            # written down before it is closed: from then on it may be taken
            self._note(rel, os.fstat(file.fileno()), base, data)

    def _move(self, rel: str) -> None:
        source, other = self.inbox / rel, self._name(Path(rel).suffix)
        target = self.inbox / other
        target.parent.mkdir(exist_ok=True)
        seen = source.stat()
        source.rename(target)
        before = self._leaves(rel, seen)
        self.versions[other, seen.st_size, seen.st_mtime_ns] = Left(before.base, before.sha256)
        self._here.append(other)
        self.acts["moved"] += 1

    def _replace(self, rel: str) -> None:
        """Another recording under the same name, by rename."""
        self._leaves(rel, (self.inbox / rel).stat())
        base = self._draw.choice([each for each in self.bases[:-2] if each.suffix == Path(rel).suffix])
        self._rename_in(rel, base, variant(base, self._draw))
        self.acts["replaced"] += 1

    def _rewrite(self, rel: str) -> None:
        """Another recording into the same file."""
        base = self._draw.choice([each for each in self.bases[:-2] if each.suffix == Path(rel).suffix])
        data = variant(base, self._draw)
        with (self.inbox / rel).open("r+b") as file:
            before = self._leaves(rel, os.fstat(file.fileno()))
            file.truncate(0)
            file.write(data)
            file.flush()
            seen = os.fstat(file.fileno())
            self._note(rel, seen, base, data)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat((self.inbox / rel).stat(), seen):
                    self.acts["rewritten"] += 1
                    return
        # filed away meanwhile: what it holds is in the archive now, and nobody can tell what was read
        before.sha256 = ""
        self.versions[rel, seen.st_size, seen.st_mtime_ns].stays = False
        self.acts["rewritten too late"] += 1

    def _delete(self, rel: str) -> None:
        path = self.inbox / rel
        left = self._leaves(rel, path.stat())
        try:
            path.unlink()
        except FileNotFoundError:
            left.stays = True
            raise
        self.acts["deleted"] += 1

    def _borrow(self, rel: str) -> None:
        """Taken out and put back."""
        path, away = self.inbox / rel, self.staging / f"{self.number}-away"
        left = self._leaves(rel, path.stat())
        path.rename(away)
        left.times, left.stays = left.times + 1, True
        away.rename(path)
        self.acts["borrowed"] += 1

    def _link(self, rel: str) -> None:
        """A symbolic link to a file elsewhere in its place: never a job, and nothing goes through it."""
        path, outside = self.inbox / rel, self.staging / f"{self.number}-outside"
        outside.write_bytes(b"nobody's recording")
        self._delete(rel)
        self.acts["deleted"] -= 1
        path.symlink_to(outside)
        self.links.append(path)
        self.acts["linked"] += 1

    def take_links_away(self) -> None:
        for path in self.links:
            assert path.is_symlink(), f"{path!r} was taken"
            path.unlink()


def run_all(writers: list[Writer], files: int, seconds: float, stop: threading.Event) -> Callable[[], None]:
    """Start them; what comes back waits for them, and raises what went wrong in one."""
    errors: list[BaseException] = []

    def run(writer: Writer) -> None:
        try:
            writer.run(files // len(writers), seconds, stop)
        except BaseException as error:  # raised again by the caller
            errors.append(error)

    threads = [threading.Thread(target=run, args=(writer,), daemon=True) for writer in writers]
    for thread in threads:
        thread.start()

    def join() -> None:
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]

    return join
