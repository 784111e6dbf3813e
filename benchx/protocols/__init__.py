"""Protocols: the recipes by which a frozen or trainable encoder is adapted, as written in a suite file."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from benchx.protocols.classification import FewShot, Finetune, Frozen, Head, Neighbours, Paired
from benchx.protocols.inputs import CardInput, Extraction, InputRule, Precision, SuiteInput
from benchx.protocols.segmentation import Decoder, Segment
from benchx.protocols.texts import Answer, Generate, Joint, Retrieve, ZeroShot
from benchx.protocols.training import SEARCHED, Optimizer, Schedule, Search, Training, with_field

__all__ = [
    "SEARCHED",
    "Answer",
    "AnyProtocol",
    "CardInput",
    "Decoder",
    "Extraction",
    "FewShot",
    "Finetune",
    "Frozen",
    "Generate",
    "Head",
    "InputRule",
    "Joint",
    "Neighbours",
    "Optimizer",
    "Paired",
    "Precision",
    "Protocol",
    "Retrieve",
    "Schedule",
    "Search",
    "Segment",
    "SuiteInput",
    "Training",
    "ZeroShot",
    "other_methods",
    "read_protocol",
    "resolved",
    "with_field",
]

AnyProtocol = Frozen | Paired | Neighbours | FewShot | Finetune | Segment | Retrieve | ZeroShot | Generate | Answer
Protocol = Annotated[AnyProtocol, Field(discriminator="kind")]


def read_protocol(settings: dict[str, Any]) -> AnyProtocol:
    """Return the protocol that a cell's settings hold as JSON-able values."""
    protocol: AnyProtocol = TypeAdapter(Protocol).validate_python(settings)
    return protocol


def resolved(protocol: AnyProtocol, dataset: str, method: str) -> AnyProtocol:
    """Return a protocol as it is for one dataset and method, its overrides applied."""
    overrides = getattr(protocol, "overrides", {})
    if not overrides:
        return protocol
    fields = protocol.model_dump(mode="json") | {"overrides": {}}
    for place in ("all", dataset):
        for name in ("all", method):
            for path, value in overrides.get(place, {}).get(name, {}).items():
                fields = with_field(fields, path, value)
    return read_protocol(fields)


def other_methods(protocol: AnyProtocol, *, sees: bool, fuses: bool) -> tuple[str, ...]:
    """Return the methods whose weights a protocol uses beside the cell's own.

    Args:
        sees: whether the cell's method encodes images.
        fuses: whether it reads images and texts together.
    """
    match protocol:
        case Answer() if protocol.questions != "own" and sees and not fuses:
            return (protocol.questions,)
        case Retrieve() if fuses and protocol.joint is not None and protocol.joint.mode == "rerank":
            return (protocol.joint.dual_encoder,) if protocol.joint.dual_encoder is not None else ()
        case _:
            return ()
