"""Training: the probe, the fine-tuning loop and their parts."""
