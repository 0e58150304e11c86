"""What a proof may take of memory: refused before it is taken, whoever asks for it.

`test_memory.py` runs these tests in a process of their own: what earlier tests had, and freed, may be taken within any limit.
"""

from __future__ import annotations

import dataclasses
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compact_proofs.certified import Certified, Nothing
from compact_proofs.confidence import check_confidence, sample
from compact_proofs.core.certificate import Certificate
from compact_proofs.core.check import check
from compact_proofs.core.prove import prove
from compact_proofs.core.strategy import Explanation, Strategy
from compact_proofs.errors import CertificateRejected, TooLarge
from compact_proofs.inputs.task import Task
from compact_proofs.length import ProofLength
from compact_proofs.memory import available, limited_memory
from compact_proofs.tasks import LoadedModel
from compact_proofs.tasks.max_of_k import Additive

GIB = 2**30


def peak() -> int:
    """Bytes that the process has ever held."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.parametrize(
    "take",
    [lambda: torch.ones(2 * GIB, dtype=torch.uint8), lambda: np.ones(2 * GIB, dtype=np.uint8), lambda: bytearray(2 * GIB)],
    ids=["torch", "numpy", "python"],
)
def test_who_asks_for_more_is_refused(take: object) -> None:
    before, limits = peak(), resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(TooLarge, match=r"more than 0.5 GiB of memory"), limited_memory(GIB // 2):
        take()  # type: ignore[operator]
    assert peak() - before < GIB // 4
    assert resource.getrlimit(resource.RLIMIT_AS) == limits


def test_the_smaller_limit_holds() -> None:
    for outer, inner in ((GIB // 4, GIB), (GIB, GIB // 4), (GIB // 4, None)):
        with pytest.raises(TooLarge, match=r"more than 0.25 GiB"), limited_memory(outer), limited_memory(inner):
            bytearray(4 * GIB)
    with limited_memory(GIB):
        assert len(bytearray(GIB // 64)) == GIB // 64


def test_a_refusal_frees_what_filled_the_memory() -> None:
    """So there is memory to handle it: also where pieces filled it."""

    def fill() -> None:
        try:
            pieces = []
            while True:
                pieces.append(bytearray(2**18))
        finally:
            raise MemoryError("another, on the way out")

    with limited_memory(GIB // 8):
        with pytest.raises(TooLarge) as caught, limited_memory():
            fill()
        assert len(bytearray(GIB // 16)) == GIB // 16
        assert caught.value.__context__ is not None  # the refusal, with the calls that it ended


def test_limits_of_threads_that_overlap_are_all_lifted() -> None:
    limits = resource.getrlimit(resource.RLIMIT_AS)
    first, second = limited_memory(GIB), limited_memory(2 * GIB)
    threads = [ThreadPoolExecutor(1), ThreadPoolExecutor(1)]
    for step in ("__enter__", "__exit__"):
        for thread, limit in zip(threads, (first, second), strict=True):
            thread.submit(getattr(limit, step), *(() if step == "__enter__" else (None, None, None))).result()
            held = resource.getrlimit(resource.RLIMIT_AS)
            assert (held == limits) == (step == "__exit__" and limit is second)
    for thread in threads:
        thread.shutdown()


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="something else"), limited_memory():
        raise RuntimeError("something else")
    assert available() > 0


def hostile(certificate: Certificate) -> Certificate:
    """A kilobyte that asks for tables of a gigabyte, and for the time to fill them."""
    options = certificate.options | {"counting": "grid", "reach": 2**20}
    return dataclasses.replace(certificate, options=options, length=ProofLength({"other": {"add": 10**29}}))


def test_a_certificate_that_asks_for_too_much(tiny: LoadedModel, tiny_certificate: Certificate, tmp_path: Path) -> None:
    asking = hostile(tiny_certificate)
    before = peak()
    for certificate in (asking, asking.save(tmp_path / "asking.cert")):
        with (
            pytest.raises(CertificateRejected, match=r"it cannot be checked here: it takes more than 0.25 GiB"),
            limited_memory(GIB // 4),
        ):
            check(certificate, tiny.model, tiny.task)
    assert peak() - before < GIB // 2
    strategy = Additive.from_options(asking.options)
    with pytest.raises(TooLarge), limited_memory(GIB // 4):
        prove(tiny.model, tiny.task, strategy, explanation=tiny_certificate.explanation)


def test_a_small_certificate_takes_little(tiny: LoadedModel, tiny_certificate: Certificate, tmp_path: Path) -> None:
    file = tiny_certificate.save(tmp_path / "small.cert")
    with limited_memory(GIB // 16):
        assert check(file, tiny.model, tiny.task).claim == tiny_certificate.claim


def test_a_statement_that_asks_for_too_much(tiny: LoadedModel) -> None:
    strategy = Additive(window=3, groups=3, counting="grid")
    said = sample(tiny.model, tiny.task, strategy, samples=5)
    asking = dataclasses.replace(said, options=said.options | {"reach": 2**20}, length=ProofLength({"other": {"add": 10**29}}))
    with pytest.raises(CertificateRejected, match="it cannot be checked here"), limited_memory(GIB // 4):
        check_confidence(asking, tiny.model, tiny.task)


@dataclasses.dataclass(frozen=True)
class Greedy(Strategy):
    """A verifier of one's own, whose memory follows from an option."""

    name, summary = "greedy", "takes memory"
    size: int = 0

    def verify(self, model: nn.Module, task: Task, explanation: Explanation) -> Certified:
        rows: list[Tensor] = [torch.zeros(2**20, dtype=torch.uint8) for _ in range(self.size)]
        assert len(rows) == self.size
        return Nothing()


def test_any_strategy_is_bounded(tiny: LoadedModel) -> None:
    """Also one that takes it in small pieces."""
    assert prove(tiny.model, tiny.task, Greedy(size=1)).claim.numerator == 0
    with pytest.raises(TooLarge, match=r"more than 0.125 GiB"), limited_memory(GIB // 8):
        prove(tiny.model, tiny.task, Greedy(size=2**11))


def test_freed_memory_is_kept_for_what_comes_next():
    """The system gives fewer pages to a program that has asked for it, where its C library can."""
    program = (
        "import resource, sys, torch\nfrom compact_proofs.memory import keep_freed_memory\n"
        "kept = sys.argv[1] == 'kept' and keep_freed_memory()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(20):\n    torch.ones(2**23)\n"
        "print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)\n"
    )
    found = {}
    for how in ("given back", "kept"):
        shown = subprocess.run([sys.executable, "-c", program, how], capture_output=True, text=True, check=True).stdout.split()
        found[how] = shown[0], int(shown[1])
    if found["kept"][0] == "False":
        pytest.skip("another C library than glibc")
    assert found["kept"][1] < found["given back"][1] / 2
