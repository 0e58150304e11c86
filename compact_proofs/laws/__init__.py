"""Laws of real inputs: what a task has in place of a finite set of inputs.

law     independent one-dimensional laws, and the uniform law of a direction
task    tasks over a law
"""

from compact_proofs.laws.law import Independent, Law, Normal, OneDimensional, Uniform, UniformDirection, standard_normal
from compact_proofs.laws.task import LawTask

__all__ = ["Independent", "Law", "LawTask", "Normal", "OneDimensional", "Uniform", "UniformDirection", "standard_normal"]
