"""Download one file over HTTP(S): broken-off downloads go on where they stopped, and no file has its name too early."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import string
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urljoin, urlsplit

from benchx import __version__
from benchx.digests import digest_file
from benchx.errors import CheckpointError
from benchx.methods.cards.schema import web_address
from benchx.progress import Advance

PAUSES = (1.0, 4.0)
"""Seconds before the second and the third attempt, where the server or the connection failed."""

TIMEOUT = 30.0
"""Seconds without an answer or a byte after which a connection counts as broken."""

BLOCK = 1 << 20

TRY_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


class Refused(Exception):
    """The server answered with an error that another attempt does not change.

    Attributes:
        status: the HTTP status, 3xx or 4xx.
        reason: what the server says, one line.
    """

    def __init__(self, status: int, reason: str) -> None:
        self.status, self.reason = status, reason
        super().__init__(status, reason)


class _BrokenOff(Exception):
    """The connection or the server failed; worth another attempt."""


@dataclass(frozen=True)
class _Part:
    """The bytes that are there so far, beside the target, and the strong ETag of the file that they belong to."""

    target: Path

    @property
    def file(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def etag_file(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part.etag")

    def begun(self) -> tuple[int, str]:
        """Return the number of bytes and their ETag; (0, "") where no download can be continued."""
        if not (self.file.is_file() and self.etag_file.is_file()):
            return 0, ""
        return self.file.stat().st_size, self.etag_file.read_text()

    def restart(self, etag: str) -> None:
        self.file.write_bytes(b"")
        # A weak ETag does not promise the same bytes.
        if etag and not etag.startswith("W/"):
            self.etag_file.write_text(etag)
        else:
            self.etag_file.unlink(missing_ok=True)

    def discard(self) -> None:
        self.file.unlink(missing_ok=True)
        self.etag_file.unlink(missing_ok=True)

    def complete(self) -> None:
        os.replace(self.file, self.target)
        self.etag_file.unlink(missing_ok=True)


def download(url: str, target: Path, advance: Advance, *, token: str | None = None, sha256: str | None = None) -> str:
    """Bring a file to its place, which it takes only whole and, where its sha256 is known, checked.

    Args:
        advance: called with the bytes that are there and the bytes in all, if the server says how many.
        token: a bearer token; sent to the host of `url` only, not to others that it redirects to.

    Returns:
        The file's sha256.

    Raises:
        Refused: the server's answer is an error that stays.
        CheckpointError: the network or the server fails again and again, the body is cut short, is a web page or
            another file than the sha256's, the address is malformed, or the file cannot be written.
    """
    try:
        return _download(url, target, advance, token, sha256)
    except OSError as error:
        raise CheckpointError(
            f"{target} cannot be written",
            error.strerror or str(error),
            "make room there and repeat the command, which goes on where it stopped; or give another --root",
        ) from error


def _download(url: str, target: Path, advance: Advance, token: str | None, sha256: str | None) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _Part(target)
    for pause in (*PAUSES, None):
        try:
            _receive(url, part, advance, token)
            break
        except _BrokenOff as error:
            if pause is None:
                raise CheckpointError(
                    f"{target.name} cannot be fetched from {url}",
                    str(error),
                    "check the network, then repeat the command: it goes on where it stopped",
                ) from error
            time.sleep(pause)
    digest = digest_file(part.file)
    if sha256 is not None and digest != sha256:
        part.discard()
        raise CheckpointError(
            f"{target.name} from {url} is not the official file",
            f"its sha256 is {digest}, the card's is {sha256}",
            "the file was replaced at its source, or damaged on the way: fetch again, or compare with the card's page",
        )
    part.complete()
    return digest


def _receive(url: str, part: _Part, advance: Advance, token: str | None) -> None:
    offset, etag = part.begun()
    headers = {"User-Agent": f"benchx/{__version__}", "Accept-Encoding": "identity"}
    if offset:
        headers |= {"Range": f"bytes={offset}-", "If-Range": etag}
    with _opened(url, headers, token, part) as response:
        _store(response, part, advance, offset, etag)


def _opened(url: str, headers: dict[str, str], token: str | None, part: _Part) -> Any:
    """Return the response to a request; of the OSErrors, those of the disk alone come through."""
    try:
        request = urllib.request.Request(url, headers=headers)
        if token:
            request.add_unredirected_header("Authorization", f"Bearer {token}")
        return _OPENER.open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                part.discard()
            elif error.code < HTTPStatus.INTERNAL_SERVER_ERROR and error.code not in TRY_AGAIN:
                raise Refused(error.code, _said(error)) from error
            raise _BrokenOff(f"the server answers {error.code} {_said(error)}") from error
    except urllib.error.URLError as error:
        raise _BrokenOff(_one_line(error.reason)) from error
    except (http.client.InvalidURL, ValueError) as error:
        raise CheckpointError(
            f"{part.target.name} cannot be fetched from {url}",
            f"the address is malformed: {_one_line(error)}",
            "mend the address in the card",
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenOff(_one_line(error)) from error


def _said(error: urllib.error.HTTPError) -> str:
    """Return the server's message, or what is wrong with its redirects."""
    if str(error.reason).startswith(_Redirects.inf_msg):
        return "it redirects in a circle"
    return _one_line(error.headers.get("X-Error-Message") or error.reason)


