"""Results: the record of a cell and the store that keeps it."""
