"""`python -m penult` is the command `penult`."""

from penult.cli import main

main()
