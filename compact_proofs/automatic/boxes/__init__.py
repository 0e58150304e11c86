"""Boxes of inputs, and how an explanation divides them: the statement of a proof, known before any bound.

roots    boxes to start from, of constant label: from the task alone, or checked against it
diagram  such boxes by decision diagrams, for any label
tree     the split tree that divides them: disjoint parts, whatever an explanation says
words    boxes in words, for people
"""
