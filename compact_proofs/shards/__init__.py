"""Proofs in parts: what strategies divide into a disjoint union, and who carries out the parts.

each        `each`: the parts of a strategy's proof, one after the other or by workers; `tried`: those of its search
crew        `sharing`: who carries them out, and what is kept of what is finished
work        what a worker does with some parts
passing     functions, tables and results as bytes
"""

from compact_proofs.shards.call import proof
from compact_proofs.shards.crew import nothing_kept, nothing_shared, remembered, shared_by, sharing
from compact_proofs.shards.each import each, tried

__all__ = ["each", "nothing_kept", "nothing_shared", "proof", "remembered", "shared_by", "sharing", "tried"]
