"""How the images of a described dataset are named after their files."""

from __future__ import annotations

import re

import pandas as pd

SUFFIX = re.compile(r"\.(png|jpe?g|dcm|dicom)$", re.IGNORECASE)
"""Of image files."""


def name_samples(paths: pd.Series) -> pd.Series:
    """Return file names without their suffix, or the paths where those are not unique."""
    names = paths.str.rsplit("/", n=1).str[-1].str.replace(SUFFIX, "", regex=True)
    return names if names.is_unique else paths
