"""Time the metrics of the 590 test reports of IU X-Ray against shuffled ones, with Java and without METEOR.

python benchmarks/report_metrics_speed.py ANNOTATION.JSON
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from pathlib import Path
from unittest.mock import patch

from benchx.metrics.reports.scoring import score_reports


def main() -> None:
    references = [study["report"] for study in json.loads(Path(sys.argv[1]).read_text())["test"]]
    hypotheses = random.Random(0).sample(references, len(references))
    for title, path in (("with Java", os.environ["PATH"]), ("without Java, so without METEOR", "")):
        with patch.dict(os.environ, {"PATH": path}):
            started = time.perf_counter()
            found = score_reports(hypotheses, references)
            seconds = time.perf_counter() - started
        scores = ", ".join(f"{name} {'-' if score is None else f'{score:.4f}'}" for name, score in found.scores.items())
        print(f"{found.n} reports {title} ({found.tokenizer}): {seconds:.1f} s\n  {scores}")


if __name__ == "__main__":
    main()
