"""`benchx new`: files to start from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from string import Template

from benchx.errors import UsageError

_TEMPLATES = Path(__file__).resolve().parent / "_templates"


def new_dataset(name: str, folder: Path) -> list[Path]:
    """Write the description of a dataset, a suite of it alone, and a test that fails until its classes are named.

    Args:
        name: of the dataset: small letters, digits and '-'.
        folder: where the files go; made if absent.

    Returns:
        The files: `NAME.yaml`, `NAME-suite.yaml` and `test_NAME.py` ('-' becomes '_' there).

    Raises:
        UsageError: the name is not a name or is taken, or one of the files is there already.
    """
    from benchx.datasets.described.schema import NAME
    from benchx.suites import read_suite

    _check_name(name, NAME)
    others = "\n".join(f"  {other}: null" for other in read_suite("chestxray").datasets)
    texts = {
        folder / f"{name}.yaml": _filled("dataset.yaml.txt", name=name),
        folder / f"{name}-suite.yaml": _filled("suite.yaml.txt", name=name, others=others),
        folder / f"test_{name.replace('-', '_')}.py": _filled("test_dataset.py.txt", name=name),
    }
    return _write(texts, folder)


def new_method(name: str, folder: Path) -> list[Path]:
    """Write the card of a method, and a test that fails until its checkpoint loads.

    Args:
        name: of the method: letters, digits, '-', '_' and '.'.
        folder: where the files go; made if absent.

    Returns:
        The files: `NAME.yaml` and `test_NAME.py` ('-' and '.' become '_' there).

    Raises:
        UsageError: the name is not a name or is taken, or one of the files is there already.
    """
    from benchx.methods.cards.reading import card_names

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name) or name.endswith((".yaml", ".yml")):
        raise UsageError(
            f"'{name}' cannot be a method's name",
            "it becomes a file, a folder and a part of results",
            "use letters, digits, '-', '_' and '.', and begin with a letter or digit",
        )
    if name in card_names():
        raise UsageError(f"there is a method '{name}'", "results are told apart by that name", "choose another name")
    texts = {
        folder / f"{name}.yaml": _filled("method.yaml.txt", name=name),
        folder / f"test_{re.sub('[-.]', '_', name)}.py": _filled("test_method.py.txt", name=name),
    }
    return _write(texts, folder)


def _write(texts: Mapping[Path, str], folder: Path) -> list[Path]:
    if present := [path for path in texts if path.exists()]:
        raise UsageError(
            f"{present[0]} is there already", "nothing is overwritten", "remove it, or choose another name or folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    return list(texts)


def _check_name(name: str, pattern: str) -> None:
    from benchx.datasets import DATASETS

    if not re.fullmatch(pattern, name):
        raise UsageError(
            f"'{name}' cannot be a dataset's name",
            "it becomes a folder and a part of results",
            "use small letters, digits and '-', and begin with a letter or digit",
        )
    if name in DATASETS:
        raise UsageError(f"benchx has a dataset '{name}'", "results are told apart by that name", "choose another name")


def _filled(template: str, **values: str) -> str:
    return Template((_TEMPLATES / template).read_text(encoding="utf-8")).substitute(values)
