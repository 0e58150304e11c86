"""`check` accepts what is true and rejects every forgery, with repaired hashes too."""

from __future__ import annotations

import copy
import dataclasses
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from forging import Document, forge
from torch import Tensor, nn

from compact_proofs.certified import Certified, Nothing
from compact_proofs.core.certificate import Certificate
from compact_proofs.core.check import check
from compact_proofs.core.exhaustive import brute_force
from compact_proofs.core.prove import prove, trial
from compact_proofs.core.strategy import Explanation, Spec, Strategy
from compact_proofs.errors import CertificateRejected
from compact_proofs.inputs.task import Task
from compact_proofs.tasks import LoadedModel
from compact_proofs.tasks.max_of_k import Additive, BruteForce, Cubic, LinearBaseline, MaxOfK

Change = Callable[[Document, dict[str, Tensor]], Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "proof.cert"


def rejection(path: Path, loaded: LoadedModel) -> str:
    with pytest.raises(CertificateRejected) as caught:
        check(path, loaded.model, loaded.task)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("strategy", [Cubic(), BruteForce(), LinearBaseline(0.25)])
def test_valid_certificates_of_every_kind(tiny: LoadedModel, path: Path, strategy: Strategy) -> None:
    made = prove(tiny.model, tiny.task, strategy)
    found = check(made.save(path), tiny.model, tiny.task)
    assert (found.claim, found.length) == (made.claim, made.length)


def test_valid_certificate_from_memory_and_file(tiny: LoadedModel, tiny_certificate: Certificate, path: Path) -> None:
    for source in (tiny_certificate, tiny_certificate.save(path), str(path)):
        assert check(source, tiny.model, tiny.task).claim == tiny_certificate.claim


def test_rejection_from_memory_has_no_file_name(tiny: LoadedModel) -> None:
    estimate = trial(tiny.model, tiny.task, Cubic())
    with pytest.raises(CertificateRejected, match=r"^a float reading proves nothing$"):
        check(estimate, tiny.model, tiny.task)


def test_lowered_bound_is_a_true_weaker_theorem(tiny: LoadedModel, tiny_certificate: Certificate, path: Path) -> None:
    forge(tiny_certificate, path, lambda d, t: d["claim"].update(numerator="100"))
    assert Certificate.load(path).claim.numerator == 100
    assert check(path, tiny.model, tiny.task).claim == tiny_certificate.claim
    forge(tiny_certificate, path, lambda d, t: d["claim"].update(denominator="1024"))
    assert check(path, tiny.model, tiny.task).claim == tiny_certificate.claim


def claim(**changes: Any) -> Change:
    return lambda document, tensors: document["claim"].update(changes)


def function(**changes: Any) -> Change:
    return lambda document, tensors: document["claim"]["function"].update(changes)


def strategy(**changes: Any) -> Change:
    return lambda document, tensors: document["strategy"].update(changes)


def option(**changes: Any) -> Change:
    return lambda document, tensors: document["strategy"]["options"].update(changes)


def raise_numerator(document: Document, tensors: dict[str, Tensor]) -> None:
    document["claim"]["numerator"] = str(int(document["claim"]["numerator"]) + 1)


def lengthen(document: Document, tensors: dict[str, Tensor]) -> None:
    document["length"]["QK"]["matmul"] += 1


def shorten(document: Document, tensors: dict[str, Tensor]) -> None:
    document["length"].pop("QK")


FORGERIES: list[tuple[Change, str]] = [
    (raise_numerator, "is not proven; "),
    (claim(numerator="512"), "the claimed bound 512/512 is not proven; "),
    (claim(numerator="51200"), "it claims 100.0000000, which no mean margin can be"),
    (claim(numerator="-5"), "it claims -0.0097657..., which no mean margin can be"),
    (claim(denominator="511"), "its denominator 511 is not a multiple of the number of inputs, 512"),
    (claim(denominator="256", numerator="255"), "its denominator 256 is not a multiple of the number of inputs, 512"),
    (claim(task="max-of-n"), "it is about max-of-n {'d_vocab': 8, 'n_ctx': 3}, not about max-of-k"),
    (claim(parameters={"d_vocab": 8, "n_ctx": 2}), "it is about max-of-k {'d_vocab': 8, 'n_ctx': 2}, not about"),
    (claim(parameters={}), "it is about max-of-k {}, not about"),
    (claim(score="log-likelihood"), "it claims the score log-likelihood {}, but proves margin {}"),
    (claim(score_options={"c": 0.5}), "it claims the score margin {'c': 0.5}, but proves margin {}"),
    (function(weights_sha256="0" * 64), "it is about other weights (SHA-256 0000000000000000..., these have "),
    (function(program_sha256="0" * 64), "it is about another program (SHA-256 0000000000000000..., this one has "),
    (function(architecture="module"), "it is about the module {'d_vocab': 8, "),
    (
        function(configuration={"d_vocab": 8}),
        "it is about the attention-only {'d_vocab': 8}, not the attention-only {'d_vocab': 8, ",
    ),
    (strategy(name="telepathy"), "the strategy 'telepathy' is unknown; known are additive, automatic, brute-force, by-maximum"),
    (strategy(name="brute-force", version=1), "brute-force has no option 'window'; it has no options"),
    (strategy(name="cubic", options={}, version=1), "the explanation of cubic must hold nothing, not group_of"),
    (strategy(version=99), "version 99 of the strategy additive is unknown; this program has version "),
    (lambda d, t: d["strategy"]["options"].pop("groups"), "it does not say what the strategy's option groups was"),
    (option(bogus=1), "additive has no option 'bogus'; its options are window: int >= 1 = 6"),
    (option(window="3"), "additive: window must be a valid integer, not '3'"),
    (option(window=3.5), "additive: window must be a valid integer, not 3.5"),
    (option(window=True), "additive: window must be a valid integer, not True"),
    (option(window=0), "additive: window must be at least 1, not 0"),
    (option(window=2), "the claimed "),
    (lengthen, "the claimed length "),
    (shorten, "the claimed length "),
    (lambda d, t: d.update(length={}), "the claimed length 0 is not that of the proof, "),
    (lambda d, t: d.update(unexplained_dimension=1), "the claimed unexplained dimension 1 is not that of"),
    (lambda d, t: d.update(unexplained_dimension=None), "the claimed unexplained dimension None is not that of"),
    (lambda d, t: t.clear(), f"the explanation of {Additive(window=3, groups=3)} must hold group_of, not nothing"),
    (lambda d, t: t.update(more=torch.zeros(1)), "must hold group_of, not group_of, more"),
    (lambda d, t: t.update(group_of=t["group_of"].to(torch.int32)), "'group_of' has dtype torch.int32, not"),
    (lambda d, t: t.update(group_of=t["group_of"].to(torch.bfloat16)), "'group_of' has dtype torch.bfloat16, not"),
    (lambda d, t: t.update(group_of=t["group_of"][:7].clone()), "'group_of' has shape (7,), not (8,)"),
    (lambda d, t: t["group_of"].__setitem__(0, 3), "the explanation's tensor 'group_of' has entries outside 0 ... 2"),
    (lambda d, t: t["group_of"].__setitem__(0, -1), "the explanation's tensor 'group_of' has entries outside 0 ... 2"),
    (lambda d, t: t["group_of"].fill_(2**62), "the explanation's tensor 'group_of' has entries outside 0 ... 2"),
]


@pytest.mark.parametrize(("change", "reason"), FORGERIES)
def test_forgeries_with_repaired_hashes(
    tiny: LoadedModel, tiny_certificate: Certificate, path: Path, change: Change, reason: str
) -> None:
    assert reason in rejection(forge(tiny_certificate, path, change), tiny)


def test_a_worse_explanation_proves_less(tiny: LoadedModel, tiny_certificate: Certificate, path: Path) -> None:
    """Its hash repaired, another grouping of queries is a valid explanation: it stands or falls by what it proves."""
    generator = torch.Generator().manual_seed(0)
    lower = 0
    for _ in range(20):
        grouping = torch.randint(0, 3, (8,), generator=generator)
        forge(tiny_certificate, path, lambda d, t, g=grouping: t.update(group_of=g))  # type: ignore[misc]
        try:
            found = check(path, tiny.model, tiny.task)
        except CertificateRejected as e:
            assert "the claimed " in str(e)  # noqa: PT017
            lower += "the claimed bound" in str(e)
        else:
            assert found.bound >= tiny_certificate.bound
    assert lower > 0


def test_other_weights_by_one_bit(tiny: LoadedModel, tiny_certificate: Certificate, path: Path) -> None:
    other = copy.deepcopy(tiny.model)
    with torch.no_grad():
        bits = other.W_E.view(torch.int32)
        bits[0, 0] ^= 1
    with pytest.raises(CertificateRejected, match="it is about other weights"):
        check(tiny_certificate.save(path), other, tiny.task)


def test_other_weights_with_repaired_hash_prove_their_own_bound(
    tiny: LoadedModel, tiny_certificate: Certificate, path: Path
) -> None:
    other = copy.deepcopy(tiny.model)
    with torch.no_grad():
        other.W_E.neg_()
    worse = dataclasses.replace(tiny, model=other)
    theirs = prove(other, tiny.task, Cubic()).claim.function.to_json()
    assert "is not proven" in rejection(forge(tiny_certificate, path, function(**theirs)), worse)


def test_a_proof_longer_than_claimed_is_not_run_to_its_end(tiny: LoadedModel, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = prove(tiny.model, tiny.task, BruteForce())
    forge(made, path, lambda d, t: d.update(length={"other": {"integer": 7}}))
    counted = []
    monkeypatch.setattr("compact_proofs.certified.lists.whole", lambda t: counted.append(t) or int(t))
    with pytest.raises(CertificateRejected, match="claimed length 7 is not that of the proof, which takes more"):
        check(path, tiny.model, tiny.task)
    assert not counted


def test_task_and_model_must_fit(tiny: LoadedModel, tiny_certificate: Certificate) -> None:
    with pytest.raises(CertificateRejected, match=r"not about max-of-k {'d_vocab': 8, 'n_ctx': 4}"):
        check(tiny_certificate, tiny.model, MaxOfK(8, 4))


def test_a_task_without_registered_strategies_has_those_for_any_module(tiny: LoadedModel, tiny_certificate: Certificate) -> None:
    class Other(MaxOfK):
        name: ClassVar[str] = "other"

    task = Other(8, 3)
    renamed = dataclasses.replace(tiny_certificate, claim=dataclasses.replace(tiny_certificate.claim, task="other"))
    with pytest.raises(CertificateRejected, match="the strategy 'additive' is unknown; known are automatic, exhaustive, shared"):
        check(renamed, tiny.model, task)
    everything = brute_force(tiny.model, task)
    assert check(everything, tiny.model, task).claim == everything.claim


@dataclass(frozen=True)
class Guided(Strategy):
    """Proves nothing, guided by real numbers."""

    name: ClassVar[str] = "guided"

    def explain(self, model: nn.Module, task: Task) -> dict[str, Tensor]:
        return {"direction": torch.ones(4, dtype=torch.float64)}

    def specs(self, model: nn.Module, task: Task) -> dict[str, Spec]:
        return {"direction": Spec((4,))}

    def verify(self, model: nn.Module, task: Task, explanation: Explanation) -> Certified:
        return Nothing()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_real_explanations_must_be_finite(tiny: LoadedModel, path: Path, value: float) -> None:
    known: dict[str, type[Strategy]] = {"guided": Guided}
    made = prove(tiny.model, tiny.task, Guided())
    assert check(made.save(path), tiny.model, tiny.task, known).claim == made.claim
    forge(made, path, lambda d, t: t["direction"].__setitem__(2, value))
    with pytest.raises(CertificateRejected, match="'direction' has entries that are not finite"):
        check(path, tiny.model, tiny.task, known)


def survives(path: Path, loaded: LoadedModel, original: Certificate) -> bool:
    """Whether a damaged certificate is accepted; if so, it claims no more than the original, or what is proven."""
    try:
        found = check(path, loaded.model, loaded.task)
    except CertificateRejected:
        return False
    assert Certificate.load(path).bound <= max(original.bound, found.bound)
    return True


def test_random_byte_flips(tiny: LoadedModel, tiny_certificate: Certificate, path: Path) -> None:
    data = tiny_certificate.save(path).read_bytes()
    rng = random.Random(0)
    accepted = 0
    for _ in range(200):
        damaged = bytearray(data)
        for _ in range(rng.choice((1, 1, 1, 2, 8))):
            damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        accepted += survives(path, tiny, tiny_certificate)
    assert accepted < 10


def test_random_edits_with_repaired_hashes(tiny: LoadedModel, tiny_certificate: Certificate, path: Path) -> None:
    rng = random.Random(1)
    values = (
        0,
        1,
        -1,
        2,
        3,
        7,
        10**30,
        2**63,
        True,
        None,
        "",
        "7",
        "0",
        "1",
        0.5,
        [],
        {},
        {"a": 1},
        "additive",
        "cubic",
    )

    def edit(document: Document, tensors: dict[str, Tensor]) -> None:
        where: Any = document
        while True:
            key = rng.choice(sorted(where))
            if not (isinstance(where[key], dict) and where[key] and rng.random() < 0.8):
                break
            where = where[key]
        where[key] = rng.choice(values)

    for _ in range(200):
        survives(forge(tiny_certificate, path, edit), tiny, tiny_certificate)
