"""Retrieval: images and their reports, found by each other among a whole test set; nothing is trained."""
