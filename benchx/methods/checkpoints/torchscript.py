"""State dicts of TorchScript archives, from their attributes and the declarations in their source; no code is run."""

from __future__ import annotations

import re
from collections.abc import Mapping

from benchx.methods.checkpoints.modules import Budget, Parts
from benchx.methods.checkpoints.pickle_machine import Stub
from benchx.methods.checkpoints.stored import StoredTensor

CLASS = re.compile(r"^class (\w+)\(Module\):\n((?:  __(?:parameters|buffers)__ = \[.*\]\n)*)", re.MULTILINE)


def scripted_module(sources: Mapping[str, str]) -> Parts:
    """Return the rule by which scripted modules hold tensors and submodules.

    A class's source begins with the names of its parameters and buffers. Other tensor attributes are no part of
    the state dict. Every buffer is, for TorchScript does not keep which ones are not persistent.

    Args:
        sources: the text of `code/__torch__/a/b.py`, by "__torch__.a.b".
    """
    declared = {
        f"{module}.{found[1]}": frozenset(re.findall(r'"(\w+)"', found[2]))
        for module, text in sources.items()
        for found in CLASS.finditer(text)
    }

    def parts(stub: Stub, budget: Budget) -> tuple[dict[str, StoredTensor], dict[str, Stub]] | None:
        if stub.origin not in declared:
            return None
        names = declared[stub.origin]
        state = stub.state if isinstance(stub.state, dict) else {}
        budget.spend(len(state))
        return (
            {name: value for name, value in state.items() if name in names and isinstance(value, StoredTensor)},
            {name: value for name, value in state.items() if isinstance(value, Stub) and value.origin in declared},
        )

    return parts
