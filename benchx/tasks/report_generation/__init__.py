"""Report generation: a decoder learns to write the report of a study from the encoder's patches of its images."""
