"""Soft parts and lungs of a chest with its findings, as line integrals and masks."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from benchx.phantom.anatomy import Anatomy
from benchx.phantom.change import VISIBLE_MM, visible
from benchx.phantom.findings import Finding
from benchx.phantom.lesions import heart_mask, hernia, mass, nodule
from benchx.phantom.lungs import LungView
from benchx.phantom.markings import texture, vessels
from benchx.phantom.opacities import atelectasis, consolidation, edema, fibrosis, infiltration, pneumonia
from benchx.phantom.pleura import effusion, pneumothorax, thickening
from benchx.phantom.solids import Frame, Map, Mask, chord
from benchx.phantom.tissue import MU_LUNG, MU_SOFT

_SCATTERED = {"Edema", "Fibrosis", "Infiltration"}
_CLOSING_MM = 14.0
_OUTLINED = np.float32(0.6)
_IN_LUNG = {
    "Atelectasis": atelectasis,
    "Consolidation": consolidation,
    "Edema": edema,
    "Effusion": effusion,
    "Fibrosis": fibrosis,
    "Infiltration": infiltration,
    "Mass": mass,
    "Nodule": nodule,
    "Pleural_Thickening": thickening,
    "Pneumonia": pneumonia,
    "Pneumothorax": pneumothorax,
}
Key = tuple[int, int]


def chest(
    anatomy: Anatomy, lungs: Mapping[str, LungView], frame: Frame, key: Key, findings: tuple[Finding, ...]
) -> tuple[Map, dict[str, Mask]]:
    """Sum the attenuation of all that is not bone or metal.

    Args:
        anatomy: the organs, shaped by the findings that change shapes.
        lungs: from `view_lungs` of this anatomy and frame.
        frame: the view.
        key: seed and index of the patient.
        findings: what is seen.

    Returns:
        Line integrals float32 [size, size], >= 0, and the mask of every finding, bool [size, size]. What
        a finding changes lies within its mask, but for the signs around it: the raised dome of an
        atelectasis, and the low dome and flat ribs of an emphysema.
    """
    line = _soft_parts(anatomy, frame, key)
    masks = {finding.name: np.zeros(line.shape, bool) for finding in findings}
    lucency = np.float32(anatomy.lucency)
    blood = vessels(anatomy, frame, key, 0.6 + 0.4 * anatomy.lucency) * np.float32(17 * MU_SOFT)
    fine, coarse = (texture((*key, "lung"), grain_mm, frame) for grain_mm in (2.4, 9.0))
    tissue = np.float32(MU_LUNG) * lucency * (1 + np.float32(0.09) * fine + np.float32(0.04) * coarse)
    for lung in lungs.values():
        inside = lung.air * tissue[lung.box]
        inside += np.minimum(blood[lung.box], lung.air * np.float32(0.5 * MU_SOFT))
        for finding in findings:
            if finding.name == "Emphysema":
                masks[finding.name][lung.box] |= lung.whole > VISIBLE_MM
            if finding.name in _IN_LUNG and lung.side in finding.sides:
                change, mask = visible(_IN_LUNG[finding.name](lung, finding, key), lung)
                inside *= 1 - np.minimum(1, change.water + change.air)
                inside += np.float32(MU_SOFT) * lung.air * change.water
                masks[finding.name][lung.box] |= _region(mask, finding.name, frame)
        line[lung.box] += inside - np.float32(MU_SOFT) * lung.air
    for air in (*anatomy.airways, anatomy.bubble):
        box, length = chord(air, frame)
        line[box] -= np.float32(MU_SOFT) * length
    for finding in findings:
        if finding.name == "Cardiomegaly":
            masks[finding.name] = heart_mask(anatomy, frame)
        elif finding.name == "Hernia":
            box, delta, pouch = hernia(anatomy, frame, finding, key)
            line[box] += delta
            masks[finding.name][box] = pouch
    return np.maximum(line, np.float32(0)), masks


def lung_masks(lungs: Mapping[str, LungView], frame: Frame) -> NDArray[np.uint8]:
    """Outline the lungs as readers do, up to the borders of heart and dome: where heart, vessels and diaphragm leave
    at least 0.6 of a lung's depth, whether aerated or filled by a finding.

    Returns:
        uint8 [2, size, size] of 0 and 1, the patient's left and right lung; they overlap in a lateral view.
    """
    masks = np.zeros((2, frame.size, frame.size), np.uint8)
    for mask, side in zip(masks, ("left", "right"), strict=True):
        lung = lungs[side]
        mask[lung.box] = lung.air > np.maximum(_OUTLINED * lung.whole, VISIBLE_MM)
    return masks


def _soft_parts(anatomy: Anatomy, frame: Frame, key: Key) -> Map:
    line = np.zeros((frame.size, frame.size), np.float32)
    box, length = chord(anatomy.trunk, frame)
    line[box] = length
    # Soft parts merge into the trunk: from the side nearly all of the overlap is common to both.
    extra = np.float32(0.05 if frame.lateral else 0.45)
    for part in anatomy.extras:
        box, length = chord(part, frame)
        line[box] = np.maximum(line[box], length) + extra * np.minimum(line[box], length)
    line *= np.float32(MU_SOFT) * (1 + np.float32(0.025) * texture((*key, "soft"), 22, frame))
    return line


def _region(mask: Mask, name: str, frame: Frame) -> Mask:
    """Close the gaps between the strands of a scattered finding: readers outline it as one region."""
    if name not in _SCATTERED:
        return mask
    reach = max(1, round(_CLOSING_MM / frame.pixel_mm))
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    return np.asarray(closed > 0)
