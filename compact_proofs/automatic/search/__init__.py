"""Searches for explanations, in ordinary arithmetic: deterministic, not counted, and untrusted.

find                 `search`: the explanation of a program
prices               what is worth its operations: to bound, to list, to leave out
nodes, cutting       trees that are being made, and ways to divide boxes
merged               for networks whose logits are averages
relaxed, judging     for everything else: which boxes to divide
shares               how much of a box is certified, estimated on drawn inputs
penalty              training for provability, through the same bounds
"""
