"""What PRIOR's official code gave for images, and where it is in ours."""

from __future__ import annotations

from parity_checks.run import Check

CHECKS: dict[str, dict[str, Check]] = {
    "prior": {
        "pooled": lambda run: run.found.pooled,
        "proj": lambda run: run.encoder.project(run.found),
    }
}
