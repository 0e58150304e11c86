"""Theorems about networks with one layer of attention, proved from boxes of inputs without running the network on them.

``fraction_structure`` finds the fractions in a network's logits, ``box_hints`` makes boxes of an explanation of `automatic`,
``fraction_source`` writes both down, and ``fraction_statement`` states the theorem. The checker is ``formal/FractionChecker.v``.
"""
