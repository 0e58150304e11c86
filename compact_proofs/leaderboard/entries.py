"""The certificates of a folder: one folder for each entrant, checked against the weights of the zoo."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from compact_proofs import zoo
from compact_proofs.core.certificate import Certificate
from compact_proofs.core.check import check
from compact_proofs.core.strategy import Strategy
from compact_proofs.errors import BadInput, CertificateRejected
from compact_proofs.files.objects import run_file
from compact_proofs.models.files import weights_sha256
from compact_proofs.progress import track
from compact_proofs.tasks import LoadedModel, load_model, strategies_for

CODE = "strategies.py"
"""An entrant's own strategies: a Python file in the entrant's folder. It is run only if the entrant is trusted."""


@dataclass(frozen=True)
class Entry:
    """One certificate of a folder, as it was found.

    Attributes
    ----------
    entrant
        The name of the folder that it is in.
    file
        Where it is.
    model
        The name of the zoo's model that it is about; None if it is about none.
    certificate
        As recomputed here; None unless it was accepted.
    own_code
        Whether it was checked by a strategy that the entrant brought.
    reason
        Why it was not accepted; empty if it was.
    """

    entrant: str
    file: Path
    model: str | None
    certificate: Certificate | None
    own_code: bool = False
    reason: str = ""


def read_entries(folder: Path, trusted: Collection[str] = ()) -> list[Entry]:
    """Check every certificate ``ENTRANT/**/*.cert`` of a folder.

    Parameters
    ----------
    folder
        Of the entrants' folders.
    trusted
        Entrants whose `CODE` may run. A verifier is trusted by whoever reads it: it is Python, and may do anything.

    Raises
    ------
    BadInput
        If there is no such folder, no certificate in it, or a trusted entrant that has no code.
    """
    files = sorted(folder.glob("*/**/*.cert"))
    if not files:
        raise BadInput(f"{folder}: there is no ENTRANT/*.cert in it; give a folder with a folder of certificates for each entrant")
    brought = {name: _strategies(folder / name / CODE) for name in trusted}
    known = _models_by_weights()
    return [_entry(file, file.relative_to(folder).parts[0], known, brought) for file in track(files, "certificates")]


def _models_by_weights() -> dict[str, LoadedModel]:
    return {weights_sha256(loaded.model): loaded for loaded in map(load_model, zoo.names())}


def _strategies(file: Path) -> dict[str, type[Strategy]]:
    if not file.is_file():
        raise BadInput(f"{file}: there is no such file, so that there is no code to trust")
    found = vars(run_file(file)).values()
    return {kind.name: kind for kind in found if isinstance(kind, type) and issubclass(kind, Strategy) and hasattr(kind, "name")}


def _entry(
    file: Path, entrant: str, known: Mapping[str, LoadedModel], brought: Mapping[str, Mapping[str, type[Strategy]]]
) -> Entry:
    try:
        claimed = Certificate.load(file)
    except CertificateRejected as rejected:
        return Entry(entrant, file, None, None, reason=str(rejected))
    loaded = known.get(claimed.claim.function.weights_sha256)
    if loaded is None:
        return Entry(entrant, file, None, None, reason="it is about no model of the zoo")
    registered = strategies_for(loaded.task)
    own = claimed.strategy not in registered
    if own and claimed.strategy not in brought.get(entrant, {}):
        reason = f"its strategy {claimed.strategy!r} is code of {entrant}'s own, which is not trusted (--trust)"
        return Entry(entrant, file, loaded.name, None, own, reason)
    try:
        certificate = check(claimed, loaded.model, loaded.task, {**brought.get(entrant, {}), **registered})
    except CertificateRejected as rejected:
        return Entry(entrant, file, loaded.name, None, own, str(rejected))
    return Entry(entrant, file, loaded.name, certificate, own)
