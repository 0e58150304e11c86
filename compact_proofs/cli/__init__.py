"""The command line: ``compact-proofs``.

    app          the program: its commands, its exit codes, how errors are shown
    zoo, strategies, train, prove, check, frontier, formalize     one command each
    streams      standard output and standard error
    options      strategy options and decimals given as text; what a dataclass says about its fields
    files        where a result may be written, asked before the work starts
    output       tables and JSON

A command imports what it works with when it runs, so that ``--help`` is quick.
"""

from __future__ import annotations

import os

INTERRUPTED = 130


def main() -> None:
    """Run the program. Ctrl-C ends it without a traceback, also while it is being imported."""
    os.environ.pop("MPLBACKEND", None)  # a notebook's: pictures are drawn into files, and most commands draw none
    try:
        from compact_proofs.cli.app import run

        run()
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
