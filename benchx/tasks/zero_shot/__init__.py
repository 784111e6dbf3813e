"""Zero-shot classification: classes scored by the similarity of images with prompts, and where they are found."""
