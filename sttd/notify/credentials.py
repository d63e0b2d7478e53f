"""The secret of a receiver: from a file, or a credential of the unit. Read for each try, so that it can be changed at any time."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path

from sttd.notify.errors import NotTold

LARGEST = 4096  # bytes of a file
PREFIX = "whsec_"  # of a secret as Standard Webhooks write it
SHORTEST = 16  # bytes of a key


def read(secret_file: str, environ: Mapping[str, str] = os.environ) -> list[str]:
    """The lines of a secret's file: one, or two while a new secret takes the place of an old one.

    Args:
        secret_file: an absolute path, or the name of a credential (systemd.exec(5), LoadCredential=).
        environ: where the folder of the credentials is looked up.

    Raises:
        NotTold: there is none, or it cannot be read.
    """
    folder = environ.get("CREDENTIALS_DIRECTORY", "")
    if not secret_file.startswith("/") and not folder:
        raise NotTold(f"there is no credential {secret_file}: the unit needs LoadCredential={secret_file}:FILE")
    path = Path(folder, secret_file)
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST).decode("ascii")
    except UnicodeDecodeError:
        raise NotTold(f"{path} is no line of ASCII") from None
    except OSError as error:
        raise NotTold(f"{path}: {error.strerror}") from None
    lines = text.split()
    if not lines:
        raise NotTold(f"{path} is empty")
    return lines


def keys(secret_file: str, environ: Mapping[str, str] = os.environ) -> list[bytes]:
    """The keys that webhooks are signed with. Raises NotTold: there is no secret, or it is not a long enough one in Base64."""
    found = []
    for line in read(secret_file, environ):
        text = line.removeprefix(PREFIX)
        try:
            found.append(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
        except binascii.Error:
            raise NotTold(f"{secret_file} is no secret in Base64: make one with `openssl rand -base64 32`") from None
    if any(len(key) < SHORTEST for key in found):
        raise NotTold(f"{secret_file} is too short a secret: make one with `openssl rand -base64 32`")
    return found
