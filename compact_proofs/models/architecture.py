"""Architectures have names: with a configuration and weights, a name says which function it is that a proof is about."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import nn


class Architecture(nn.Module, ABC):
    """A module whose function is decided by its class, `configuration` and weights, and by nothing else.

    Attributes
    ----------
    architecture : str
        The name of the class in files and claims.
    """

    architecture: ClassVar[str]

    @abstractmethod
    def configuration(self) -> dict[str, Any]:
        """What this network's function depends on besides its weights, as plain JSON values: sizes, activation, attention."""
