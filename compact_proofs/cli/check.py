"""``compact-proofs check``: does a certificate prove its claim?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compact_proofs.cli.declared import ConfigFile, TaskName
from compact_proofs.cli.many import Dask, Jobs
from compact_proofs.cli.models import ModelSource, about, as_float, true_accuracy
from compact_proofs.cli.options import MaxMemory
from compact_proofs.cli.output import Json, length_text, note, say, write_json
from compact_proofs.decimals import decimal
from compact_proofs.errors import BadInput, CertificateRejected

if TYPE_CHECKING:
    from compact_proofs.tasks import LoadedModel


def check(
    certificate: Annotated[
        Path,
        typer.Argument(
            metavar="CERTIFICATE", help="A file written by **prove -o**, **frontier** or **sample -o**.", show_default=False
        ),
    ],
    model: ModelSource,
    task: TaskName = None,
    config: ConfigFile = None,
    jobs: Jobs = 1,
    dask: Dask = None,
    max_memory: MaxMemory = None,
    as_json: Json = False,
) -> None:
    """Check a certificate: recompute its proof from the weights of a model, trusting nothing in the file.

    Exit code 0 means that the claim is a theorem about exactly these weights, and that the length is that of its proof.
    Exit code 1 means that the certificate was rejected, with the reason: other weights, a bound that is not proven, a
    changed explanation, a damaged file. Get the model from a source that you trust; the certificate may come from
    anyone.

    A statement with confidence, written by **sample -o**, is checked likewise: its inputs are drawn again from its seed.

    With **--jobs** or **--dask** several processes recompute a proof that has parts, as for **prove**.

    **Example:** compact-proofs check proof.cert max-of-4-seed-123
    """
    from compact_proofs.confidence.statement import KEY
    from compact_proofs.core.certificate import Certificate
    from compact_proofs.core.check import check as recompute
    from compact_proofs.files.container import is_container
    from compact_proofs.progress import progress_bars
    from compact_proofs.shards import sharing
    from compact_proofs.tasks import load_model

    if not certificate.is_file():
        raise BadInput(f"{certificate}: {'not a file' if certificate.exists() else 'there is no such file'}; give a certificate")
    loaded = load_model(model, task, config)
    try:
        if is_container(certificate, KEY):
            _with_confidence(loaded, certificate, as_json)
            return
        claimed = Certificate.load(certificate)
        with sharing(jobs, dask), progress_bars(f"recomputing {claimed.strategy}"):
            proven = recompute(claimed, loaded.model, loaded.task)
    except CertificateRejected as e:
        reason = str(e).removeprefix(f"{certificate}: ")
        if as_json:
            result = {"accepted": False, "reason": reason, "certificate": str(certificate), "claim": None, "proof": None}
            write_json(about(loaded) | result)
        raise CertificateRejected(f"{certificate}: {reason}") from None
    claim = claimed.claim
    if as_json:
        accuracy = true_accuracy(loaded, [proven])
        write_json(
            about(loaded)
            | {
                "accepted": True,
                "reason": None,
                "certificate": str(certificate),
                "claim": {
                    "numerator": str(claim.numerator),
                    "denominator": str(claim.denominator),
                    "bound": float(claim.bound),
                    "statement": claim.statement(),
                },
                "proof": proven.to_json(as_float(accuracy)),
            }
        )
        return
    say("Accepted: the certificate proves its claim for this model.", style="bold green")
    say(f"Theorem. {claim.statement()}")
    say(f"Proof by {proven.strategy}, {length_text(proven)}; recomputed in {proven.seconds:.2f} s.")
    if proven.bound > claim.bound:
        more = f"{proven.claim.numerator}/{proven.claim.denominator} = {decimal(proven.bound)}"
        say(f"The same proof gives more than is claimed: {more}.")


def _with_confidence(loaded: LoadedModel, file: Path, as_json: bool) -> None:
    """Check a statement with confidence, and show what it says."""
    from compact_proofs.confidence import Confidence, check_confidence
    from compact_proofs.progress import progress_bars

    said = Confidence.load(file)
    with progress_bars(f"recomputing {said.strategy} and its samples"):
        again = check_confidence(said, loaded.model, loaded.task)
    accuracy = true_accuracy(loaded)
    if as_json:
        bound = said.bound
        claim = {"numerator": str(bound.numerator), "denominator": str(bound.denominator), "bound": float(bound)}
        write_json(
            about(loaded)
            | {
                "accepted": True,
                "reason": None,
                "certificate": str(file),
                "claim": {**claim, "statement": said.statement()},
                "proof": again.to_json(as_float(accuracy)),
            }
        )
        return
    say("Accepted: drawn again from its seed, the samples are as stated. This is not a proof.", style="bold green")
    say(f"{said.statement()}.")
    say(f"By {said.strategy} and sampling, {again.length.total:,} operations; recomputed in {again.seconds:.2f} s.")
    if said.caution():
        note(str(said.caution()))
