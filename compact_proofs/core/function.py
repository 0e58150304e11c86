"""`Function`: which function a claim is about. Weights alone do not say it: one state dict fits several networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from torch import nn

from compact_proofs.files.container import Digest, Few, Name, Strict, Text
from compact_proofs.models.architectures import architecture_of
from compact_proofs.program import Program, program_of

if TYPE_CHECKING:
    from compact_proofs.inputs.task import Task

MODULE = "module"
"""The architecture of whatever has no name of its own: its program says what it computes."""


class FunctionDocument(Strict):
    """A function as files hold it."""

    architecture: Name
    configuration: Annotated[dict[Name, int | float | Text | bool | None], Few]
    weights_sha256: Digest
    program_sha256: Digest


@dataclass(frozen=True)
class Function:
    """The real-valued function of one input that a module computes.

    Attributes
    ----------
    architecture, configuration
        The name of a class that ships and what its networks depend on besides weights; "module" and nothing for any other.
    weights_sha256
        Hash of the parameters and buffers (`compact_proofs.models.files.weights_sha256`).
    program_sha256
        Hash of the operations with all their constants (`compact_proofs.program.Program`): equal for equal programs only.
    """

    architecture: str
    configuration: Mapping[str, Any]
    weights_sha256: str
    program_sha256: str

    @classmethod
    def of(cls, model: nn.Module, task: Task) -> Function:
        """Name the function of a model on a task's inputs.

        Raises
        ------
        BadInput
            If the module computes no function (`compact_proofs.program.trace` says why).
        """
        named = None if isinstance(model, Program) else architecture_of(model)
        if named is None:
            program = program_of(model, task)
            return cls(MODULE, {}, program.weights_sha256, program.sha256)
        architecture, configuration = named
        program = program_of(model, task)
        return cls(architecture, configuration, program.weights_sha256, program.sha256)

    def describe(self) -> str:
        """Return the function in words."""
        sizes = ", ".join(f"{name} = {value}" for name, value in self.configuration.items())
        return (
            f"the real-valued function of the {self.architecture}{f' ({sizes})' if sizes else ''} with program "
            f"{self.program_sha256[:16]}... and weights {self.weights_sha256[:16]}... (SHA-256)"
        )

    def to_json(self) -> dict[str, Any]:
        """As files and ``--json`` have it."""
        return {
            "architecture": self.architecture,
            "configuration": dict(self.configuration),
            "weights_sha256": self.weights_sha256,
            "program_sha256": self.program_sha256,
        }

    @classmethod
    def from_document(cls, document: FunctionDocument) -> Function:
        """From a validated document."""
        return cls(**document.model_dump())

    def differs_from(self, other: Function) -> str | None:
        """Say how this function is another one than `other`, or None if they are the same."""
        if (self.architecture, dict(self.configuration)) != (other.architecture, dict(other.configuration)):
            here, there = ([f.architecture, dict(f.configuration)] for f in (self, other))
            return f"the {here[0]} {here[1]}, not the {there[0]} {there[1]}"
        if self.weights_sha256 != other.weights_sha256:
            return f"other weights (SHA-256 {self.weights_sha256[:16]}..., these have {other.weights_sha256[:16]}...)"
        if self.program_sha256 != other.program_sha256:
            return (
                f"another program (SHA-256 {self.program_sha256[:16]}..., this one has {other.program_sha256[:16]}...): the module "
                "computes something else with the same weights, or another version of torch writes its operations otherwise"
            )
        return None
