"""Theorems about networks on pairs from directions of their outputs: what Coq accepts, and false ones that it must not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from compact_proofs.cli.app import app
from compact_proofs.core.certificate import Certificate
from compact_proofs.core.prove import prove
from compact_proofs.core.soundness import Specimen, evaluate
from compact_proofs.errors import BadInput
from compact_proofs.formal.compact import compact_statement, formalize_compact
from compact_proofs.formal.directions.directions_source import hints_source
from compact_proofs.formal.directions.directions_statement import DirectionsStatement
from compact_proofs.formal.directions.hints import Cluster, DirectionHints, Neuron
from compact_proofs.formal.network.evaluation import entries, logits, meaning_of
from compact_proofs.formal.network.language import relu, times, total
from compact_proofs.formal.network.lowering import network_of
from compact_proofs.formal.network.one_layer import one_layer
from compact_proofs.formal.theorem import write_theorem
from compact_proofs.models.files import save_model
from compact_proofs.models.one_layer_mlp import OneLayerMLP, OneLayerMLPConfig
from compact_proofs.models.pair_mlp import PairMLP
from compact_proofs.program import program_of
from compact_proofs.tasks import load_model
from compact_proofs.tasks.groups.directions import Directions as GroupDirections
from compact_proofs.tasks.groups.task import Groups
from compact_proofs.tasks.modular_addition.directions import Directions
from compact_proofs.tasks.modular_addition.task import ModularAddition
from tests.formal.counting import counts
from tests.formal.sabotage import Change, Compile, assert_rejected, first, zeros

BUILT_ON = ("Weights.v", "Program.v", "Tables.v", "Hints.v")
TABLES = "Formalized Require Program Tables"
STRATEGY = Directions(2, 2, rest=False)


def wave(noise: float, attention: str = "none", p: int = 5, m: int = 10) -> OneLayerMLP:
    """A network that adds by one frequency: neurons read cosines of x + y beside the phases of which they write; and noise."""
    d = 4 if attention == "none" else 6
    config = OneLayerMLPConfig(p, p, d, m, attention, biases=attention != "none")  # type: ignore[arg-type]
    model = OneLayerMLP(config, dtype=torch.float64)
    angle = 2 * torch.pi * torch.arange(p) / p
    phase = torch.arange(m) * 2 * torch.pi / m
    E = torch.stack([angle.cos(), angle.sin()], 1)
    with torch.no_grad():
        model.W_E[:, :2] = E
        model.W_in[:2] = torch.stack([phase.cos(), phase.sin()])
        model.W_out[:, 2:4] = torch.stack([(2 * phase).cos(), (2 * phase).sin()], 1)
        model.W_U[2:4] = E.T
        if attention != "none":  # the mean of values is half of what both tokens bring, and the last token is there already
            model.W_V[0, :2, 0] = torch.tensor([0.01, 0.0])
            model.W_O[0, 0, 0] = 1.0
        generator = torch.Generator().manual_seed(0)
        for w in model.parameters():
            w += noise * torch.randn(w.shape, generator=generator, dtype=torch.float64)
    return model.requires_grad_(False)


@pytest.fixture(scope="module")
def model() -> OneLayerMLP:
    return wave(0.03)


@pytest.fixture(scope="module")
def proven(model: OneLayerMLP) -> Certificate:
    return prove(model, ModularAddition.of(model), STRATEGY)


@pytest.fixture(scope="module")
def accepted(model: OneLayerMLP, proven: Certificate, compiled: Compile, tmp_path_factory) -> Path:
    """The folder of a theorem that Coq has checked, with the files compiled on which it builds."""
    folder, task = tmp_path_factory.mktemp("directions"), ModularAddition.of(model)
    theorem = formalize_compact(model, task, STRATEGY, proven.explanation, proven.claim.numerator, folder)
    checked = theorem.check()
    program = "Formalized.Program.model"
    accuracy = f"accuracy {program} (inputs [5; 5]%nat) (addition 5) >= {checked.numerator} / 25"
    assert " ".join(checked.statement.split()) == f"shaped {program} = true /\\ {accuracy}"
    assert 0 < checked.numerator == proven.claim.numerator
    for name in (*BUILT_ON, "Accuracy.v"):
        assert compiled(folder / name).accepted
    return folder


SABOTAGE: dict[str, Change] = {
    "one more than is proven": (
        "Accuracy.v",
        r"(?<=>= )(\d+)(?= / 25)|(\d+)%Z(?= 25%Z)",
        lambda f: f[0].replace(f[1] or f[2], str(int(f[1] or f[2]) + 1)),
    ),
    "another total": ("Accuracy.v", r"(?<=/ )25|25(?=%Z ltac)", first("24")),
    "another modulus": ("Accuracy.v", r"addition 5", first("addition 4")),
    "other labels": ("Accuracy.v", r"\(addition 5\)", first("maximum")),
    "tokens that there are not": (
        "Accuracy.v",
        r"(?<=kept )5 5|\[5; 5\]|(?<=/ )25|25(?=%Z ltac)",
        lambda f: f[0].replace("25", "36").replace("5", "6"),
    ),
    "another number of tables": ("Accuracy.v", r"(?<=5 5 )2", first("1")),
    "other weights": ("Weights.v", r"rows_W_out_0 := \[\| [^|]*\|", zeros),
    "a weight with a missing entry": ("Weights.v", r"rows_W_U_0 := \[\| [^;]*;", first("rows_W_U_0 := [|")),
    "another program": ("Program.v", r"Relu \(", first("Exp (")),
    "tables of another program": ("Tables.v", r"Token \(Fixed 1\)", first("Token (Fixed 0)")),
    "a table over too few terms": ("Tables.v", r"Sum 4 \(Times", first("Sum 3 (Times")),
    "a neuron twice": ("Hints.v", r"one (\d+) (.*\n\s*one) \d+", lambda f: f"one {f[1]} {f[2]} {f[1]}"),
    "a neuron that there is not": ("Hints.v", r"one \d+", first("one 99")),
    "a neuron that is left out": ("Hints.v", r"one \d+ .*;\n", first("")),
    "a factor of 0": ("Hints.v", r"(one \d+) \d+", lambda f: f"{f[1]} 0"),
    "a factor below 0": ("Hints.v", r"(one \d+) (\d+)", lambda f: f"{f[1]} (-{f[2]})"),
    "no directions": ("Hints.v", r"directions := \[[^|]*\]\s*(?=\|\})", first("directions := []")),
    "no clusters": ("Hints.v", r"clusters : list cluster := \[.*\]", first("clusters : list cluster := []")),
}


SECOND = (
    "another total",
    "another modulus",
    "tables of another program",
    "a neuron that is left out",
    "a factor below 0",
    "no directions",
    "no clusters",
)
"""Sabotages of a kind that others have."""


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.slow if kind in SECOND else ()) for kind in SABOTAGE])
def test_false_theorems_are_rejected(kind: str, accepted: Path, compiled: Compile, tmp_path: Path):
    assert_rejected(SABOTAGE[kind], accepted, BUILT_ON, compiled, tmp_path / "copy")


def hostile(hints: DirectionHints, kind: str, generator: torch.Generator) -> DirectionHints:
    """The same clusters with arbitrary numbers of one kind, or every neuron in the first cluster."""

    def drawn(x: int) -> int:
        size = 2 ** int(torch.randint(0, 58, (), generator=generator))
        return x + int(torch.randint(-(2**60), 2**60, (), generator=generator)) // size

    def neuron(v: Neuron) -> Neuron:
        if kind == "factors":
            return replace(v, factor=max(1, abs(drawn(v.factor))))
        return replace(v, coordinates=[drawn(x) for x in v.coordinates]) if kind == "coordinates" else v

    if kind == "one cluster":
        one = Cluster([v for c in hints.clusters for v in c.neurons], hints.clusters[0].directions)
        return replace(hints, clusters=(one,))
    if kind == "bits":
        return replace(hints, bits=3)
    clusters = (replace(c, neurons=[neuron(v) for v in c.neurons]) for c in hints.clusters)
    if kind == "directions":
        clusters = (replace(c, directions=[[drawn(x) for x in d] for d in c.directions]) for c in clusters)
    return replace(hints, clusters=tuple(clusters))


@pytest.mark.parametrize(
    ("noise", "attention"),
    [(0.05, "none"), *(pytest.param(n, a, marks=pytest.mark.slow) for n in (0.0, 0.1, 0.3, 1.0) for a in ("none", "uniform"))],
)
def test_never_more_than_is_true(noise: float, attention: str, compiled: Compile, tmp_path: Path):
    """With the hints that were found, and with any others; all that is true where pairs that are left are evaluated."""
    model = wave(noise, attention)
    task, generator = ModularAddition.of(model), torch.Generator().manual_seed(1)
    explanation = STRATEGY.explain(model, task)
    statement = compact_statement(model, task, STRATEGY, explanation)
    assert isinstance(statement, DirectionsStatement)
    kinds = ("coordinates", "directions", "factors", "bits", "one cluster")
    variants = [statement.found, *(hostile(statement.found, kind, generator) for kind in kinds)]
    write_theorem(statement, 0, tmp_path)
    texts = [hints_source(v) for v in (*variants, replace(variants[1], rest=True))]
    constants = statement.distributed.network.constants
    found = counts(
        texts,
        ("Coq Require Import ZArith", "CompactProofs Require Import Distribute Machine DirectionsTheorems Tasks", TABLES),
        lambda V: [
            f"count_directions machine (with_program Formalized.Program.model Formalized.Tables.fast) 5 5 {constants} "
            f"{V}.bits {V}.clusters {V}.evaluated (addition 5)"
        ],
        BUILT_ON[:3],
        compiled,
        tmp_path,
    )
    truth = evaluate(Specimen(model), task)
    assert all(0 <= count <= int(truth.possible.sum()) for count in found)
    assert found[0] >= int(prove(model, task, STRATEGY, explanation=explanation).claim.numerator) - 2
    assert found[-1] >= int(truth.right.sum())
    assert found[0] > 0 or noise > 0.2


@pytest.mark.parametrize("kind", ["modular addition", "uniform attention", "a group"])
def test_the_layer_that_is_found_computes_the_logits(kind: str):
    if kind == "a group":
        loaded = load_model("s4-seed-0")
        module, task = loaded.model, loaded.task
    else:
        module = wave(0.5, "none" if kind == "modular addition" else "uniform")
        task = ModularAddition.of(module)
    network = network_of(program_of(module, task))
    found = one_layer(network)
    assert found is not None
    tables, layer = found[0].network, found[1]
    env = [w.value.to(torch.float64).numpy() for w in tables.weights]
    for d in tables.definitions[:-1]:
        env.append(entries(d, env))
    for tokens in ([0, 1], [3, 2], [4, 4]):
        for z in (0, 2):
            body = total(layer.width, times(relu(layer.pre), layer.out))
            value = meaning_of(body, env, [z], tokens) + meaning_of(layer.direct, env, [z], tokens)
            assert float(value) == pytest.approx(logits(network, tokens)[z], abs=1e-9)


def test_from_a_certificate_on_the_command_line(coq, tmp_path: Path):
    model = wave(0.02, "uniform")
    file = tmp_path / "model.safetensors"
    save_model(model, file, {"task": "modular-addition"})
    proven = prove(model, ModularAddition.of(model), Directions(2, 2))
    certificate = proven.save(tmp_path / "proof.cert")
    arguments = ["formalize", str(certificate), "--model", str(file), "-o", str(tmp_path / "t"), "--check", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["checked"]["numerator"] == document["claimed"] != "0"
    assert "directions_hardware" in (tmp_path / "t" / "Accuracy.v").read_text()
    assert "The checker makes" in result.stderr


def test_what_has_no_checker(tmp_path: Path):
    """Attention that depends on its input: neurons do not read a sum over both tokens."""
    model = wave(0.1, "learned")
    task = ModularAddition.of(model)
    with pytest.raises(BadInput, match="each read a sum over two tokens"):
        compact_statement(model, task, STRATEGY, STRATEGY.explain(model, task))
    file = tmp_path / "model.safetensors"
    save_model(model, file, {"task": "modular-addition"})
    result = CliRunner().invoke(app, ["formalize", str(file), "-s", "directions", "-O", "clusters=2", "-o", str(tmp_path / "u")])
    assert result.exit_code == 2
    assert "sum over two tokens" in " ".join(result.stderr.split())


def test_shorter_than_running_the_network():
    for name, strategy, share in (("mod-59-mlp-seed-0", Directions(5, 2), 0.27), ("d16-seed-0", GroupDirections(12), 0.8)):
        loaded = load_model(name)
        statement = compact_statement(loaded.model, loaded.task, strategy, strategy.explain(loaded.model, loaded.task))
        assert isinstance(statement, DirectionsStatement)
        assert statement.length < share * statement.brute_force_length


@pytest.mark.slow
def test_a_network_on_a_group(compiled: Compile, tmp_path: Path):
    torch.manual_seed(0)
    table = torch.tensor([[0, 1, 2], [1, 2, 0], [2, 0, 1]])
    model = PairMLP(table, 6, dtype=torch.float64)
    weights = {name: torch.randn_like(w) for name, w in model.named_parameters()}
    model.load_state_dict({**weights, "table": table})
    task, strategy = Groups.of(model), GroupDirections(2, 1)
    explanation = strategy.explain(model, task)
    n = int(prove(model, task, strategy, explanation=explanation).claim.numerator)
    statement = compact_statement(model, task, strategy, explanation)
    for claimed, right in ((n, True), (n + 1, False)):
        write_theorem(statement, claimed, tmp_path)
        assert all(compiled(tmp_path / part).accepted for part in statement.parts)
        assert compiled(tmp_path / "Accuracy.v").accepted == right
