"""The fixed queries of MedKLIP (Wu et al., ICCV 2023): 75 observations, all asked at once, in this order.

The names and their order are `original_class` of Classification_Test_Sample_on_CXR14/test.py in
MediaBrain-SJTU/MedKLIP (commit 8e60b03). The model reads no name but a sentence on each, which the authors publish as
`observation explanation.json` without a licence; benchx reads the user's copy of that file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from benchx.errors import CheckpointError, WeightsMissing

FILE = "observation explanation.json"

_IN_ORDER = """
    normal clear sharp sharply unremarkable intact stable free effusion opacity pneumothorax edema atelectasis tube
    consolidation process abnormality enlarge tip low pneumonia line congestion catheter cardiomegaly fracture air
    tortuous lead disease calcification prominence device engorgement picc clip elevation expand nodule wire fluid
    degenerative pacemaker thicken marking scar hyperinflate blunt loss widen collapse density emphysema aerate mass
    crowd infiltrate obscure deformity hernia drainage distention shift stent pressure lesion finding borderline
    hardware dilation chf redistribution aspiration tail_abnorm_obs excluded_obs
"""

NAMES = tuple(_IN_ORDER.split())

_CALLED = {
    "fibrosis": "tail_abnorm_obs",
    "infiltration": "infiltrate",
    "pleural thickening": "thicken",
    "pleural effusion": "effusion",
}
"""Classes under another name: those of ChestX-ray14 as the official script maps them, and CheXpert's effusion."""

_MISSPELT = {"eumonia": "pneumonia"}
"""A key of the published file, and the observation that it means."""


def query_of(name: str, names: Mapping[str, str]) -> str | None:
    """Return the observation that stands for a class, None where there is none.

    Args:
        name: of the class, in any case, with `_` or blanks.
        names: what a prompt set says of classes, which goes first.
    """
    plain = name.lower().replace("_", " ")
    query = names.get(name, _CALLED.get(plain, plain))
    return query if query in NAMES else None


def read_descriptions(path: Path) -> tuple[str, ...]:
    """Return the sentences on the 75 observations, in the order of `NAMES`.

    Args:
        path: the published JSON file, {observation: sentence}.

    Raises:
        WeightsMissing: there is no such file.
        CheckpointError: it is not JSON, or not about these 75 in this order.
    """
    if not path.is_file():
        raise WeightsMissing(
            f"no sentences for MedKLIP's queries: {path} is not there",
            "the model is asked with 75 sentences that its authors publish without a licence",
            f"copy '{FILE}' from PreTrain_MedKLIP/data_file of https://github.com/MediaBrain-SJTU/MedKLIP",
        )
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {path}", str(error), "use the file as published") from error
    if not isinstance(said, dict) or tuple(_MISSPELT.get(name, name) for name in said) != NAMES:
        raise CheckpointError(
            f"{path} does not hold MedKLIP's queries",
            f"it must be an object of {len(NAMES)} sentences, from '{NAMES[0]}' to '{NAMES[-1]}', in their order",
            "use the file as published",
        )
    if not all(isinstance(sentence, str) and sentence.strip() for sentence in said.values()):
        raise CheckpointError(f"{path}: an observation has no sentence", "", "use the file as published")
    return tuple(said.values())
