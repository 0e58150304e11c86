"""Finite groups, for tasks and searches: nothing here knows a network.

group      groups as Cayley tables, checked when they are made
subgroups  subgroups up to conjugacy
irreps     real irreducible representations
"""
