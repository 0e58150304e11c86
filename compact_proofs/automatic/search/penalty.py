"""What training for provability minimises: by how much the bounds of an automatic proof fail on some boxes, differentiably."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from compact_proofs.automatic.bounds.jobs import jobs_of
from compact_proofs.automatic.bounds.margins import Readout, margins
from compact_proofs.automatic.bounds.relaxed import Relaxed, Shared
from compact_proofs.automatic.bounds.rows import Jobs
from compact_proofs.automatic.boxes.roots import roots
from compact_proofs.automatic.hints import Hints
from compact_proofs.automatic.reading.operations import read
from compact_proofs.automatic.search.judging import axes
from compact_proofs.errors import BadInput
from compact_proofs.program import Program, program_of
from compact_proofs.sequences.boxes import Boxes
from compact_proofs.sequences.task import FiniteTask

KEPT = 8
"""Rivals of a label that get hints of their own."""


class Subgradients(TorchFunctionMode):
    """The square root of 0, which bounds of empty or constant parts have, gets the derivative 0 instead of infinity."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.sqrt, torch.Tensor.sqrt):
            positive = args[0] > 0
            return torch.where(positive, func(torch.where(positive, args[0], 1.0)), func(args[0].detach()))
        return func(*args, **(kwargs or {}))


def live(program: Program, parameters: Mapping[str, Tensor]) -> Program:
    """The program with its constants replaced by the module's parameters of the same names, in float64, so that gradients flow."""
    tensors = {name: parameters.get(name, t) for name, t in program.tensors.items()}
    wide = {name: t.double() if t.is_floating_point() else t for name, t in tensors.items()}
    return Program(program.graph, wide, program.weights_sha256, widened=True)


class BoundPenalty:
    """The failure of bounds on boxes drawn anew at each call; for a module that is being trained.

    A row of a box, an additive function that must be positive where a rival is to lose, fails by ``max(0, -least) / spread``: its
    least value on the box over how far its values differ there, so that no scale of the network's matters. The penalty is the mean
    over the rows that are not proven, times the share of boxes that have any.

    Parameters
    ----------
    module
        A module that `compact_proofs.trace` can read; its parameters are looked up by name at each call.
    task
        The task, whose boxes are of one label each.
    jobs
        How many pairs of a label and a last token are drawn at each call, in proportion to their inputs.
    generator
        Draws them.

    Raises
    ------
    BadInput
        If the task has no boxes of one label, or the module is no function of one input.
    """

    def __init__(self, module: nn.Module, task: FiniteTask, jobs: int, generator: torch.Generator) -> None:
        self.module, self.task, self.number, self.generator = module, task, jobs, generator
        self.program = program_of(module, task)
        boxes = roots(task)
        outputs = self.program.output.shape[0]
        known = (boxes.labels >= 0) & (boxes.labels < outputs)
        if outputs < 2 or not bool(known.any()):
            raise BadInput("training for provability needs boxes of one label, and at least two outputs; give boxes= or dfa=")
        kept = Boxes(boxes.masks[known], boxes.labels[known])
        self.jobs = jobs_of(kept, torch.zeros(len(kept), dtype=torch.int64), task.n_ctx - 1)
        sizes = self.jobs.masks.sum(-1).double().prod(-1)
        self.weights = torch.zeros(len(self.jobs), dtype=torch.float64).index_add_(0, self.jobs.of, sizes)

    def drawn(self) -> Jobs:
        """Some jobs, in proportion to their inputs."""
        number = min(self.number, len(self.jobs))
        chosen = torch.multinomial(self.weights, number, replacement=False, generator=self.generator)
        return self.jobs.part(chosen.sort().values)

    def __call__(self) -> Tensor:
        """The penalty, a number; hints are found without gradients, and the bounds are then functions of the parameters."""
        jobs, parameters = self.drawn(), dict(self.module.named_parameters())
        with Subgradients():
            network = read(live(self.program, parameters), self.task.d_vocab, self.task.n_ctx - 1)
        with torch.no_grad():
            basis, found = axes(network), Hints(None, len(jobs))
            shared = Shared(network, basis)
            margins(Relaxed(shared, jobs, found), Readout(shared, basis[-1]), KEPT)
        with Subgradients():
            shared = Shared(network, basis)
            relaxed = Relaxed(shared, jobs, Hints(found.recorded(), len(jobs)))
            open_ = margins(relaxed, Readout(shared, basis[-1]), KEPT)
        if not bool(open_.rows.any()):
            return basis.new_zeros(())
        allowed = jobs.masks[open_.boxes][:, None, jobs.free]
        lowest = torch.where(allowed, open_.tables, torch.inf).amin(-1).sum(-1)
        highest = torch.where(allowed, open_.tables, -torch.inf).amax(-1).sum(-1)
        spread = (highest - lowest).detach().clamp(min=1e-9)
        failed = ((-(open_.constant + lowest)).clamp(min=0) / spread)[open_.rows]
        return failed.mean() * len(open_.boxes) / len(jobs.of)
