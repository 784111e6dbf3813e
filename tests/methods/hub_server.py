"""A local server that behaves like the hub: it resolves files by redirects to a store on another port."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Request:
    server: str
    path: str
    headers: dict[str, str]


@dataclass
class Hub:
    """What the servers hold, how they misbehave, and what they were asked.

    Attributes:
        files: by path, `/OWNER/NAME/resolve/REVISION/FILE`.
        moved: the old path of a repository's file -> the new one, on the same host, or a whole address.
        gated: paths that need `token`; without it the status is `denial`.
        failures: statuses that the store answers first, one per request.
        cut: the store sends so many bytes of the next body and closes the connection.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    token: str = "hf_secret"
    denial: int = 401
    says: str = "Access to model is restricted. You must be authenticated to access it."
    failures: list[int] = field(default_factory=list)
    cut: int | None = None
    knows_ranges: bool = True
    checks_if_range: bool = True
    weak_etags: bool = False
    says_length: bool = True
    content_type: str = "application/octet-stream"
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    store_url: str = ""

    def asked(self, server: str) -> list[Request]:
        return [request for request in self.requests if request.server == server]

    def etag(self, path: str) -> str:
        return f'{"W/" if self.weak_etags else ""}"{hashlib.md5(self.files[path]).hexdigest()}"'


@contextmanager
def running_hub() -> Iterator[Hub]:
    """Run both servers on ports of their own."""
    hub = Hub()
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub, answer)) for answer in (_resolve, _send)]
    hub.url, hub.store_url = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    threads = [Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()


def _handler(hub: Hub, answer: Callable[[Hub, BaseHTTPRequestHandler], object]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            hub.requests.append(Request(answer.__name__.strip("_"), self.path, dict(self.headers)))
            answer(hub, self)

        def log_message(self, *_):
            pass

    return Handler


def _headers(handler: BaseHTTPRequestHandler, status: int, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()


def _resolve(hub: Hub, handler: BaseHTTPRequestHandler) -> None:
    path = handler.path
    if path in hub.moved:
        _headers(handler, 307, Location=hub.moved[path], Content_Length="0")
    elif path in hub.gated and handler.headers.get("Authorization") != f"Bearer {hub.token}":
        _headers(handler, hub.denial, X_Error_Code="GatedRepo", X_Error_Message=hub.says, Content_Length="0")
    elif path not in hub.files:
        _headers(handler, 404, X_Error_Code="EntryNotFound", X_Error_Message="Entry not found", Content_Length="0")
    else:
        digest = hashlib.sha256(hub.files[path]).hexdigest()
        size = str(len(hub.files[path]))
        _headers(
            handler,
            302,
            Location=hub.store_url + path,
            X_Repo_Commit="0" * 40,
            X_Linked_Etag=f'"{digest}"',
            X_Linked_Size=size,
            Content_Length="0",
        )


def _send(hub: Hub, handler: BaseHTTPRequestHandler) -> int | None:
    path = handler.path
    if hub.failures:
        return _headers(handler, hub.failures.pop(0), Content_Length="0")
    body, etag, wanted = hub.files[path], hub.etag(path), handler.headers.get("Range")
    told = {"ETag": etag, "Content_Type": hub.content_type}
    status, start = 200, 0
    same = handler.headers.get("If-Range") == etag or not hub.checks_if_range
    if wanted and hub.knows_ranges and same:
        status, start = 206, int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(body):
            return _headers(handler, 416, Content_Range=f"bytes */{len(body)}", Content_Length="0")
        told["Content_Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
    if hub.says_length:
        told["Content_Length"] = str(len(body) - start)
    _headers(handler, status, **told)
    end, hub.cut = (None if hub.cut is None else start + hub.cut), None
    return handler.wfile.write(body[start:end])
