"""Any torch module: the card names the function that makes it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import validate_call
from torch import nn

from benchx.digests import digest_file
from benchx.errors import UsageError
from benchx.methods.encoders.base import Encoder, Features, map_tokens, pool_map

Pooling = Literal["model", "mean", "cls", "patch_mean"]

POOLINGS: dict[int, tuple[Pooling, ...]] = {2: ("model",), 3: ("mean", "cls", "patch_mean"), 4: ("mean",)}
"""Which poolings fit an output, by its number of axes: [B, D], [B, T, D] or [B, C, h, w]."""


class ModuleEncoder(Encoder):
    """Pooled: the module's vectors, or its tokens or places pooled; maps: its last map, if it gives one.

    The module takes float [B, channels, S, S] and returns one tensor: vectors [B, D] (pooling `model`), tokens
    [B, T, D] (`mean`; `cls` = the first; `patch_mean` = the mean of all but the first), or a map [B, C, h, w] (`mean`).
    """

    def __init__(self, trunk: nn.Module, name: str, *, pooling: Pooling, channels: int, image_size: int) -> None:
        output = _dry_run(trunk, name, channels, image_size)
        if pooling not in POOLINGS[output.ndim]:
            raise UsageError(
                f"the pooling '{pooling}' does not fit '{name}'",
                f"its module returns {list(output.shape)} for one image of {image_size} px",
                f"set pooling to {' or '.join(POOLINGS[output.ndim])}",
            )
        self.pooling = pooling
        stride = max(1, round(image_size / output.shape[-1])) if output.ndim == 4 else 1
        dim = output.shape[1] if output.ndim == 4 else output.shape[-1]
        super().__init__(dim=dim, channels=channels, image_size=image_size, patch_size=stride)
        self.strides = (stride,) if output.ndim == 4 else ()
        self.trunk = trunk

    def _pooled(self, images: torch.Tensor) -> torch.Tensor:
        return self._pool(self.trunk(images))

    def _features(self, images: torch.Tensor) -> Features:
        output = self.trunk(images)
        if output.ndim == 4:
            return Features(self._pool(output), map_tokens(output), (output,), self.strides)
        return Features(self._pool(output), output if output.ndim == 3 else None, (), ())

    def _pool(self, output: torch.Tensor) -> torch.Tensor:
        if output.ndim == 2:
            return output
        if output.ndim == 4:
            return pool_map(output)
        if self.pooling == "cls":
            return output[:, 0]
        return output[:, self.pooling == "patch_mean" :].mean(dim=1)


def _dry_run(trunk: nn.Module, name: str, channels: int, image_size: int) -> torch.Tensor:
    training = trunk.training
    trunk.eval()
    try:
        with torch.no_grad():
            output = trunk(torch.zeros(1, channels, image_size, image_size))
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        raise UsageError(
            f"the module of '{name}' does not take [B, {channels}, {image_size}, {image_size}]",
            f"{type(error).__name__}: {' '.join(str(error).split())}",
            "mend the module, or the size and channels in the card's input",
        ) from error
    trunk.train(training)
    if not isinstance(output, torch.Tensor) or output.ndim not in POOLINGS or len(output) != 1:
        found = list(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise UsageError(
            f"the module of '{name}' returns {found}",
            "it must return one tensor, [B, D], [B, T, D] or [B, C, h, w]",
            "wrap it in a module whose forward does",
        )
    return output


@validate_call
def module(
    *,
    pooling: Pooling,
    channels: int,
    image_size: int,
    factory: str,
    arguments: dict[str, Any] = {},  # noqa: B006
    folder: Path = Path(),
    sha256: str | None = None,
) -> ModuleEncoder:
    """Build an encoder from a function that returns a torch module.

    The module is built on the CPU, even where a meta device is set: what its constructor computes and no state dict
    holds is then right.

    Args:
        pooling: see ModuleEncoder.
        channels: of the images.
        image_size: side of the images in pixels.
        factory: `package.module:function`, or `./file.py:function` relative to `folder`. This code is run.
        arguments: for the function.
        folder: where the card lies.
        sha256: of the Python file.

    Raises:
        UsageError: there is no such function, it fails, or what it returns is no module of the kind described.
    """
    function = _function(factory, folder, sha256)
    with torch.device("cpu"):
        try:
            made = function(**arguments)
        except Exception as error:  # foreign code may raise anything
            raise UsageError(
                f"'{factory}' fails", f"{type(error).__name__}: {error}", "mend it, or the card's arguments"
            ) from error
        if not isinstance(made, nn.Module):
            raise UsageError(
                f"'{factory}' returns {type(made).__name__}", "it must return a torch.nn.Module", "mend it"
            )
        return ModuleEncoder(made, factory, pooling=pooling, channels=channels, image_size=image_size)


def _function(factory: str, folder: Path, sha256: str | None) -> Callable[..., Any]:
    place, _, name = factory.partition(":")
    if not place or not name:
        raise UsageError(f"'{factory}' names no function", "", "write package.module:function, or ./file.py:function")
    source = _run_file(folder / place, sha256) if place.endswith(".py") else _import(place)
    function = getattr(source, name, None)
    if not callable(function):
        raise UsageError(f"'{place}' has no function '{name}'", f"'{name}' is {function!r}", "check the card's factory")
    return function


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except Exception as error:  # foreign code may raise anything
        raise UsageError(
            f"the module '{name}' does not import",
            f"{type(error).__name__}: {error}",
            "install its package, or name a file beside the card: ./file.py:function",
        ) from error


def _run_file(path: Path, sha256: str | None) -> Any:
    if not path.is_file():
        raise UsageError(f"no file {path}", "the card's factory names it", "paths are relative to the card")
    digest = digest_file(path)
    if sha256 is not None and digest != sha256:
        raise UsageError(f"{path} has changed", "the card is for other code", "read the card again")
    spec = importlib.util.spec_from_file_location(f"benchx_local_{digest[:16]}", path)
    assert spec is not None
    assert spec.loader is not None
    source = importlib.util.module_from_spec(spec)
    # Dataclasses and pickles look their module up by name.
    sys.modules[spec.name] = source
    try:
        spec.loader.exec_module(source)
    except Exception as error:  # foreign code may raise anything
        raise UsageError(f"{path} does not run", f"{type(error).__name__}: {error}", "mend it") from error
    return source
