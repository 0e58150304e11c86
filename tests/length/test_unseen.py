"""What this package computes unseen by readings and counter, and why: every place is listed here."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch

import compact_proofs
from compact_proofs.enclosure import sound
from compact_proofs.errors import NoSoundRule
from compact_proofs.length import NoCost, count

ROOT = Path(compact_proofs.__file__).parent

UNSEEN = {
    "core/arguments.py": ["the task's inputs and labels, looked at before the proof"],
    "automatic/estimates.py": ["a search, charged by number"],
    "automatic/reading/owners.py": ["which boxes, rows and positions are meant: integers and truth values"],
    "automatic/shared.py": ["a task's inputs, made from their numbers"],
    "certified/integers.py": [
        "lower bounds, rounded down to integers and charged by number",
        "upper bounds, rounded up to integers and charged by number",
    ],
    "cones/forest.py": ["a lower bound, as a fraction", "an upper bound, as a fraction"],
    "cones/triangulation.py": [
        "a guess of the cone that holds an input, which is verified",
        "an exact check of integers, charged by number",
    ],
    "core/claim.py": [
        "an exact sum of lower bounds, as fractions",
        "whether labels, which are data of the statement, are outputs",
    ],
    "dictionaries/agreement.py": ["a comparison that finds mistakes, and proves nothing"],
    "dictionaries/codes.py": ["an order of labels, charged by number", "the explanation's lists, charged by number"],
    "dictionaries/hints.py": ["numbers to search with"],
    "dictionaries/score.py": ["numbers to look at, not to believe"],
    "dictionaries/strategy.py": [
        "a task's inputs and labels",
        "the component on one input, for its sizes",
    ],
    "core/exhaustive.py": ["a task's inputs, made from their numbers"],
    "files/bits.py": ["bits, to be hashed"],
    "inputs/numbering.py": ["numbers of inputs: addresses"],
    "inputs/task.py": ["inputs, made from their numbers"],
    "laws/quantiles.py": [
        "a guess of quantiles, which is verified, and numbers from their digits",
        "bounds of draws, put together",
        "bounds of draws, put together",
        "numbers from their digits: k / 2^52 and (k + 1) / 2^52 are float64",
    ],
    "length/addresses.py": ["addresses, made from sizes alone"],
    "models/component.py": ["a check of inputs, which are data of the statement"],
    "shards/call.py": ["whether results are possible, by numbers of inputs"],
    "shards/passing.py": [
        "numbers written as bytes for another process, which counts whatever it does with them",
        "what another process found, and counted, read from its bytes",
    ],
    "tasks/groups/circuits.py": ["exact checks of integers, charged by number"],
    "tasks/induction/brute_force.py": ["addresses, made from numbers alone"],
    "tasks/modular_addition/brute_force.py": ["inputs and labels, made from their numbers"],
    "tasks/order_statistic/box_search.py": ["quantiles, to look at some points", "random numbers, to look at some points"],
    "tasks/order_statistic/box_tree.py": ["the boxes on which labels are known, which are data of the statement, and sizes"],
    "tasks/order_statistic/whole_cones.py": [
        "a sum of exact fractions",
        "the cones on which labels are known, which are data of the statement",
        "weights that are whole numbers, as such",
    ],
    "tasks/order_statistic/linear_pieces.py": ["the cones on which labels are known, which are data of the statement, and sizes"],
    "tasks/order_statistic/cone_tree.py": ["the cones on which labels are known, which are data of the statement, and sizes"],
}
"""Uses of ``unseen``, by file."""

WITHOUT_MODES = {
    "automatic/effort.py",  # how an explanation and its hints are found
    "automatic/reading/lifted.py",  # a graph for many tokens, on fake tensors
    "automatic/reading/narrow.py",  # the shapes of a graph's nodes, on meta tensors
    "automatic/reading/refusals.py",  # whether an operation takes real numbers, on meta tensors
    "enclosure/kinds.py",  # which dtype torch gives, on meta tensors
    "enclosure/table.py",  # the new shape of an Enclosure that is reshaped in place
    "length/unseen.py",
    "program/batching.py",  # a graph for many inputs, on fake tensors
    "program/tracing.py",  # the graph of a module: the statement, not its proof
}
"""Files that switch modes off in another way: rules, which are the sound reading themselves, tracing, and ``unseen``."""

SWITCHES = ("_disable_current_modes", "no_dispatch", "_pop_mode", "_push_mode", "DisableTorchFunction", "_DisableTorchDispatch")


def sources() -> dict[str, str]:
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in ROOT.rglob("*.py")}


def test_every_use_of_unseen_is_listed() -> None:
    found: dict[str, list[str]] = {}
    for name, text in sources().items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "unseen":
                (reason,) = node.args
                assert isinstance(reason, ast.Constant), f"{name}: the reason is to be read here"
                found.setdefault(name, []).append(reason.value)
    assert {name: sorted(reasons) for name, reasons in found.items()} == UNSEEN


def test_nothing_else_switches_the_readings_off() -> None:
    found = {name for name, text in sources().items() if any(switch in text for switch in SWITCHES)}
    assert found == WITHOUT_MODES


def test_a_real_number_does_not_become_pythons_while_counting() -> None:
    x = torch.rand(3)
    for read in (float, lambda t: t.item(), bool, int, "{:.3f}".format):
        with count(), pytest.raises(NoCost, match="Python"):
            read(x[0])
    with count():
        assert int(torch.tensor(3)) == 3


def test_logic_and_counts_in_disguise_are_counted() -> None:
    real = torch.rand(4, 5)
    a, b = real > 0.5, torch.rand(4, 5) > 0.5
    for disguise, operations in (
        (lambda: torch.where(a, b, torch.tensor(False)), 20),
        (lambda: torch.where(a, True, b), 20),
        (lambda: a.masked_fill(b, False), 20),
        (lambda: a.masked_fill_(b, True), 20),
        (lambda: len(a[b]), 20),
        (lambda: len(real[b]), 20),
        (lambda: a.masked_select(b), 20),
        (lambda: len(b[a[:, 0]]), 4),
        (lambda: torch.where(a, b, ~b), 20),  # the negation; the choice itself moves data
        (lambda: torch.where(a, real, 0.0), 0),
        (lambda: real.masked_fill(a, 0.0), 0),
    ):
        with count() as counter:
            disguise()
        assert counter.length.total == operations
        with sound(), count() as counter:
            disguise()
        assert counter.length.total == operations


@pytest.mark.parametrize("reading", [sound, count])
def test_bits_of_real_numbers_are_not_read(reading) -> None:
    x = torch.rand(3)
    with reading(), pytest.raises((NoSoundRule, NoCost), match="bits"):
        x.view(torch.int32)
