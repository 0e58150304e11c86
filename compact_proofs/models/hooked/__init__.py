"""TransformerLens from the outside: live models, and state dicts with a configuration.

A state dict of TransformerLens is that of many functions (with LayerNorm or without, scaled or not, ReLU or GELU, ...), so that it
is read only together with its configuration, of which every field counts: it is used, or known to be without effect, or must have
the value that switches it off; anything else is a `BadInput` that names the field.

fields        what each field of a configuration means here
names         the names and layouts of HookedTransformer (up to version 3) and TransformerBridge (3 and 4)
state         from a state dict and its configuration to one of our modules
live          from a live model, whose outputs are compared
adopt         from a live model, whatever its architecture, to a module with one row of logits
"""

from __future__ import annotations

from compact_proofs.models.hooked.adopt import LastLogits, as_network, is_live
from compact_proofs.models.hooked.live import from_transformer_lens
from compact_proofs.models.hooked.state import from_hooked_state

__all__ = ["LastLogits", "as_network", "from_hooked_state", "from_transformer_lens", "is_live"]
