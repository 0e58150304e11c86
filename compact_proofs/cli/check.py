"""``compact-proofs check``: does a certificate prove its claim?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compact_proofs.claim import decimal
from compact_proofs.cli.models import ModelSource, true_accuracy
from compact_proofs.cli.output import Json, length_text, say, write_json
from compact_proofs.errors import BadInput, CertificateRejected


def check(
    certificate: Annotated[
        Path,
        typer.Argument(metavar="CERTIFICATE", help="A file written by **prove -o** or **frontier**.", show_default=False),
    ],
    model: ModelSource,
    as_json: Json = False,
) -> None:
    """Check a certificate: recompute its proof from the weights of a model, trusting nothing in the file.

    Exit code 0 means that the claim is a theorem about exactly these weights, and that the length is that of its proof.
    Exit code 1 means that the certificate was rejected, with the reason: other weights, a bound that is not proven, a
    changed explanation, a damaged file. Get the model from a source that you trust; the certificate may come from
    anyone.

    **Example:** compact-proofs check proof.cert max-of-4-seed-123
    """
    from compact_proofs.certificate import Certificate
    from compact_proofs.check import check as recompute
    from compact_proofs.progress import progress_bars
    from compact_proofs.tasks import load_model

    if not certificate.is_file():
        raise BadInput(f"{certificate}: {'not a file' if certificate.exists() else 'there is no such file'}; give a certificate")
    loaded = load_model(model)
    try:
        claimed = Certificate.load(certificate)
        with progress_bars(f"recomputing {claimed.strategy}"):
            proven = recompute(claimed, loaded.model, loaded.task)
    except CertificateRejected as e:
        reason = str(e).removeprefix(f"{certificate}: ")
        if as_json:
            write_json({"accepted": False, "reason": reason, "certificate": str(certificate), "claim": None, "proof": None})
        raise CertificateRejected(f"{certificate}: {reason}") from None
    claim = claimed.claim
    if as_json:
        accuracy = true_accuracy(loaded, [proven])
        write_json(
            {
                "accepted": True,
                "reason": None,
                "certificate": str(certificate),
                "claim": {
                    "numerator": str(claim.numerator),
                    "denominator": str(claim.denominator),
                    "bound": float(claim.bound),
                    "statement": claim.statement(),
                },
                "proof": proven.to_json(None if accuracy is None else float(accuracy)),
            }
        )
        return
    say("Accepted: the certificate proves its claim for this model.", style="bold green")
    say(f"Theorem. {claim.statement()}")
    say(f"Proof by {proven.strategy}, {length_text(proven)}; recomputed in {proven.seconds:.2f} s.")
    if proven.bound > claim.bound:
        more = f"{proven.claim.numerator}/{proven.claim.denominator} = {decimal(proven.bound)}"
        say(f"The same proof gives more than is claimed: {more}.")
