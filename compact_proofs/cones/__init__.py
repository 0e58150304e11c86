"""Simplicial cones: sets of directions that are cut along edges, with proven lower bounds of their measure.

cone           cones by their rays; a cut along an edge makes two of one
measure        lower bounds of the share of all directions that lie in a cone
tree           a tree of cuts as integers, which is what an explanation holds; the order in which it is read
forest         trees of cuts verified: what is right on the cones at which they end
region         the set of inputs that trees prove right
"""
