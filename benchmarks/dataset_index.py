"""Time and memory of reading the index of NIH ChestX-ray14 at full size: 112 120 rows, no image on disk.

Run: python benchmarks/dataset_index.py
Wanted: under 3 s, and under 500 MB at the peak of the whole process. The table is the published one where
torchxrayvision is installed, else one of the same length; the split lists are made up.
"""

from __future__ import annotations

import gzip
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

IMAGES = 112_120
TABLE = "Data_Entry_2017_v2020.csv"
MEASURE = """
import resource, sys, time
from pathlib import Path
from benchx.datasets.readers import nih
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started = time.perf_counter()
samples = nih.read(Path(sys.argv[1]))
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(f"{len(samples.table)} rows, {seconds:.2f} s, peak {peak / 1024:.0f} MiB, {before / 1024:.0f} MiB of it imports")
"""


def table() -> str:
    found = importlib.util.find_spec("torchxrayvision")
    if found is not None and found.submodule_search_locations:
        published = Path(found.submodule_search_locations[0]) / "data" / f"{TABLE}.gz"
        return gzip.decompress(published.read_bytes()).decode()
    header = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,a,b,c,d"
    rows = [f"{n // 4:08d}_{n % 4:03d}.png,Mass|Nodule,{n % 4},{n // 4},57,M,PA,1,1,1,1" for n in range(IMAGES)]
    return "\n".join([header, *rows]) + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        (root / "images").mkdir()
        text = table()
        (root / TABLE).write_text(text)
        names = [line.split(",")[0] for line in text.splitlines()[1:]]
        cut = len(names) * 3 // 4
        (root / "train_val_list.txt").write_text("\n".join(names[:cut]))
        (root / "test_list.txt").write_text("\n".join(names[cut:]))
        for _ in range(3):
            subprocess.run([sys.executable, "-c", MEASURE, str(root)], check=True)


if __name__ == "__main__":
    main()
