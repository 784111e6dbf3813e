"""Classification: a cell posed as a problem, and the protocols that solve it."""
