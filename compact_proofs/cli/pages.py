"""Which page of the documentation helps with an error: by its class where that says enough, else by the code that raised it."""

from __future__ import annotations

from importlib.metadata import metadata
from types import TracebackType

from compact_proofs import errors

PACKAGE = __name__.split(".", 1)[0]

OF_CLASS: dict[type[Exception], str] = {
    errors.NoSoundRule: "operations.md",
    errors.IntegerOverflow: "operations.md",
    errors.NotProvable: "tutorials/own-strategy.md",
    errors.CertificateRejected: "tutorials/certificate.md",
    errors.NotProven: "howto/budget.md",
    errors.UnsoundMachine: "soundness.md",
    errors.WorkersLost: "howto/many-cores.md",
}
"""Pages about a kind of error."""

OF_CODE = {
    "models": "files.md",
    "files": "files.md",
    "program": "programs.md",
    "enclosure": "operations.md",
    "inputs": "tutorials/own-task.md",
    "sequences": "finite-tasks.md",
    "automatic": "automatic.md",
    "laws": "order-statistics.md",
    "cones": "order-statistics.md",
    "tasks.finite": "finite-tasks.md",
    "tasks.groups": "groups.md",
    "tasks.induction": "induction.md",
    "tasks.modular_addition": "modular-addition.md",
    "tasks.order_statistic": "order-statistics.md",
    "dictionaries": "dictionaries.md",
    "estimates": "estimates.md",
    "confidence": "confidence.md",
    "search": "search.md",
    "formal": "formal.md",
    "sweep": "tutorials/cluster.md",
    "shards": "howto/many-cores.md",
    "workers": "howto/many-cores.md",
    "report": "howto/reports.md",
    "leaderboard": "howto/leaderboard.md",
}
"""Pages about what a package, or a module, of this program does."""


def page_about(error: BaseException) -> str | None:
    """The page of ``docs/`` that helps with an error, or None where no page says more than the message.

    An error of the command line's own, such as options that exclude each other, has none: ``--help`` says more.
    """
    for kind, page in OF_CLASS.items():
        if isinstance(error, kind):
            return page
    raised_in = _module(error.__traceback__).removeprefix(f"{PACKAGE}.")
    while raised_in:
        if raised_in in OF_CODE:
            return OF_CODE[raised_in]
        raised_in = raised_in.rpartition(".")[0]
    return None


def address(page: str) -> str:
    """Where a page of the documentation can be read, by the address that the installed package names."""
    links = dict(link.split(", ", 1) for link in metadata(PACKAGE.replace("_", "-")).get_all("Project-URL") or [])
    return f"{links['Documentation'].rpartition('/')[0]}/{page}"


def _module(raised: TracebackType | None) -> str:
    """The module of this program in which an exception was raised, that is, the last of its own on the way there."""
    found = ""
    while raised is not None:
        name = raised.tb_frame.f_globals.get("__name__", "")
        found = name if name.startswith(f"{PACKAGE}.") else found
        raised = raised.tb_next
    return found
