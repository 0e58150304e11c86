"""A network as text that Coq reads: ``Weights.v``, ``Task.v`` and ``Program.v``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from compact_proofs.formal.network.distribute import Distributed
from compact_proofs.formal.network.language import Index, Network, Scalar, exact_numbers
from compact_proofs.formal.network.tasks import TaskInCoq
from compact_proofs.formal.theorem import NAME

LARGEST_MACHINE_INTEGER = 2**62 - 1

LITERAL = 2048
"""Entries of an array in one definition: Coq's time for reading one grows with the square of its length."""

_TAKEN = frozenset(
    """Axis Token Fixed Shifted Scaled Quotient Remainder Read Number Pi Sum Plus Minus Times Over Relu Exp Sqrt Erf
    model definition weight network list nat nil cons O S
    as at by cofix else end exists exists2 fix for forall fun if in let match mod return then using where with
    IF Prop SProp Set Type""".split()  # noqa: SIM905
)
"""Words that mean something else in a program."""


def names_of(network: Network) -> list[str]:
    """A name in Coq for each tensor: weights by their own, definitions x0, x1, ..."""
    found: list[str] = []
    for w in network.weights:
        name = re.sub(r"[^A-Za-z0-9_]", "_", w.name)
        if not name[0].isalpha() or name in _TAKEN or re.fullmatch(r"x\d+|definition_.*|rows_.*", name):
            name = f"w_{name}"
        while name in found:
            name += "_"
        found.append(name)
    return found + [f"x{i}" for i in range(len(network.definitions))]


def weights_source(network: Network, title: str, *, reduced: bool = False) -> str:
    """Write the weights, each exactly, as an integer over a power of two that they share, in arrays of machine integers.

    Coq reads these fastest. Where a weight is wanted without machine integers in it, it is `reduced` to Coq's own, which is slow.
    """
    bits = fraction_bits(network)
    integers = [[int(x * 2**bits) for x in exact_numbers(w.value)] for w in network.weights]
    small = all(abs(x) <= LARGEST_MACHINE_INTEGER for entries in integers for x in entries)
    write, read = (_whole, "integers") if small else (_shifted, "shifted")
    meaning = "integers" if small else "integers m; e, which is m 2^e"
    lines = [
        f"(** The weights of {comment(title)}, of the program with SHA-256",
        f"    {network.sha256}:",
        f"    {meaning}, of which each stands for itself over 2 ^ {bits}. *)",
        "",
        "From Coq Require Import ZArith List Sint63 PArray.",
        "From CompactProofs Require Import Network Load.",
        "Open Scope sint63_scope.",
    ]
    for name, w, entries in zip(names_of(network), network.weights, integers, strict=False):
        lines += ["", *_array(f"rows_{name}", map(write, entries), len(entries))]
        dims = "".join(f"{n} :: " for n in w.shape)
        start = "Eval vm_compute in " if reduced else ""
        lines.append(f"Definition {name} : weight := {start}{{| dims := ({dims}nil)%list%nat; entries := {read} rows_{name} |}}.")
    return "\n".join([*lines, ""])


def fraction_bits(network: Network) -> int:
    """Return the least b such that 2^b times every weight is an integer."""
    denominators = (x.denominator for w in network.weights for x in exact_numbers(w.value))
    return max((d.bit_length() - 1 for d in denominators), default=0)


