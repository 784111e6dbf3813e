"""Tasks: what is fitted, predicted and scored."""
