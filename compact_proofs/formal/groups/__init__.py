"""Theorems about networks on groups, proved by a compact checker: from a certificate's circuits, without running the network.

hints            circuits with numbers fitted to the weights
length           how many operations the checker makes
group_source     hints as text that Coq reads
group_statement  the theorem
"""
