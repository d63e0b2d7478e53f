"""The token, by which a person or a program is let in: given in a file, or made at the first start."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sttd.config import Config
from sttd.errors import SttdError
from sttd.fs.regular import open_regular
from sttd.web.site import folder_of, make_folder

NAME = "token"
CREDENTIAL = "web-token"  # LoadCredential= of the unit, see systemd.exec(5)
_SHORTEST, _LONGEST = 16, 1024  # characters


class BadToken(SttdError):
    """There is no token that can be used."""


def token(config: Config, environ: Mapping[str, str] = os.environ) -> str:
    """The token of this configuration; made if nobody gave one.

    Raises:
        BadToken: it cannot be read or made, or is none.
    """
    given = _given(config, environ)
    path = given or folder_of(config) / NAME
    try:
        if given is None:
            _make(path)
        return _read(path)
    except PermissionError:
        remedy = "use sudo, or a folder of your own: --set web.state=DIR"
        raise BadToken(f"the token in {path} is another user's: {remedy}") from None
    except OSError as error:
        remedy = "name another file with [web] token_file, or another folder with [web] state"
        raise BadToken(f"the token in {path} cannot be read: {error.strerror}: {remedy}") from None


def _given(config: Config, environ: Mapping[str, str]) -> Path | None:
    if config.web.token_file != Path():
        return config.web.token_file
    folder = environ.get("CREDENTIALS_DIRECTORY")
    credential = Path(folder, CREDENTIAL) if folder else None
    return credential if credential is not None and credential.exists() else None


def _read(path: Path) -> str:
    with os.fdopen(open_regular(path), "rb") as file:
        text = file.read(_LONGEST + 2).decode("ascii", "replace").strip()
    if not _SHORTEST <= len(text) <= _LONGEST or not text.isprintable() or not text.isascii() or " " in text:
        what = f"of {_SHORTEST} to {_LONGEST} letters, digits and signs in one line"
        raise BadToken(f"{path} holds no token {what}: `openssl rand -hex 24` makes one")
    return text


def _make(path: Path) -> None:
    """A new token, unless there is one. It appears whole, also if two start at once or the power is cut."""
    if path.exists():
        return
    make_folder(path.parent)
    handle, name = tempfile.mkstemp(prefix=f".{NAME}-", dir=path.parent)  # with mode 0600
    try:
        if os.geteuid() == 0:  # who asks for the link of a service whose token was removed must not lock that out
            owner = path.parent.stat()
            os.fchown(handle, owner.st_uid, owner.st_gid)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_urlsafe(32)}\n")
            file.flush()
            os.fsync(handle)
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(name)
    finally:
        Path(name).unlink()
