"""The process that labels texts with CheXbert: `python -m benchx.annotators.chexbert_process MODEL DEVICE`.

See `benchx.annotators.serving` for what it reads and writes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchx.annotators.chexbert_model import load_labeler
from benchx.annotators.serving import serve

if __name__ == "__main__":
    serve(lambda: load_labeler(Path(sys.argv[1]), sys.argv[2]))
