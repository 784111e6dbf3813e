"""The base of every schema of a suite file."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class Strict(BaseModel):
    """A frozen schema that refuses unknown keys.

    Attributes:
        later: fields that came after results had been made. They are not written while they have their default, so that
            these results keep their keys.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    later: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _without_later(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        unset = [name for name in self.later if getattr(self, name) == type(self).model_fields[name].default]
        return {name: value for name, value in written.items() if name not in unset}
