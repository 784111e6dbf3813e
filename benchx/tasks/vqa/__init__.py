"""Questions about images, answered from a vocabulary."""
