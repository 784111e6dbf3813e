"""Reports that stay in their files until they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from benchx.datasets.report_sections import read_report
from benchx.datasets.samples import Report


class ReportFiles(Mapping[str, Report]):
    """The report of every sample, read from its file at each access.

    Reading hundreds of thousands of small files takes minutes, and most tasks need few or none of them.

    Args:
        root: of the dataset.
        paths: the report file of every sample, relative to the root.
    """

    def __init__(self, root: Path, paths: Mapping[str, str]) -> None:
        self._root = root
        self._paths = paths

    def __getitem__(self, sample: str) -> Report:
        """Return one report; a DatasetError names a file that cannot be read."""
        return read_report(self.path(sample))

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def __contains__(self, sample: object) -> bool:
        return sample in self._paths

    def __repr__(self) -> str:
        return f"ReportFiles({len(self)} samples)"

    def path(self, sample: str) -> Path:
        """Return the file that a sample's report is read from."""
        return self._root / self._paths[sample]
