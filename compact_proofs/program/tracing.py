"""From a module to its program, or a refusal that says why it is no function of one input."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.functional_tensor import FunctionalTensor, FunctionalTensorMode, dispatch_functionalize
from torch.func import functional_call
from torch.fx import Graph, GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _disable_current_modes

from compact_proofs.enclosure.reading import plain_kernels
from compact_proofs.errors import BadInput
from compact_proofs.inputs.check_task import check_labels
from compact_proofs.inputs.task import Task
from compact_proofs.models.architectures import architecture_of
from compact_proofs.models.copying import independent_copy
from compact_proofs.models.files import weights_sha256
from compact_proofs.models.state import Unchanged, tensors_by_name
from compact_proofs.program.program import Program
from compact_proofs.program.simplify import name_of, simplify

_has_data_mutation = torch._functionalize_has_data_mutation  # type: ignore[attr-defined]

_BRANCHES = (
    "{name}: it branches on a value that depends on its input, or turns one into a Python number, so that different inputs take "
    "different paths; use torch.where, which computes both"
)

SAMPLES = 8
"""Inputs on which `program_of` compares a module with its program."""


def trace(module: nn.Module, example: Tensor) -> Program:
    """Record what a module computes from one input.

    The module runs in evaluation mode, at its own dtypes, with a batch of one that holds no numbers (fake tensors), so that nothing
    about the example but its shape and dtype can enter the program. Writes in place, views that share memory and ``.data`` become
    what PyTorch means by them (functionalisation); parameters and buffers become constants under their names.

    Parameters
    ----------
    module
        ``module(inputs)`` takes a batch of inputs [n, ...] and returns a tensor [n, outputs].
    example
        One input, without the axis of the batch.

    Raises
    ------
    BadInput
        If the module is no function of one input: it branches on values, changes its own state, draws random numbers, reads tensors
        outside of torch, or does not return one row of numbers for one input. The message names which.
    """
    if isinstance(module, Program):
        return module
    if not isinstance(module, nn.Module):
        raise BadInput(f"a {type(module).__name__} is not a torch.nn.Module; load the model, or wrap the function into one")
    if not isinstance(example, Tensor):
        raise BadInput(f"an input of {type(module).__name__} must be a tensor, not a {type(example).__name__}")
    with _disable_current_modes(), torch.no_grad(), plain_kernels():
        subject = independent_copy(module).eval()
        with _explained(module):
            check_output(module, subject(example[None]))
            with Unchanged(subject) as state:  # a second call: the first one may fill a cache
                subject(example[None])
        program = _trace_once(independent_copy(subject), example)
        if _trace_once(independent_copy(subject), example).sha256 != program.sha256:
            raise BadInput(f"{type(module).__name__}: two calls on one input do different things, so that it is no function")
        state.check_unread(program.tensors)
        _check_same(subject, program, example[None])
    return program


def program_of(module: nn.Module, task: Task) -> Program:
    """Trace a module on a task's first input, and compare it with its program on inputs spread over the task.

    The comparison is no part of a proof, which is about the program: it guards against a program that is not the module's.

    Raises
    ------
    BadInput
        As `trace`; or if the two differ.
    """
    if isinstance(module, Program):
        return module
    with _disable_current_modes():
        first = task.inputs(0, 1)
        if not isinstance(first, Tensor) or first.dim() < 1 or len(first) != 1:
            shape = list(first.shape) if isinstance(first, Tensor) else type(first).__name__
            raise BadInput(f"the task {task.name}: inputs(0, 1) must be a tensor of one input [1, ...], not {shape}")
        key = _deciding(module, first[0])
        program, sha256 = _PROGRAMS.get(key, (None, ""))
        if program is not None and program.sha256 == sha256:  # nobody wrote into its constants
            check_labels(task, first, program.output.shape[0])
            return program
    program = trace(module, first[0])
    with _disable_current_modes(), torch.no_grad(), plain_kernels():
        subject = independent_copy(module).eval()
        for inputs in reversed(task.examples(SAMPLES).split(1)):  # the first call, of which something may be kept, is another one
            with _explained(module):
                _check_same(subject, program, inputs)
            check_labels(task, inputs, program.output.shape[0])
    if key is not None:
        if len(_PROGRAMS) >= KEPT:
            del _PROGRAMS[next(iter(_PROGRAMS))]
        _PROGRAMS[key] = program, program.sha256
    return program


KEPT = 64
"""Programs of networks that ship are kept, up to so many."""

_PROGRAMS: dict[tuple[Any, ...] | None, tuple[Program, str]] = {}
"""Programs with their hashes, by what decides them: architecture, configuration, weights, and the shape of an input."""


def _deciding(module: nn.Module, example: Tensor) -> tuple[Any, ...] | None:
    """What decides the program of a network that ships and is as it was made; None for any other module."""
    named = architecture_of(module)
    if named is None or any(p.is_meta for p in module.parameters()):
        return None
    architecture, configuration = named
    said = json.dumps(configuration, sort_keys=True)
    return architecture, said, weights_sha256(module), tuple(example.shape), example.dtype


def _trace_once(module: nn.Module, example: Tensor) -> Program:
    named = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    names, values = list(named), list(named.values())
    held = tensors_by_name(module)  # before the call, which leaves constants in modules that hold one part under several names
    weights = "" if any(t.is_meta for t in values) else weights_sha256(module)  # a module without numbers is measured only

    def one(x: Tensor, constants: list[Tensor]) -> Any:
        with _Guard():
            out = functional_call(module, dict(zip(names, constants, strict=True)), (x[None],))[0]
        for name, constant in zip(names, constants, strict=True):
            if isinstance(constant, FunctionalTensor) and _has_data_mutation(constant.elem):
                raise BadInput(f"{type(module).__name__}: a call changes {name}, so that the module is no function of its input")
        return out

    with _explained(module):
        # A module on the meta device is traced with it.
        traced = make_fx(dispatch_functionalize(one, FunctionalTensorMode()), tracing_mode="fake", _allow_non_fake_inputs=True)(
            example, values
        )
    graph, tensors = _with_named_constants(traced, names, named, held)
    _check_graph(graph, type(module).__name__)
    simplify(graph)
    used = {str(node.target) for node in graph.nodes if node.op == "get_attr"}
    return Program(graph, {name: t.detach() for name, t in tensors.items() if name in used}, weights)


def _with_named_constants(
    traced: GraphModule, names: list[str], named: dict[str, Tensor], held: dict[str, Tensor]
) -> tuple[Graph, dict[str, Tensor]]:
    """Copy the graph so that its only placeholder is the input, and every constant a `get_attr` node, one for each tensor."""
    graph = Graph()
    tensors: dict[str, Tensor] = {}
    copies: dict[Node, Node] = {}
    constants: dict[int, Node] = {}
    holders = {id(t): path for path, t in reversed(held.items())}
    placeholders = iter([None, *names])
    waiting: dict[Node, Tensor] = {}

    def constant(tensor: Tensor) -> Node:
        if id(tensor) not in constants:
            path = holders.get(id(tensor), f"constant{sum(name.startswith('constant') for name in tensors)}")
            tensors[path] = tensor
            constants[id(tensor)] = graph.create_node("get_attr", path)
            constants[id(tensor)].meta["val"] = torch.empty_like(tensor, device="meta")
        return constants[id(tensor)]

    def here(node: Node) -> Node:
        """The copy of an operand; a constant is entered where it is first used, whatever order its module names it in."""
        return constant(waiting[node]) if node in waiting else copies[node]

    for node in traced.graph.nodes:
        if node.op == "placeholder":
            name = next(placeholders)
            if name is not None:
                waiting[node] = named[name]
                continue
        elif node.op == "get_attr":
            held_outside = getattr(traced, node.target)
            if not isinstance(held_outside, Tensor):
                raise BadInput(f"it uses a {type(held_outside).__name__}, so that it is no function of its input")
            waiting[node] = held_outside
            continue
        elif node.op == "output":
            (result,) = node.args[0]
            graph.output(here(result))
            continue
        copies[node] = graph.node_copy(node, here)
        copies[node].meta = {"val": _shell(node.meta.get("val"))}
    return graph, tensors


def _shell(value: Any) -> Any:
    """A meta tensor with the shape and dtype of a fake one; tuples of them for calls with several results."""
    if isinstance(value, Tensor):
        return torch.empty(value.shape, dtype=value.dtype, device="meta") if _known(value) else value
    return tuple(map(_shell, value)) if isinstance(value, (tuple, list)) else value


def _known(value: Tensor) -> bool:
    return all(isinstance(n, int) for n in value.shape)


def _check_graph(graph: Graph, module: str) -> None:
    """Refuse what is no function: random numbers, writes into constants, shapes that depend on values."""
    for node in graph.nodes:
        if node.op == "call_function" and isinstance(node.target, torch._ops.OpOverload):
            if torch.Tag.nondeterministic_seeded in node.target.tags:
                raise BadInput(f"{module}: it draws random numbers ({name_of(node)}), so that it is no function of its input")
            if node.target is torch.ops.aten.view.dtype:
                raise BadInput(f"{module}: it reads the bits of numbers as those of another type, which no real function does")
            if node.target._schema.is_mutable:
                raise BadInput(f"{module}: a call writes into a tensor that it keeps ({name_of(node)}), so that it is no function")
        values = node.meta.get("val")
        for value in values if isinstance(values, tuple) else (values,):
            if isinstance(value, (torch.SymInt, torch.SymFloat, torch.SymBool)):
                raise BadInput(_BRANCHES.format(name=module))
            if isinstance(value, Tensor) and not _known(value):
                raise BadInput(
                    f"{module}: the shape of a result of {name_of(node)} depends on the input's values; use torch.where, or sums "
                    "with a mask, so that every input is computed alike"
                )


class _Guard(TorchFunctionMode):
    """Refuse to assign to a tensor's attributes (``h.data = ...``), which no trace sees."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") == "__set__":
            raise BadInput("it assigns to an attribute of a tensor (such as .data), which cannot be traced; make a new tensor")
        return func(*args, **(kwargs or {}))


