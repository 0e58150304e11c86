"""What tasks that ship have in common: a task is built for by models of one architecture, and strategies are for such models."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

from torch import nn

from compact_proofs.core.strategy import Model, Strategy
from compact_proofs.errors import BadInput
from compact_proofs.inputs.task import Task


class ModelTask(Task):
    """A task that models of one architecture are built for.

    Attributes
    ----------
    reads
        The architecture.
    """

    reads: ClassVar[type[nn.Module]]

    @classmethod
    def of(cls, model: nn.Module) -> Self:
        """The task that a model was built for.

        Raises
        ------
        BadInput
            If the model is of another architecture.
        """
        if not isinstance(model, cls.reads):
            raise BadInput(
                f"{cls.name} has strategies for models of the class {cls.reads.__name__}; this model's is {type(model).__name__}"
            )
        return cls.built_for(model)

    @classmethod
    @abstractmethod
    def built_for(cls, model: Any) -> Self:
        """The task of a model of the right architecture."""


class ModelStrategy(Strategy[Model]):
    """A strategy that reads the weights of a model of its task's architecture.

    Attributes
    ----------
    task
        The kind of task.
    """

    task: ClassVar[type[ModelTask]]

    def applies_to(self, model: Model, task: Task) -> None:
        fitting = self.task.of(model)
        if task != fitting:
            raise BadInput(f"{self.name}: this model is for {fitting}, not for {task}")
