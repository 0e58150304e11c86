"""Bayesian search by optuna's tree-structured Parzen estimator; needs ``pip install 'compact-proofs[search]'``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from compact_proofs.errors import BadInput
from compact_proofs.search.proposal import Proposal
from compact_proofs.search.proposers import Proposer
from compact_proofs.search.state import State, Tried


class Bayes(Proposer):
    """Models which values of the options gave long and short proofs, high and low bounds (two objectives)."""

    name: ClassVar[str] = "bayes"

    def __init__(self, seed: int = 0) -> None:
        try:
            import optuna
        except ImportError:
            raise BadInput("the Bayesian search needs optuna: pip install 'compact-proofs[search]', or choose evolution") from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._states = optuna.trial.TrialState
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=8)
        self._study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
        self._open: list[Any] = []

    def ask(self, state: State) -> list[Proposal]:
        for _ in range(1000):
            trial = self._study.ask()
            name = trial.suggest_categorical("strategy", sorted(state.space.kinds))
            options: dict[str, Any] = {
                option: trial.suggest_categorical(f"{name}.{option}", values) for option, values in state.space.values[name].items()
            }
            proposal = Proposal(strategy=name, options=options)
            if state.space.allows(proposal):
                self._open = [trial]
                return [proposal]
            self._study.tell(trial, state=self._states.FAIL)
        return []

    def tell(self, tried: Sequence[Tried]) -> None:
        for trial, (_, result) in zip(self._open, tried, strict=False):
            if result.status == "proved":
                self._study.tell(trial, [result.bound, float(result.length)])
            else:
                self._study.tell(trial, state=self._states.FAIL)
        self._open = []
