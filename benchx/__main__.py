"""`python -m benchx` is the command line."""

from benchx.cli import main

main()
