"""Tissues and sides: the constants that organs, findings and rays share."""

SIGN = {"left": 1.0, "right": -1.0}
"""Direction of each of the patient's sides on the x axis."""

MU_SOFT, MU_LUNG, MU_BONE = 0.019, 0.0044, 0.034
"""Linear attenuation per mm near 65 keV of water-like tissue, aerated lung and mixed bone.

Rounded from the tables of NIST (X-ray mass attenuation coefficients), lung at a quarter of water's density.
"""
