"""Random attention stacks of any depth."""

import torch

from compact_proofs.models.attention_stack import AttentionStack, AttentionStackConfig


def random_stack(layers, seed=0, **sizes):
    model = AttentionStack(
        AttentionStackConfig(**{"d_vocab": 6, "n_ctx": 4, "d_model": 5, "d_head": 3} | sizes, n_layers=layers), torch.float64
    )
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=generator)
    return model.requires_grad_(False)