def _one_line(said: object) -> str:
    return " ".join(str(said).split()) or type(said).__name__


def _store(response: Any, part: _Part, advance: Advance, offset: int, etag: str) -> None:
    """Append the body to what is there, or start anew if the server sends the whole file."""
    url, name, headers = response.url, part.target.name, response.headers
    if headers.get_content_type() == "text/html":
        raise CheckpointError(
            f"{url} is a web page, not {name}",
            "the server asks for a confirmation or a log-in first, as file lockers do for large files",
            f"fetch it with a browser and put it at {part.target}",
        )
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        start = re.match(r"bytes (\d+)-", headers.get("Content-Range", ""))
        if start is None or int(start[1]) != offset or headers.get("ETag") != etag:
            part.discard()
            raise _BrokenOff("the server continues another file than the one begun")
    else:
        offset = 0
        part.restart(headers.get("ETag", ""))
    length = headers.get("Content-Length")
    total = offset + int(length) if length is not None and length.isdecimal() else None
    free = shutil.disk_usage(part.target.parent).free
    if total is not None and total - offset > free:
        raise CheckpointError(
            f"{name} does not fit on the disk",
            f"{(total - offset) / 1e6:.0f} MB are to be fetched, {free / 1e6:.0f} MB are free",
            f"make room in {part.target.parent}, or give another --root",
        )
    with part.file.open("ab") as file:
        size = _append(response, file, offset, total, advance)
    if total is not None and size < total:
        raise CheckpointError(
            f"{name} from {url} was cut short",
            f"{size} of {total} bytes came",
            "repeat the command: it goes on where it stopped",
        )


def _append(response: Any, file: IO[bytes], size: int, total: int | None, advance: Advance) -> int:
    while block := _block(response):
        file.write(block)
        size += len(block)
        if total is not None:
            advance(size, total)
    return size


def _block(response: Any) -> bytes:
    try:
        block: bytes = response.read(BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenOff(_one_line(error)) from error
    return block


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https; the token goes along only to the host it was meant for."""

    def http_error_302(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any) -> Any:
        to = urljoin(req.full_url, headers.get("Location") or headers.get("URI") or "")
        try:
            web_address(quote(to, encoding="iso-8859-1", safe=string.punctuation))
        except ValueError as error:
            raise urllib.error.HTTPError(
                req.full_url, code, f"it redirects to {to}, but {error}", headers, fp
            ) from error
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        new = super().redirect_request(req, fp, code, msg, headers, newurl)
        token = req.get_header("Authorization")
        if new is not None and token is not None and _origin(newurl) == _origin(req.full_url):
            new.add_unredirected_header("Authorization", token)
        return new


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _http_only() -> urllib.request.OpenerDirector:
    """Return what opens http and https URLs alone; urllib's own opener also takes file and ftp."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


_OPENER = _http_only()
