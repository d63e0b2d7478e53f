"""The section of `sttd web`, which the daemon does not read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sttd.config.key import key


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    host: str  # an IP address
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """`127.0.0.1:7883`, `[::1]:7883`, `localhost:7883`.

        Raises:
            ValueError: it is none. A name is refused too: it may lead to several addresses, or to another one tomorrow.
        """
        import ipaddress  # noqa: PLC0415 - 3 ms, which other commands do without

        host, _, port = text.strip().rpartition(":")
        host = "127.0.0.1" if host.lower() == "localhost" else host.removeprefix("[").removesuffix("]")
        if not (port.isascii() and port.isdecimal() and int(port) < 2**16):
            raise ValueError(f"{text!r} has no port")
        return cls(str(ipaddress.ip_address(host)), int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Web:
    listen: Address = key(
        Address("127.0.0.1", 7883),
        "Address and port of `sttd web`. 127.0.0.1: this machine alone; 0.0.0.0: every network that it is in. What goes "
        "there is not encrypted: put a proxy with TLS in front. `systemctl restart sttd-web` applies changes in [web].",
        "address",
    )
    hosts: tuple[str, ...] = key(
        (), 'Names by which browsers reach it, such as "nas.local". IP addresses need none.', "hosts"
    )
    token_file: Path = key(
        Path(),
        "A file that holds the token. Empty: the unit's credential web-token, else the file token in [web] state, made at the first start.",
        "path",
    )
    state: Path = key(
        Path(), "Token and search index of `sttd web`. Empty: beside [paths] state, with -web after its name.", "path"
    )
    max_upload: float = key(4.0 * 2**30, "A larger upload is refused.", "size")
    wait: float = key(
        300.0,
        "How long a client of /v1/audio or /asr waits for its transcript before it is told to ask again.",
        "duration",
    )
