"""Two stores, for regressions."""
