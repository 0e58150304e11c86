"""Where to cut boxes: the tokens that draw the most attention apart from the others. For searches."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from compact_proofs.automatic.blocks import Network
from compact_proofs.automatic.nodes import Node
from compact_proofs.automatic.projection import Leaves


def heaviest(network: Network, leaves: list[Node], number: int) -> Tensor:
    """The tokens, bool [v], of largest weight at the free positions of boxes that end in one token, over all heads.

    Without heads, the largest tokens.
    """
    score, several = _scores(network, leaves)
    several = several.any(0)
    score = score.sum(0).masked_fill(~several, -1.0)
    found = torch.zeros(network.v, dtype=torch.bool)
    found[score.topk(min(number, network.v)).indices] = True
    return found & several


def widest_gap(network: Network, leaves: list[Node]) -> tuple[Tensor, range]:
    """Tokens, bool [v], and the one position to cut at: where the weights of two parts differ most."""
    score, several = _scores(network, leaves)
    best: tuple[float, Tensor, int] = (-1.0, torch.zeros(network.v, dtype=torch.bool), 0)
    for i in range(network.n):
        tokens = several[i].nonzero()[:, 0]
        if i == network.context or len(tokens) < 2:
            continue
        order = tokens[score[i, tokens].argsort(descending=True)]
        values = score[i, order]
        k = torch.arange(1, len(values), dtype=torch.float64)
        means = values.cumsum(0)[:-1] / k - (values.sum() - values.cumsum(0)[:-1]) / (len(values) - k)
        between = k * (len(values) - k) * means.square()  # Otsu's criterion
        at = int(between.argmax())
        if float(between[at]) > best[0]:
            inside = torch.zeros(network.v, dtype=torch.bool)
            inside[order[: at + 1]] = True
            best = (float(between[at]), inside, i)
    return best[1], range(best[2], best[2] + 1)


def _scores(network: Network, leaves: list[Node]) -> tuple[Tensor, Tensor]:
    """Shares of the heads' weights [n, v], added up, and where boxes that end in one token leave a choice: bool [n, v].

    Without heads, larger tokens score higher.
    """
    q = int(leaves[0].box[network.context].to(torch.int64).argmax())
    allowed = torch.stack([leaf.box for leaf in leaves])
    allowed[:, network.context] = False
    several = (allowed & (allowed.sum(-1, keepdim=True) > 1)).any(0)
    score = (torch.arange(network.v, dtype=torch.float64) * 1e-9).expand(network.n, network.v)
    for block in Leaves(network).averages.values():
        w = block.weights[q]  # [n, K, G]
        score = score + (w / w.masked_fill(~several[..., None], 0).sum((0, 1)).clamp(min=1e-300)).sum(-1)
    return score, several


def divided(leaf: Node, tokens: Tensor, positions: range, context: int) -> Iterator[tuple[int, Node]]:
    """Cut a box at those positions that hold some of `tokens` and others: the parts, and how many positions hold them."""
    waiting = [(0, 0, leaf)]
    while waiting:
        position, inside, node = waiting.pop()
        while position < len(node.box) and (
            position == context
            or position not in positions
            or not bool((node.box[position] & tokens).any())
            or not bool((node.box[position] & ~tokens).any())
        ):
            position += 1
        if position == len(node.box):
            yield inside, node
        else:
            near, far = node.divide(position, tokens)
            waiting += [(position + 1, inside, far), (position + 1, inside + 1, near)]
