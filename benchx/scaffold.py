"""`benchx new`: files to start from."""

from __future__ import annotations

import re
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
