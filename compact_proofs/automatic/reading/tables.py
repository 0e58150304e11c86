"""Operations on tables: once for all tokens, where each entry of the result depends on one position besides the last."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from compact_proofs.automatic.reading.lifted import Lifted, call
from compact_proofs.automatic.reading.owners import dependencies, structure
from compact_proofs.automatic.reading.values import Table
from compact_proofs.enclosure.leaves import leaves, map_leaves


class OnTables:
    """A reading by v tokens at n positions, of which the token at position c, the context, is known."""

    def __init__(self, v: int, n: int, context: int) -> None:
        self.v, self.n, self.c = v, n, context

    def on_tables(self, name: str, target: Any, args: Any, kwargs: Any, shape: torch.Size) -> Any:
        """Any operation on tables whose result's entries depend on one free position each: computed for all tokens. Else None."""
        given = [x for x in leaves((args, kwargs)) if isinstance(x, Table)]
        plan = self._plan(name, target, args, kwargs, given, shape)
        if plan is None:
            return None
        owner, apart = plan
        if apart is None:
            lift = {id(x): Lifted(x.data, x.axes) for x in given}
        else:
            lift = {id(x): self.with_context(x, id(x) in apart) for x in given}
        a, k = map_leaves(lambda x: lift[id(x)] if isinstance(x, Table) else x, (args, kwargs))
        result, axes = call(target, a, k)
        if isinstance(result, (tuple, list)):
            return tuple(Table(r, axes, owner) for r in result[:1])
        return Table(result, axes, owner)

    def _plan(
        self, name: str, target: Any, args: Any, kwargs: Any, given: list[Table], shape: torch.Size
    ) -> tuple[Tensor, set[int] | None] | None:
        """Who owns each entry of a result, and which arguments must tell the context's token apart; None if that is not a table.

        The second is None if no entry depends on the context and on another position.
        """
        with structure():
            shells = {id(x): torch.ones(x.shape) for x in given}
            shell_args, shell_kwargs = map_leaves(lambda x: shells[id(x)] if isinstance(x, Table) else x, (args, kwargs))

            def of(*xs: Table) -> Tensor:
                marks = {id(shells[id(x)]): torch.stack([x.owner == i for i in range(self.n)]) for x in xs}
                return dependencies(name, target, shell_args, shell_kwargs, marks, self.n, shape)

            depends = of(*given)
            free = depends.clone()
            free[self.c] = False
            if bool((free.sum(0) > 1).any()):
                return None
            elsewhere = free.any(0)
            owner = torch.where(elsewhere, free.to(torch.int64).argmax(0), torch.where(depends[self.c], self.c, -1))
            if not bool((depends[self.c] & elsewhere).any()) and not any("q" in x.axes for x in given):
                return owner, None
            return owner, {id(x) for x in given if bool((of(x)[self.c] & elsewhere).any())}

    def with_context(self, x: Table, mixed: bool) -> Lifted:
        """A table's data where the context's token is an axis of its own.

        Parameters
        ----------
        mixed
            Some entry that the context owns meets one of a free position, so that their tokens must be told apart.
        """
        if x.axes == "qk" and mixed:  # entries of the context mean something where t = q only
            return Lifted(torch.where(x.owner == self.c, self.diagonal(x)[:, None], x.data), "qk")
        if x.axes != "k":
            return Lifted(x.data, x.axes)
        with structure():
            owners = set(x.owner.unique().tolist())
        if owners <= {-1}:
            return Lifted(x.data[0], "")
        if owners <= {-1, self.c}:
            return Lifted(x.data, "q")
        if self.c in owners and mixed:
            return Lifted(torch.where(x.owner == self.c, x.data[:, None], x.data[None]), "qk")
        return Lifted(x.data, "k")

    def diagonal(self, x: Table) -> Tensor:
        if x.axes == "k":
            return x.data
        q = torch.arange(self.v)
        return x.data[q, q]
