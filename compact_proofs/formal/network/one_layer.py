"""A hidden layer of ReLUs in a network that reads two tokens, found as ``formal/OneLayer.v`` finds it."""

from __future__ import annotations

from dataclasses import dataclass

from compact_proofs.formal.network.distribute import Distributed, depends, every_constant_tabulated
from compact_proofs.formal.network.language import ZERO, Index, Network, Scalar, plus


@dataclass(frozen=True)
class Layer:
    """``sum over neurons of relu(pre) * out + direct``; the number of the neuron is the last axis of `pre` and `out`."""

    width: int
    pre: Scalar
    out: Scalar
    direct: Scalar

    @property
    def additive(self) -> bool:
        """Is all that is read a sum over both tokens, and what neurons read the same for every output?"""
        return _additive(self.pre) and not depends(0, self.pre) and not self.out.reads_tokens() and _additive(self.direct)


def layer_of(e: Scalar) -> Layer | None:
    """The hidden layer of a sum; None if it has none of this kind."""
    if e.head == "Sum":
        m, body = e.args
        assert isinstance(m, int)
        assert isinstance(body, Scalar)
        if body.head != "Times":
            return None
        relu, out = body.parts()
        return Layer(m, next(relu.parts()), out, ZERO) if relu.head == "Relu" else None
    if e.head != "Plus":
        return None
    a, other = e.parts()
    for part, beside in ((a, lambda direct: plus(direct, other)), (other, lambda direct: plus(a, direct))):
        if (found := layer_of(part)) is not None:
            return Layer(found.width, found.pre, found.out, beside(found.direct))
    return None


def one_layer(network: Network) -> tuple[Distributed, Layer] | None:
    """The network as tables and one definition that depends on the input, with its hidden layer; None if it is not such a one."""
    found = every_constant_tabulated(network) if network.context == 2 else None
    if found is None or len(found.network.definitions) != found.network.constants + 1:
        return None
    layer = layer_of(found.network.definitions[-1].body)
    return (found, layer) if layer is not None and layer.additive else None


def _additive(e: Scalar) -> bool:
    match e.head:
        case "Read":
            tokens = [a for i in e.args[1] for a in _tokens(i)]  # type: ignore[union-attr]
            return not tokens or (len(tokens) == 1 and not tokens[0].reads_tokens())
        case "Number" | "Pi":
            return True
        case "Sum" | "Plus" | "Minus":
            return all(map(_additive, e.parts()))
        case "Times":
            a, b = e.parts()
            return (_additive(a) and not b.reads_tokens()) or (_additive(b) and not a.reads_tokens())
        case "Over":
            a, b = e.parts()
            return _additive(a) and not b.reads_tokens()
    return not e.reads_tokens()


def _tokens(i: Index) -> list[Index]:
    """Numbers of the tokens on which a place depends."""
    if i.head == "Token":
        return [a for a in i.args if isinstance(a, Index)]
    return [token for a in i.args if isinstance(a, Index) for token in _tokens(a)]
