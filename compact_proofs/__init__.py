"""Sound, counted proofs of neural network performance."""
