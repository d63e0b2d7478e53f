"""Requests to the hub over HTTP, through huggingface_hub: the list of a model's files, and the files. Errors are one sentence.

huggingface_hub's own download starts anew after each interruption, checks no hash, shows readers half a model, and waits for
its locks without limit. So only its single requests are used; `sttd.hub.pull` does the rest.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

# before huggingface_hub is imported, which reads them once
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

from huggingface_hub import HfApi, constants, get_hf_file_metadata, get_token, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HTTPError,  # the HTTP library's, whichever it is
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers, get_session

from sttd.errors import SttdError
from sttd.hub.cache import FILES
from sttd.hub.names import nearest

T = TypeVar("T")
_PATIENCE = 10.0  # seconds without an answer; for the download of a file HF_HUB_DOWNLOAD_TIMEOUT sets them
# when a connection breaks, http_get drops the chunk that is not complete, by default up to 10 MB; small ones cost little
constants.DOWNLOAD_CHUNK_SIZE = 2**18
_REVISION = re.compile(r"[0-9a-f]{40}")
_TAG = re.compile(r"[0-9A-Za-z_-]{1,128}")  # becomes a file name


class HubError(SttdError):
    """The hub cannot be reached, or does not give what was asked for."""


class Unreachable(HubError):
    """The hub cannot be reached: no network, no such host, no answer."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    name: str
    size: int  # bytes
    tag: str  # SHA-256 of a large file, git's SHA-1 of a small one; a mirror may have any other ETag


@dataclass(frozen=True, slots=True)
class Listing:
    """A model at one revision, with the files that a worker needs."""

    repository: str
    revision: str
    files: tuple[RemoteFile, ...]


class Hub:
    """The hub at HF_ENDPOINT. Uses HF_TOKEN (or the saved token), and the proxies of the environment.

    Reads token and certificates at once, because the process becomes another user before the first request.
    """

    def __init__(self) -> None:
        self.endpoint = constants.ENDPOINT
        self._token = get_token() or False
        get_session()
        "name".encode("idna")  # imports the codec for host names now: the other user may not be able to read it

    def listing(self, repository: str) -> Listing:
        """The files of a model that can be downloaded.

        Raises:
            HubError: the hub does not list them; the message says what to do.
        """
        return self._ask(repository, lambda: self._list(repository))

    def _list(self, repository: str) -> Listing:
        info = HfApi(token=self._token).model_info(repository, files_metadata=True, timeout=_PATIENCE)
        revision = info.sha or ""
        if not _REVISION.fullmatch(revision):
            raise ValueError(f"{revision!r} is no revision")
        names = [sibling for sibling in info.siblings or () if FILES.fullmatch(sibling.rfilename)]
        return Listing(repository, revision, tuple(self._about(repository, revision, sibling) for sibling in names))

    def _about(self, repository: str, revision: str, sibling: Any) -> RemoteFile:
        """Size and hash of a file, from the listing; if a mirror lists only names, by a request for this file."""
        size, tag = sibling.size, sibling.lfs.sha256 if sibling.lfs else sibling.blob_id
        if size is None or not tag:
            url = hf_hub_url(repository, sibling.rfilename, revision=revision)
            about = get_hf_file_metadata(url, token=self._token, timeout=_PATIENCE)
            size, tag = about.size, about.etag or ""
        if not isinstance(size, int) or size < 0 or not _TAG.fullmatch(tag):
            raise ValueError(f"neither size nor hash of {sibling.rfilename} can be had")
        return RemoteFile(sibling.rfilename, size, tag)

    def fetch(self, listing: Listing, file: RemoteFile, target: BinaryIO, have: int) -> None:
        """Append the bytes of a file after its first `have` to `target`. A few interruptions are overcome.

        Raises:
            HubError: the download is not complete; what came is in `target`.
            OSError: `target` cannot be written.
        """
        url = hf_hub_url(listing.repository, file.name, revision=listing.revision)
        # uncompressed: a range of a compressed answer is not a range of the file
        headers = build_hf_headers(token=self._token) | {"Accept-Encoding": "identity"}
        self._ask(
            listing.repository,
            lambda: http_get(
                url,
                target,
                resume_size=have,
                headers=headers,
                expected_size=file.size,
                displayed_filename=file.name,
            ),
        )

    def _ask(self, repository: str, question: Callable[[], T]) -> T:
        try:
            return question()
        except (HTTPError, HfHubHTTPError, OfflineModeIsEnabled) as error:
            raise self._explained(repository, error) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:  # no JSON, or JSON of another kind
            raise HubError(
                f"{self.endpoint} does not answer as a hub does ({_line(error)}): check HF_ENDPOINT"
            ) from None
        except OSError as error:
            if error.errno is not None:  # the machine's
                raise
            raise HubError(f"{self.endpoint} did not send a whole file ({_line(error)}): try again") from None

    def _explained(self, repository: str, error: Exception) -> HubError:
        """The error in words, with a remedy."""
        page = f"{self.endpoint}/{repository}"
        if isinstance(error, OfflineModeIsEnabled):
            return Unreachable("HF_HUB_OFFLINE is set, so nothing is downloaded: unset it for this command")
        if isinstance(error, GatedRepoError):
            return HubError(f"{page} is given only to those who agreed to its terms: do so there, and set HF_TOKEN")
        if isinstance(error, HfHubHTTPError):
            return self._refused(repository, error)
        return Unreachable(
            f"{self.endpoint} cannot be reached ({_line(error)}): check the network, HTTPS_PROXY and HF_ENDPOINT"
        )

    def _refused(self, repository: str, error: HfHubHTTPError) -> HubError:
        code = error.response.status_code
        if isinstance(error, RepositoryNotFoundError) or code == 404:
            private = "" if self._token else "; a private one needs HF_TOKEN"
            return HubError(f"{self.endpoint} has no model {repository!r}{nearest(repository) or private}")
        if code in {401, 403}:
            return HubError(
                f"{self.endpoint} refuses {repository!r} to this HF_TOKEN ({code}): use one that may read it"
            )
        if code == 407:
            return HubError("the proxy wants a name and a password: HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT")
        return HubError(f"{self.endpoint} answers {code} for {repository!r}: try again later")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
