"""Publishing: bundles of results, their verification, and the metadata of a model card."""
