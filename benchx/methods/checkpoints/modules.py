"""State dicts of modules that were pickled whole."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchx.methods.checkpoints.pickle_machine import Stub
from benchx.methods.checkpoints.stored import StoredTensor

MAX_ENTRIES = 100_000
"""Modules and their entries in one file, each as often as it is named; published files have less than 10 000."""

MAX_NAME = 500
"""Characters of a module's name. Modules that contain each other would have endless names."""

MAX_DEPTH = 4
"""How deep state dicts and modules are looked for inside a file; published ones lie one or two keys deep."""


@dataclass
class Budget:
    """What is left of MAX_ENTRIES while the modules of a file are read."""

    left: int = MAX_ENTRIES

    def spend(self, entries: int) -> None:
        """Count a module with so many entries.

        Raises:
            pickle.UnpicklingError: there are too many.
        """
        self.left -= 1 + entries
        if self.left < 0:
            raise pickle.UnpicklingError("its modules contain each other, or are far too many")


Parts = Callable[[Stub, Budget], tuple[dict[str, StoredTensor], dict[str, Stub]] | None]
"""Returns the tensors and the submodules of a module, by name; None for what is no module. Spends what it looks at."""


def with_state_dicts(tree: Any, parts: Parts) -> Any:
    """Return a tree with every module replaced by its state dict, down to MAX_DEPTH keys.

    Raises:
        pickle.UnpicklingError: a module contains itself, or there are far too many.
    """
    budget = Budget()
    if isinstance(tree, Stub):
        return tree if parts(tree, budget) is None else _state_dict(tree, parts, budget)
    waiting, seen = [(tree, 0)], set()
    made: dict[int, tuple[Stub, dict[str, StoredTensor]]] = {}
    while waiting:
        node, depth = waiting.pop()
        if not isinstance(node, dict) or id(node) in seen:
            continue
        seen.add(id(node))
        for key, value in node.items():
            if isinstance(value, Stub):
                if id(value) not in made and parts(value, budget) is not None:
                    made[id(value)] = value, _state_dict(value, parts, budget)
                node[key] = made[id(value)][1] if id(value) in made else value
            elif depth < MAX_DEPTH:
                waiting.append((value, depth + 1))
    return tree


def _state_dict(module: Stub, parts: Parts, budget: Budget) -> dict[str, StoredTensor]:
    """Return what `module.state_dict()` would: a module's own tensors first, then its submodules' in their order."""
    found: dict[str, StoredTensor] = {}
    waiting = [("", module)]
    while waiting:
        prefix, node = waiting.pop()
        if len(prefix) > MAX_NAME:
            raise pickle.UnpicklingError("its modules contain each other, or are nested far too deep")
        tensors, children = parts(node, budget) or ({}, {})
        found |= {prefix + name: value for name, value in tensors.items()}
        waiting += [(f"{prefix}{name}.", child) for name, child in reversed(children.items())]
    return found


def pickled_module(stub: Stub, budget: Budget) -> tuple[dict[str, StoredTensor], dict[str, Stub]] | None:
    """Return the tensors and submodules of a pickled torch.nn.Module; None for other objects."""
    state = stub.state[0] if isinstance(stub.state, tuple) and stub.state else stub.state
    if not isinstance(state, dict):
        return None
    parameters, buffers, children = (state.get(key) for key in ("_parameters", "_buffers", "_modules"))
    if not isinstance(parameters, dict) or not isinstance(buffers, dict) or not isinstance(children, dict):
        return None
    passing = state.get("_non_persistent_buffers_set")
    passing = passing if isinstance(passing, list | tuple) else ()
    budget.spend(len(parameters) + len(buffers) + len(children) + len(passing))
    passing = {name for name in passing if isinstance(name, str)}
    kept = {**parameters, **{name: value for name, value in buffers.items() if name not in passing}}
    return (
        {name: value for name, value in kept.items() if isinstance(name, str) and isinstance(value, StoredTensor)},
        {name: value for name, value in children.items() if isinstance(name, str) and isinstance(value, Stub)},
    )
