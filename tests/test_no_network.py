"""Tests reach no other machine; what lies on this one may be reached."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

import pytest


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("example.invalid", 443), ("2001:db8::1", 80, 0, 0)])
def test_connections_to_other_machines_are_refused(address):
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as client:
        with pytest.raises(OSError, match="tests use no network"):
            client.connect(address)
        with pytest.raises(OSError, match="tests use no network"):
            client.connect_ex(address)


@pytest.mark.parametrize("host", ["example.invalid", b"example.invalid"])
def test_names_of_other_machines_are_not_looked_up(host):
    with pytest.raises(OSError, match="tests use no network"):
        socket.getaddrinfo(host, 443)


def test_http_clients_meet_the_same_error():
    with pytest.raises(urllib.error.URLError, match="tests use no network"):
        urllib.request.urlopen("http://example.invalid/", timeout=1)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_allowed(host):
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection((host, server.getsockname()[1]), timeout=2)
        assert client.getpeername() == server.getsockname()
        client.close()


def test_unix_sockets_are_allowed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind("s")
        server.listen()
        client.connect("s")
