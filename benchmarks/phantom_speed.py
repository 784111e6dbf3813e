"""How many radiographs one core renders per second, by size."""

from __future__ import annotations

import time

import cv2

from benchx.phantom.patients import make_patient
from benchx.phantom.render import render

PATIENTS = 40
SIZES = (128, 256, 512, 1024)


def main() -> None:
    cv2.setNumThreads(1)
    images = [(patient, i) for k in range(PATIENTS) for patient in [make_patient(1, k)] for i in patient.frontal]
    for size in SIZES:
        start = time.process_time()
        for patient, number in images:
            render(patient, number, size)
        print(f"{size:5d} px  {len(images) / (time.process_time() - start):6.1f} images/s/core")


if __name__ == "__main__":
    main()
