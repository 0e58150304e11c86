"""The command line: ``compact-proofs``.

    app          the program: its commands, its exit codes, how errors are shown
    zoo, strategies, train, prove, check, frontier, formalize     one command each
    options      strategy options and decimals given as text; what a dataclass says about its fields
    files        where a result may be written, asked before the work starts
    output       tables and JSON

A command imports what it works with when it runs, so that ``--help`` is quick.
"""

from compact_proofs.cli.app import main

__all__ = ["main"]
