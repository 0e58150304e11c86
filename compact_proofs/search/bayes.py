"""Bayesian search by optuna's tree-structured Parzen estimator; needs ``pip install 'compact-proofs[search]'``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

from compact_proofs.errors import BadInput
from compact_proofs.search.proposal import Proposal
from compact_proofs.search.proposers import Proposer
from compact_proofs.search.state import State, Tried


class Bayes(Proposer):
    """What is worth trying first; then options like those of the proofs that raised Q most, modelled together for each strategy.

    (Bound and length as two objectives lead astray: short proofs of next to nothing are Pareto-optimal too. So do options that are
    modelled one by one: a rank is good for one kind of values and bad for the next.)
    """

    name: ClassVar[str] = "bayes"

    def __init__(self, seed: int = 0) -> None:
        try:
            import optuna
        except ImportError:
            raise BadInput("the Bayesian search needs optuna: pip install 'compact-proofs[search]', or choose evolution") from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._states = optuna.trial.TrialState
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # `multivariate` and `group`
            sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=8, multivariate=True, group=True)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._open: list[Any] = []

    def ask(self, state: State) -> list[Proposal]:
        if not self._study.get_trials(deepcopy=False):
            for p in state.space.first[: self.FIRST]:
                self._study.enqueue_trial({"strategy": p.strategy} | {f"{p.strategy}.{k}": v for k, v in p.options.items()})
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
                self._study.tell(trial, result.gain)
            else:
                self._study.tell(trial, state=self._states.FAIL)
        self._open = []
