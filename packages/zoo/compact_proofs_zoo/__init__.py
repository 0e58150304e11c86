"""The larger models of compact-proofs's zoo; `compact_proofs.zoo` finds them here."""
