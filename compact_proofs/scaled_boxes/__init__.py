"""Scaled boxes: inputs by the ratios of their numbers to one of them, with proven lower bounds of probabilities.

box        boxes by their ends; a split along a coordinate makes two of one
scale      the probability of a box, by an integral over the scale
shortfall  the probability that a linear function is not positive on a box
tree       a tree of splits as integers, which is what an explanation holds
forest     trees of splits verified: what is right on the boxes at which they end
region     the set of inputs that trees prove right
"""
