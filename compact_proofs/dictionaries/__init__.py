"""Dictionaries as explanations: what a basis of the activations that enter an MLP, sparse or not, lets us prove.

codes        codes as lists, and what they add to neurons
metric       errors of the activations, weighed
bound        the theorem
strategy     `Dictionary`, the strategy
hints        from a dictionary with codes to an explanation
finding      where dictionaries come from
autoencoder  sparse autoencoders
training     training them, for the error or for the bound
"""

from compact_proofs.dictionaries.autoencoder import Autoencoder
from compact_proofs.dictionaries.hints import Codebook
from compact_proofs.dictionaries.strategy import Dictionary

__all__ = ["Autoencoder", "Codebook", "Dictionary"]
