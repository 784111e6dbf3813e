"""What tests of several rooms need: the command line, small datasets in official layouts, and no network."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchx import cli

REPOSITORY = Path(__file__).resolve().parents[1]
NIH_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)


class NetworkBlocked(OSError):
    """A test tried to reach another machine."""


def is_local(address: Any) -> bool:
    """Whether a socket address is a path (AF_UNIX), localhost or a loopback address."""
    if not isinstance(address, tuple):
        return True
    host = address[0]
    try:
        return host in ("", "localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse name look-ups and connections to other machines, in this process, with NetworkBlocked."""

    def guarded(call: Callable[..., Any], place: Callable[..., Any]) -> Callable[..., Any]:
        def guard(*arguments: Any, **options: Any) -> Any:
            address = place(*arguments)
            if not is_local(address):
                raise NetworkBlocked(f"tests use no network: {address} is not on this machine")
            return call(*arguments, **options)

        return guard

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, guarded(getattr(socket.socket, name), lambda _, address: address))
    monkeypatch.setattr(
        socket, "getaddrinfo", guarded(socket.getaddrinfo, lambda host, *_: (_text(host), 0) if host else "")
    )


def _text(host: str | bytes) -> str:
    return host.decode() if isinstance(host, bytes) else host


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real sample data beside the repository; tests that need it skip where it is absent."""
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no folder ../shared with real sample data")
    return folder


@pytest.fixture
def benchx(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Call the command line in an empty folder as a user would; returns exit code, standard output and error."""
    for name in ("BENCHX_DATA", "BENCHX_WEIGHTS", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["benchx", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        printed = capsys.readouterr()
        return stopped.value.code or 0, printed.out, printed.err

    return call


@pytest.fixture
def write_nih(tmp_path: Path) -> Callable[..., Path]:
    """Write a tiny NIH ChestX-ray14 folder: rows of (patient, follow-up, labels), images of noise."""

    def write(
        rows: Sequence[tuple[int, int, str]], *, test: Sequence[int] = (), side: int = 48, name: str = "nih"
    ) -> Path:
        root = tmp_path / name
        (root / "images").mkdir(parents=True)
        lines, lists = [NIH_HEADER], {"train_val_list.txt": [], "test_list.txt": []}
        for patient, follow, labels in rows:
            file = f"{patient:08d}_{follow:03d}.png"
            lines.append(f"{file},{labels},{follow},{patient},57,M,PA,2682,2749,0.143,0.143")
            lists["test_list.txt" if patient in test else "train_val_list.txt"].append(file)
            pixels = np.random.default_rng([patient, follow]).integers(0, 255, (side, side), np.uint8)
            cv2.imwrite(str(root / "images" / file), pixels)
        (root / "Data_Entry_2017_v2020.csv").write_text("\n".join(lines) + "\n")
        for file, names in lists.items():
            (root / file).write_text("\n".join(names) + "\n")
        return root

    return write
