"""Makes the boards and stores of this folder importable by the tests below it."""
