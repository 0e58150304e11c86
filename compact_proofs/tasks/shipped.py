"""The tasks that ship, each imported when it is first asked for: a proof about one of them need not wait for the others."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import cast

from compact_proofs.core.registry import register_shipped, register_universal
from compact_proofs.tasks.kit import TaskKit
from compact_proofs.tasks.universal import UNIVERSAL


class Kits(Mapping[str, TaskKit]):
    """Kits by the names of their tasks, imported on demand.

    Parameters
    ----------
    modules : Mapping
        By the name of a task, the module whose ``KIT`` it is.
    """

    def __init__(self, modules: Mapping[str, str]) -> None:
        self._modules = modules

    def __getitem__(self, name: str) -> TaskKit:
        return cast(TaskKit, importlib.import_module(self._modules[name]).KIT)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)


KITS = Kits(
    {
        "max-of-k": "compact_proofs.tasks.max_of_k",
        "induction": "compact_proofs.tasks.induction",
        "lagged-induction": "compact_proofs.tasks.lagged_induction",
        "modular-addition": "compact_proofs.tasks.modular_addition",
        "groups": "compact_proofs.tasks.groups",
        "finite": "compact_proofs.tasks.finite.kit",
        "order-statistic": "compact_proofs.tasks.order_statistic",
    }
)
"""The tasks that ship. Those of other packages are found by `compact_proofs.core.registry.kits`."""

register_shipped(KITS)
register_universal(*UNIVERSAL)
