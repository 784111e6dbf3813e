"""What the official code computed, method by method: the names of its figures and where they are in ours."""
