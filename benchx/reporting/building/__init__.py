"""From stores to a board."""
