"""The line of a YAML file that a field stands on."""

from __future__ import annotations

from collections.abc import Sequence

import yaml


def line_of(text: str, path: Sequence[str | int]) -> int:
    """Return the line, from 1, of a field of a YAML document.

    Args:
        path: keys and positions that lead to the field, outermost first, as pydantic gives them. Where the document
            does not hold all of it, the last one that it holds counts; an empty document begins on line 1.
    """
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = 1
    for step in path:
        key, node = _inside(node, step)
        if key is None:
            break
        line = key.start_mark.line + 1
    return line


def _inside(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node | None, yaml.Node | None]:
    """Return the node that begins an entry, and the entry's value."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(step)), (None, None))
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None, None