@contextmanager
def _explained(module: nn.Module) -> Iterator[None]:
    """Say in the user's words what stops a trace."""
    name = type(module).__name__
    try:
        yield
    except BadInput as e:
        raise BadInput(str(e) if str(e).startswith(name) else f"{name}: {e}") from None
    except torch.fx.experimental.symbolic_shapes.GuardOnDataDependentSymNode:
        raise BadInput(_BRANCHES.format(name=name)) from None
    except Exception as e:
        text = str(e).split("\n", 1)[0][:200]
        raise BadInput(f"{name}: calling it on one of the task's inputs failed with {type(e).__name__}: {text}") from e


def check_output(module: nn.Module, out: Any) -> None:
    """Refuse what is not one row of real logits for a batch of one input."""
    name = type(module).__name__
    if not isinstance(out, Tensor):
        raise BadInput(
            f"{name} returns a {type(out).__name__}; it must return a tensor of logits [n, outputs]: wrap it in a module"
        )
    if out.dim() != 2 or len(out) != 1 or not out.is_floating_point():
        raise BadInput(
            f"{name} returns {out.dtype} of shape {list(out.shape)} for a batch of one input; it must return real logits "
            "[1, outputs]"
        )


def _check_same(module: nn.Module, program: Program, batch: Tensor) -> None:
    """Compare a module with its program on one input, in ordinary arithmetic."""
    out = module(batch)
    check_output(module, out)
    if out.is_meta:
        return
    again = program(batch)
    precision = max(torch.finfo(out.dtype).eps, torch.finfo(torch.float32).eps) ** 0.5
    scale = out.abs().amax().nan_to_num(0.0, 1.0).clamp(min=1e-30)
    if not torch.allclose(again.to(out.dtype), out, rtol=precision, atol=float(precision * scale), equal_nan=True):
        raise BadInput(
            f"{type(module).__name__}: what was recorded of it does not compute what it computes on the input {batch[0].tolist()}, "
            "so that it does something that tensor operations do not show (numpy, hooks that keep state, other threads)"
        )
