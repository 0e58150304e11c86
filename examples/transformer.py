"""A transformer layer as PyTorch ships it, with LayerNorm and MLP: its accuracy on every input of Max-of-3.

python examples/transformer.py
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import compact_proofs as cp
from compact_proofs.tasks.max_of_k import MaxOfK
from compact_proofs.tasks.max_of_k.training import uniform_sequences
from compact_proofs.train import Recipe, fit

TASK = MaxOfK(d_vocab=6, n_ctx=3)


class Transformer(nn.Module):
    """Embedding, one `nn.TransformerEncoderLayer` (attention, MLP, two LayerNorms), and the last position unembedded."""

    def __init__(self, d_model: int = 16) -> None:
        super().__init__()
        self.embed = nn.Embedding(TASK.d_vocab, d_model)
        self.position = nn.Parameter(torch.randn(TASK.n_ctx, d_model) / d_model**0.5)
        self.layer = nn.TransformerEncoderLayer(
            d_model, nhead=4, dim_feedforward=32, dropout=0.0, activation="gelu", batch_first=True
        )
        self.unembed = nn.Linear(d_model, TASK.d_vocab)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits [n, d_vocab] of sequences [n, n_ctx]."""
        return self.unembed(self.layer(self.embed(tokens) + self.position)[:, -1])


def trained(seed: int = 0, steps: int = 60) -> Transformer:
    """Train for a second, so that it is not perfect."""
    torch.manual_seed(seed)
    model = Transformer()
    fit(model, uniform_sequences(TASK.n_ctx, TASK.d_vocab), Recipe(seed=seed, steps=steps, learning_rate=3e-3))
    return model.eval()


def main() -> None:
    """Prove what the trained model does, in three scores."""
    model = trained()
    print(cp.brute_force(model, TASK).claim.statement())
    for score in (cp.Margin(0.5), cp.LogLikelihood()):
        certificate = cp.brute_force(model, TASK, score=score)
        print(f"mean of {score.formula()} >= {cp.decimal(certificate.bound)}, {certificate.length.total:,} operations")


if __name__ == "__main__":
    main()
