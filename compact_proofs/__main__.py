"""``python -m compact_proofs`` is the command ``compact-proofs``."""

from compact_proofs.cli import main

main()
