"""The files of a theorem, and what is said when Coq is missing: none of this needs Coq."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compact_proofs.core.prove import prove
from compact_proofs.errors import BadInput
from compact_proofs.formal.arithmetic import Arithmetic
from compact_proofs.formal.assumptions import FLAGS, Assumptions, read_assumptions
from compact_proofs.formal.checkers import checker_for
from compact_proofs.formal.compact import formalize_compact
from compact_proofs.formal.coq import PACKAGES, Coq, requirements, sources
from compact_proofs.formal.formalizing import formalize
from compact_proofs.formal.network.language import Definition, Network, Weight, axis, read
from compact_proofs.formal.network.source import fraction_bits, program_source, weights_source
from compact_proofs.formal.theorem import assumptions_source
from compact_proofs.models.attention_only import AttentionOnlyConfig, AttentionOnlyTransformer
from compact_proofs.tasks import LoadedModel
from compact_proofs.tasks.max_of_k import Additive, Cubic, MaxOfK

GRID = Additive(counting="grid", window=2, groups=2)


def network_with(numbers: list[float], dtype: torch.dtype = torch.float64) -> Network:
    """A network with these weights."""
    weight = Weight("W", torch.tensor(numbers, dtype=dtype))
    return Network((weight,), (Definition("logits", (len(numbers),), read(0, [axis(0)])),), 0, 1, "no program")


def read_entries(text: str) -> list[int]:
    """Read integers, or numbers m and e by turns for m 2^e, as Coq does."""
    found = [int(x.strip(" ()")) for row in re.findall(r"_\d+ := \[\| (.*?) \| 0 \|\]", text) for x in row.split(";")]
    assert all(abs(x) < 2**62 for x in found)
    if "entries := shifted" in text:
        return [m * 2**e for m, e in zip(found[::2], found[1::2], strict=True)]
    return found


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=4, max_size=4))
def test_weights_are_written_exactly(numbers):
    network = network_with(numbers)
    text, bits = weights_source(network, "a model"), fraction_bits(network)
    assert [Fraction(x, 2**bits) for x in read_entries(text)] == [Fraction(x) for x in numbers]
    assert f"fraction_bits := {bits};" in program_source(network, "a model")
    assert ("shifted" in text) == any(abs(Fraction(x) * 2**bits) >= 2**62 for x in numbers)


def test_weights_of_float32_are_the_numbers_they_are():
    network = network_with([0.1, -3.0, 1e-30, 0.0], torch.float32)
    first, *_ = read_entries(weights_source(network, "m"))
    assert Fraction(first, 2 ** fraction_bits(network)) == Fraction(float(torch.tensor(0.1)))


def test_long_weights_are_written_in_parts():
    numbers = [float(i) for i in range(5000)]
    text = weights_source(network_with(numbers), "m")
    assert read_entries(text) == list(range(5000))
    assert "[| rows_W_0; rows_W_1; rows_W_2 | [| | 0 |] |]" in text


def test_a_title_cannot_leave_its_comment():
    text = weights_source(network_with([1.0, 2.0]), "x *) Axiom false : False. (*\nDefinition")
    assert text.index("*)") > text.index("SHA-256")
    assert text.count("*)") == 1


def test_files_of_a_theorem(tiny: LoadedModel, tmp_path: Path):
    theorem = formalize_compact(
        tiny.model, tiny.task, GRID, GRID.explain(tiny.model, tiny.task), 123, tmp_path, arithmetic=Arithmetic.pure
    )
    text, model = (tmp_path / "Accuracy.v").read_text(), "Formalized.Program.model"
    words = f"shaped {model} = true /\\\n  accuracy {model} (inputs [8; 8; 8]%nat) maximum >= 123 / 8 ^ 3."
    assert words in text
    assert "additive_pure Formalized.Hints.params Formalized.Hints.hints Formalized.Hints.group_of 123%Z" in text
    assert "Admitted" not in text
    assert re.search(r"group_of : list nat := \[([01]; ){7}[01]\]", (tmp_path / "Hints.v").read_text())
    assert theorem.seconds() > 0
    stated = assumptions_source(theorem.statement, 123)
    assert words in stated
    before, after = stated.split(words)
    assert "From Formalized Require Program.\n" in before  # what is stated is read before other files are
    assert "From Formalized Require Weights Hints Accuracy.\n" in after  # and no name of theirs is open


def test_every_file_of_the_development_comes_after_what_it_requires():
    files = sources()
    required = requirements(files)
    assert all(files.index(other) < files.index(file) for file in files for other in required[file])
    assert {file.name for file in required[next(file for file in files if file.stem == "Tasks")]} == {"Network.v"}


def test_a_strategy_proves_what_its_theorem_claims(tiny: LoadedModel, tmp_path: Path):
    proven = prove(tiny.model, tiny.task, GRID).claim.numerator
    formalize(tiny.model, tiny.task, tmp_path, strategy=GRID)
    text = (tmp_path / "Accuracy.v").read_text()
    assert f"maximum >= {proven} / 8 ^ 3." in text
    assert "additive_hardware" in text


def test_a_transformer_with_a_size_of_one_has_no_checker(tmp_path: Path):
    model = AttentionOnlyTransformer(AttentionOnlyConfig(4, 3, 2, 1))
    task = MaxOfK.of(model)
    with pytest.raises(BadInput, match="whose sizes are all above 1"):
        formalize_compact(model, task, GRID, GRID.explain(model, task), 1, tmp_path)


@pytest.mark.parametrize(
    ("strategy", "reason"),
    [
        (Cubic(), "cubic: no checker is verified for this strategy"),
        (
            Additive(direct="norms", values="lowrank", rank=1),
            "additive with values=lowrank: the verified checker is for values=exact",
        ),
        (Additive(counting="grid", direct="separate"), "additive with direct=separate"),
    ],
)
def test_strategies_without_a_checker(tiny: LoadedModel, strategy, reason):
    with pytest.raises(BadInput, match=re.escape(reason)):
        checker_for(strategy, tiny.model, {})


def test_larger_work_is_expected_to_take_longer(tiny: LoadedModel):
    checker = checker_for(GRID, tiny.model, GRID.explain(tiny.model, tiny.task))
    times = [checker.seconds(kind) for kind in (Arithmetic.hardware, Arithmetic.software, Arithmetic.pure)]
    assert times == sorted(times)


def test_a_missing_coq_is_named(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match=r"no coqc on the PATH.*apt-get install.* coq libcoq-interval"):
        Coq.find()


def test_missing_libraries_are_named(monkeypatch, tmp_path: Path):
    fake = tmp_path / "coqc"
    fake.write_text(f"#!/bin/sh\necho {tmp_path}\n")
    fake.chmod(0o755)
    for library in ("Flocq", "Coquelicot"):
        (tmp_path / "user-contrib" / library).mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(BadInput, match=r"no Interval, Bignums.*libcoq-interval libcoq-bignums") as error:
        Coq.find()
    assert PACKAGES["Flocq"] not in str(error.value)


def test_nothing_is_admitted_in_the_development():
    files = sources()
    assert files[0].name == "Statement.v"
    assert {file.name for file in files} == {file.name for file in files[0].parent.glob("*.v")}
    for file in files:
        text = re.sub(r"\(\*.*?\*\)", "", file.read_text(), flags=re.DOTALL)
        assert not re.search(r"\b(Admitted|admit|Axiom|Axioms|Parameter|Parameters|Conjecture|bypass_check)\b", text), file.name


FLAGS_ON = "".join(f"{flag}\n" for flag in FLAGS)
KNOWN = "PrimFloat.add : PrimFloat.float -> PrimFloat.float\nClassical_Prop.classic\n  : forall P : Prop,\n    P \\/ ~ P\n"


def test_known_assumptions_are_said_in_words():
    found = read_assumptions(f"{FLAGS_ON}Axioms:\n{KNOWN}")
    assert not found.objections
    assert [word.split()[0] for word in found.words] == ["the", "the"]
    assert read_assumptions(f"{FLAGS_ON}Closed under the global context\n") == Assumptions([], [])


@pytest.mark.parametrize(
    "line",
    [
        "Mine.cheat\n  : forall P : Prop,\n    P",
        "Accuracy.PrimFloat.add : False",
        "Hints.bad is assumed to be guarded.",
        "Hints.bad is assumed to be positive.",
        "PrimFloat.bad is assumed to be guarded.",
        "Hints.U relies on an unsafe hierarchy.",
        "Hints.U relies on definitional UIP.",
        "Theory:\nSet is impredicative",
        "Theory:\nType hierarchy is collapsed (logic is inconsistent)",
        "Section Variables:\nx : False",
        "PrimFloat.add",
        "Warning: something new",
    ],
)
def test_every_line_is_understood_or_an_objection(line: str):
    objections = read_assumptions(f"{FLAGS_ON}Axioms:\n{KNOWN}{line}\n").objections
    assert line.split("\n")[0].split(" : ")[0] in objections[0]
    assert read_assumptions(f"{FLAGS_ON}Axioms:\n{line}\n{KNOWN}").objections
    assert read_assumptions(f"{line}\n{FLAGS_ON}Axioms:\n{KNOWN}").objections


@pytest.mark.parametrize("flag", FLAGS)
def test_checks_that_are_off_are_objections(flag: str):
    name, value = flag.split(": ")
    off = f"{name}: {'false' if value == 'true' else 'true'}"
    for rest in ("Closed under the global context\n", f"Axioms:\n{KNOWN}"):
        assert read_assumptions(FLAGS_ON.replace(flag, off) + rest).objections
        assert read_assumptions(FLAGS_ON.replace(f"{flag}\n", "") + rest).objections


@pytest.mark.parametrize("printed", ["", FLAGS_ON, f"{FLAGS_ON}Axioms:\n", "Axioms:\n", KNOWN])
def test_nothing_printed_is_an_objection(printed: str):
    assert read_assumptions(printed).objections
