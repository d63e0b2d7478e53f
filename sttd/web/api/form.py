"""Forms with a file (RFC 7578), read as a stream: the file goes to the inbox piece by piece, and is never whole in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

_PIECE = 2**20  # bytes that are written at once
_FIELDS = 64 * 1024  # bytes of all fields together
_MOST = 100  # fields
_MALFORMED = "the form cannot be read: send multipart/form-data"


class Received:
    """Gathers small pieces into large ones, for `write`."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._held: list[bytes] = []
        self._size = 0

    async def add(self, data: bytes) -> None:
        self._held.append(data)
        self._size += len(data)
        if self._size >= _PIECE:
            await self.flush()

    async def flush(self) -> None:
        held, self._held, self._size = self._held, [], 0
        if held:
            await run_in_threadpool(self._write, b"".join(held))


async def pieces(request: Request) -> AsyncIterator[bytes]:
    """The body.

    Raises:
        HTTPException: 400, it ended early.
    """
    try:
        async for piece in request.stream():  # the server sees to it that it is as long as Content-Length says
            yield piece
    except ClientDisconnect:
        raise HTTPException(400, "the upload ended early: nothing of it was kept") from None


def length(request: Request) -> int | None:
    """What Content-Length says."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdecimal() else None


@dataclass(slots=True)
class Form:
    """What was read beside the file."""

    fields: dict[str, list[str]] = field(default_factory=dict)

    def last(self, name: str, default: str = "") -> str:
        return self.fields.get(name, [default])[-1]


@dataclass(slots=True)
class _Field:
    headers: dict[bytes, bytes] = field(default_factory=dict)
    name: str = ""
    file: str | None = None  # its name; None: this field is no file
    data: bytearray = field(default_factory=bytearray)


class Reader:
    """Reads one form.

    Args:
        request: whose body is a form.
        file_field: the name of the field that is the file.
        begin: called with the file's name when it begins; returns what its bytes are given to. It may raise HTTPException.
    """

    def __init__(self, request: Request, file_field: str, begin: Callable[[str], Callable[[bytes], None]]) -> None:
        self._request = request
        self._file_field = file_field
        self._begin = begin
        self._form = Form()
        self._field = _Field()
        self._header: tuple[bytearray, bytearray] = bytearray(), bytearray()
        self._ended = False
        self._count = self._bytes = 0
        self._received: Received | None = None
        self._news: list[str | bytes] = []  # the name of the file that begins, and its bytes

    async def read(self) -> Form:
        """The fields of the form. The file was written when it returns.

        Raises:
            HTTPException: 400, it is no form, has no file or two, or ends early. Whatever `begin` and what it returned raise.
        """
        parser = self._parser()
        async for piece in pieces(self._request):
            try:
                parser.write(piece)
            except FormParserError:
                raise HTTPException(400, _MALFORMED) from None
            await self._take()
        if not self._ended:
            raise HTTPException(400, _MALFORMED)
        if self._received is None:
            raise HTTPException(400, f"the form has no file {self._file_field!r}")
        await self._received.flush()
        return self._form

    async def _take(self) -> None:
        """Do with the file what the parser, whose callbacks may not wait, has found."""
        news, self._news = self._news, []
        for each in news:
            if isinstance(each, str):
                if self._received is not None:
                    raise HTTPException(400, f"the form has more than one file {self._file_field!r}")
                self._received = Received(await run_in_threadpool(self._begin, each))
            elif self._received is not None:
                await self._received.add(each)

    def _parser(self) -> MultipartParser:
        kind, options = parse_options_header(self._request.headers.get("content-type"))
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise HTTPException(400, _MALFORMED)
        try:
            return MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._on_begin,
                    "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
                    "on_header_end": self._on_header,
                    "on_headers_finished": self._on_headers,
                    "on_part_data": self._on_data,
                    "on_part_end": self._on_field_end,
                    "on_end": self._on_end,
                },
            )
        except FormParserError:
            raise HTTPException(400, _MALFORMED) from None

    def _on_begin(self) -> None:
        self._count += 1
        if self._count > _MOST:
            raise HTTPException(400, f"the form has more than {_MOST} fields")
        self._field = _Field()

    def _on_header(self) -> None:
        name, value = self._header
        self._field.headers[bytes(name).lower()] = bytes(value)
        self._header = bytearray(), bytearray()

    def _on_headers(self) -> None:
        # names are sent in UTF-8 (RFC 7578, 5.1); the parser wants them as Latin-1
        text = self._field.headers.get(b"content-disposition", b"").decode("latin-1")
        _, options = parse_options_header(text)
        self._field.name = options.get(b"name", b"").decode("utf-8", "replace")
        if self._field.name == self._file_field:
            self._field.file = options.get(b"filename", b"").decode("utf-8", "replace")
            self._news.append(self._field.file)

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._field.file is not None:
            self._news.append(data[start:end])
            return
        self._bytes += end - start
        if self._bytes > _FIELDS:
            raise HTTPException(400, f"the fields of the form are larger than {_FIELDS >> 10} KiB")
        self._field.data.extend(data[start:end])

    def _on_field_end(self) -> None:
        if self._field.file is None:
            self._form.fields.setdefault(self._field.name, []).append(self._field.data.decode("utf-8", "replace"))

    def _on_end(self) -> None:
        self._ended = True
