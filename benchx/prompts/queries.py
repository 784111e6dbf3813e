"""What the methods that query an image with texts ask of their own accord.

MedKLIP (Wu et al., ICCV 2023) and MeDSLIP (Fan et al. 2024) ask 75 observations, all at once, in this order. The names
and their order are `original_class` of Classification_Test_Sample_on_CXR14/test.py in MediaBrain-SJTU/MedKLIP (commit
8e60b03) and the same in Shef-AIRE/MeDSLIP (commit 7cfceb1). The models read no name but a sentence on each, which both
repositories hold as `observation explanation.json` without a licence; benchx reads the user's copy of that file.

KAD (Zhang et al. 2023) asks the names of a dataset's classes.
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

_KAD_CALLED = {
    "effusion": "pleural effusion",
    "mass": "lung mass",
    "nodule": "lung nodule",
    "pleural thickening": "pleural thicken",
}
"""Classes that `text_list` of A3_CLIP/test_chestxray14.py in xiaoman-zhang/KAD (commit 591d999) writes differently."""

_ANATOMY = """
    trachea left_hilar right_hilar hilar_unspec left_pleural right_pleural pleural_unspec heart_size heart_border
    left_diaphragm right_diaphragm diaphragm_unspec retrocardiac lower_left_lobe upper_left_lobe lower_right_lobe
    middle_right_lobe upper_right_lobe left_lower_lung left_mid_lung left_upper_lung left_apical_lung left_lung_unspec
    right_lower_lung right_mid_lung right_upper_lung right_apical_lung right_lung_unspec lung_apices lung_bases
    left_costophrenic right_costophrenic costophrenic_unspec cardiophrenic_sulcus mediastinal spine clavicle rib stomach
    right_atrium right_ventricle aorta svc interstitium parenchymal cavoatrial_junction cardiopulmonary pulmonary
    lung_volumes unspecified other
"""

ANATOMY_SENTENCES = tuple(f"It is located at {place}. " for place in _ANATOMY.split())
"""What MeDSLIP's other decoder is asked, all at once: `ana_list` of Sample_Zero-Shot_Grounding_RSNA/test.py."""


def query_of(name: str, names: Mapping[str, str]) -> str | None:
    """Return the observation that stands for a class, None where there is none.

    Args:
        name: of the class, in any case, with `_` or blanks.
        names: what a prompt set says of classes, which goes first.
    """
    plain = name.lower().replace("_", " ")
    query = names.get(name, _CALLED.get(plain, plain))
    return query if query in NAMES else None


def kad_name(name: str) -> str:
    """Return what KAD is asked for a class: the official name, or its own in small letters with blanks for `_`."""
    plain = name.lower().replace("_", " ")
    return _KAD_CALLED.get(plain, plain)


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
            f"no sentences for the 75 queries: {path} is not there",
            "the model is asked with 75 sentences that its authors publish without a licence",
            f"copy '{FILE}' from PreTrain_MedKLIP/data_file of https://github.com/MediaBrain-SJTU/MedKLIP, or for "
            "MeDSLIP from Sample_zero-shot_Classification_CXR14 of https://github.com/Shef-AIRE/MeDSLIP",
        )
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {path}", str(error), "use the file as published") from error
    if not isinstance(said, dict) or tuple(_MISSPELT.get(name, name) for name in said) != NAMES:
        raise CheckpointError(
            f"{path} does not hold the 75 queries",
            f"it must be an object of {len(NAMES)} sentences, from '{NAMES[0]}' to '{NAMES[-1]}', in their order",
            "use the file as published",
        )
    if not all(isinstance(sentence, str) and sentence.strip() for sentence in said.values()):
        raise CheckpointError(f"{path}: an observation has no sentence", "", "use the file as published")
    return tuple(said.values())
