"""Few-shot classification: heads on frozen features of a few cases per class, drawn again and again."""