def task_source(task: TaskInCoq) -> str:
    """Write the data of a task: tables of labels, or of inputs."""
    lines = [
        "(** Data of the task. *)",
        "",
        "From Coq Require Import List Uint63 PArray.",
        "From CompactProofs Require Import Load.",
        "Open Scope uint63_scope.",
    ]
    for name, rows in task.data.items():
        written = [f"[| {'; '.join(map(str, row))} | 0 |]" for row in rows]
        lines += ["", *_array_of(f"rows_{name}", written, "[| | 0 |]", max(1, LITERAL // max(map(len, rows), default=1)))]
        lines.append(f"Definition {name} : list (list nat) := naturals rows_{name}.")
    return "\n".join([*lines, ""])


def program_source(network: Network, title: str) -> str:
    """Write the program: a definition for each tensor, with the formula that it stands for."""
    names = names_of(network)
    count = len(network.weights)
    head = f"""(** The program of {comment(title)}, SHA-256
    {network.sha256}.

    What it means is defined in Network.v of the development. In the formulas t is the input, places and sums begin
    at 0, and a decimal stands for the binary number next to it, which the definition has. *)

From Coq Require Import ZArith List.
From CompactProofs Require Import Network.
From {NAME} Require Weights.
Import ListNotations.
Open Scope nat_scope.
"""
    weights = "; ".join(f"Weights.{name}" for name in names[:count])
    program = "; ".join(f"definition_{name}" for name in names[count:])
    model = f"""
Definition model : network := {{|
  fraction_bits := {fraction_bits(network)};
  weights := [{weights}];
  program := [{program}];
  outputs := {network.outputs}
|}}.
"""
    return "\n".join([head, *_definitions(network, names), model])


def tables_source(distributed: Distributed, original: Network) -> str:
    """Write the hint with which Coq runs a network: the program with tables, and which definitions of the original it keeps."""
    network, count = distributed.network, len(original.weights)
    names = names_of(original)[:count]
    for i in range(len(network.definitions)):
        name = f"table{i}" if i < network.constants else f"fast{i - network.constants}"
        names.append(name if name not in names else f"{name}_")
    kept = ["None" if k is None else f"Some {k}" for k in distributed.kept]
    head = """(** A hint: a program that Coq runs in place of the one in Program.v, once it has found that they compute the same.
    Products that are needed for many inputs are in tables. Nothing here needs to be trusted. *)

From Coq Require Import ZArith List.
From CompactProofs Require Import Network.
Import ListNotations.
Open Scope nat_scope.
"""
    program = "; ".join(f"definition_{name}" for name in names[count:])
    tail = f"""
Definition fast : list definition := [{program}].

(** The definition here of each one in Program.v; None if it is written out where it is read. *)
Definition kept : list (option nat) := [{"; ".join(kept)}].
"""
    return "\n".join([head, *_definitions(network, names), tail])


def _definitions(network: Network, names: Sequence[str]) -> list[str]:
    """Numbers of the tensors, then the definitions, each after its formula."""
    lines = ["(** Numbers of the tensors. *)", *(f"Definition {name} := {i}." for i, name in enumerate(names))]
    for name, d in zip(names[len(network.weights) :], network.definitions, strict=True):
        formula = Formula(names)
        places = formula.letters[: len(d.shape)]
        ranges = ", ".join(f"{letter} < {n}" for letter, n in zip(places, d.shape, strict=True))
        left = f"{name}[{ranges}]" if ranges else name
        lines += [
            "",
            f"(** {left} = {formula.of(d.body, len(d.shape))} *)",
            f"Definition definition_{name} : definition := {{|",
            f"  shape := {_list(d.shape)};",
            f"  body := {scalar_source(d.body, names)}",
            "|}.",
        ]
    return lines


class Formula:
    """A definition as one writes it on paper."""

    letters = "ijklmnopqrsuvwxyzabcdefgh"

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def of(self, e: Scalar, depth: int, inside: int = 0) -> str:
        """The formula, in brackets where it is weaker than what it stands `inside` (1: a sum, 2: a product)."""
        strength, text = self._write(e, depth)
        return f"({text})" if strength < inside else text

    def _write(self, e: Scalar, depth: int) -> tuple[int, str]:
        a: tuple = e.args
        match e.head:
            case "Read":
                places = ", ".join(self.index(i) for i in a[1])
                return 3, f"{self.names[a[0]]}[{places}]" if places else self.names[a[0]]
            case "Number":
                return (3 if a[0] >= 0 else 1), str(a[0]) if a[1] == 1 else repr(a[0] / a[1])
            case "Pi":
                return 3, "pi"
            case "Sum":
                return 1, f"sum_({self.letters[depth]} < {a[0]}) {self.of(a[1], depth + 1, 2)}"
            case "Plus":
                return 1, f"{self.of(a[0], depth, 1)} + {self.of(a[1], depth, 1)}"
            case "Minus":
                return 1, f"{self.of(a[0], depth, 1)} - {self.of(a[1], depth, 2)}"
            case "Times":
                return 2, f"{self.of(a[0], depth, 2)} * {self.of(a[1], depth, 3)}"
            case "Over":
                return 2, f"{self.of(a[0], depth, 2)} / {self.of(a[1], depth, 3)}"
        return 3, f"{e.head.lower()}({self.of(a[0], depth)})"

    def index(self, i: Index) -> str:
        """A place."""
        a: tuple = i.args
        match i.head:
            case "Axis":
                return self.letters[a[0]]
            case "Token":
                return f"t[{self.index(a[0])}]"
            case "Fixed":
                return str(a[0])
            case "Shifted":
                return f"{self.index(a[0])} + {self.index(a[1])}"
            case "Scaled":
                return f"{a[1]} {self._atom(a[0])}"
            case "Quotient":
                return f"{self._atom(a[0])} div {a[1]}"
        return f"{self._atom(a[0])} mod {a[1]}"

    def _atom(self, i: Index) -> str:
        text = self.index(i)
        return f"({text})" if " " in text else text


def scalar_source(e: Scalar, names: Sequence[str]) -> str:
    """Write a scalar as a term of Coq, with names for the numbers of the tensors."""
    a: tuple = e.args
    if e.head == "Read":
        return f"Read {names[a[0]]} [{'; '.join(map(_index, a[1]))}]"
    if e.head == "Number":
        return f"Number ({a[0]}) {a[1]}" if a[0] < 0 else f"Number {a[0]} {a[1]}"
    return " ".join([e.head, *(str(x) if isinstance(x, int) else _bracketed(scalar_source(x, names)) for x in a)])


def _index(i: Index) -> str:
    return " ".join([i.head, *(str(x) if isinstance(x, int) else _bracketed(_index(x)) for x in i.args)])


def _bracketed(text: str) -> str:
    return f"({text})" if " " in text else text


def _list(numbers: Iterable[int]) -> str:
    return f"[{'; '.join(map(str, numbers))}]"


def _array(name: str, entries: Iterable[str], size: int) -> list[str]:
    """Definitions of an array of arrays with these entries in order."""
    written = list(entries)
    rows = [f"[| {'; '.join(written[k : k + LITERAL])} | 0 |]" for k in range(0, size, LITERAL)]
    return _array_of(name, rows, "[| | 0 |]", 1)


def _array_of(name: str, rows: Sequence[str], default: str, at_once: int) -> list[str]:
    """Definitions of an array with these entries, each a definition of its own if it is long."""
    if at_once == 1:
        parts = [f"Definition {name}_{k} := {row}." for k, row in enumerate(rows)]
        listed = "; ".join(f"{name}_{k}" for k in range(len(rows)))
        return [*parts, f"Definition {name} := [| {listed} | {default} |]."]
    return [f"Definition {name} := [| " + ";\n  ".join(rows) + f" | {default} |]."]


def _whole(x: int) -> str:
    return f"({x})" if x < 0 else str(x)


def comment(text: str) -> str:
    """Return text from a file's name, fit for a comment: nothing that could end it."""
    return "".join(c if c.isalnum() or c in " -_.," else "_" for c in text)[:80]


def _shifted(x: int) -> str:
    shift = (x & -x).bit_length() - 1 if x else 0
    return f"{_whole(x >> shift)}; {shift}"
