"""Proposals from anything that reads and writes text: a language model, a script, a person."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from typing import ClassVar

from compact_proofs.errors import BadInput
from compact_proofs.search.proposal import Proposal, Result
from compact_proofs.search.proposers import Proposer
from compact_proofs.search.state import State, Tried

TALK_SECONDS = 300
LARGEST_ANSWER = 2**22


class NoProposals(BadInput):
    """A proposer that failed, which is not one that has nothing more to propose."""


class Text(Proposer):
    """Prints the state, and reads a JSON list of proposals out of the answer.

    Parameters
    ----------
    talk
        From a prompt to an answer, whatever stands around its JSON.
    attempts
        Answers without a readable proposal, one after the other, that end the search.
    """

    name: ClassVar[str] = "command"

    def __init__(self, talk: Callable[[str], str], attempts: int = 3) -> None:
        self._talk, self._attempts, self._news = talk, attempts, "Nothing was tried yet."

    def ask(self, state: State) -> list[Proposal]:
        problem = ""
        for _ in range(self._attempts):
            try:
                return parse(self._talk(prompt(state, self._news)))
            except BadInput as e:
                problem = str(e)
                self._news = f"Your last answer could not be read: {e}"
        raise NoProposals(f"of {self._attempts} answers in a row none could be read; the last: {problem}")

    def tell(self, tried: Sequence[Tried]) -> None:
        self._news = "\n".join(f"{json.dumps(p.options)} by {p.strategy}: {_words(r)}" for p, r in tried)


def prompt(state: State, news: str) -> str:
    """Say what is sought, what may be proposed, and what is known."""
    frontier = "\n".join(
        f"- bound {r.bound:.6f}, length {r.length:,}: {p.strategy} {json.dumps(p.options)}; length by stage {r.length_by_stage}"
        for p, r in state.frontier
    )
    space = "\n".join(
        f"- {name}: " + ", ".join(f"{option} in {list(values)}" for option, values in options.items())
        for name, options in state.space.values.items()
    )
    return (
        "Find short proofs with high bounds: Q is the mean of the best bound over lengths from "
        f"{state.shortest:,.0f} to {state.longest:,.0f} on a logarithmic axis. Q is {state.q:.4f}; {state.left} tries are left.\n\n"
        f"Strategies and values of their options (others of the same type are allowed):\n{space}\n\n"
        f"Frontier:\n{frontier or '- empty'}\n\nNews:\n{news}\n\n"
        'Answer with a JSON list of proposals, [{"strategy": ..., "options": {...}, "claim": "why"}], and nothing that runs.\n'
    )


def parse(answer: str) -> list[Proposal]:
    """Read the first JSON list in an answer.

    Raises
    ------
    BadInput
        If there is none, or it holds anything but proposals.
    """
    for start in re.finditer(r"\[\s*[{\]]", answer[:LARGEST_ANSWER]):
        try:
            found, _ = json.JSONDecoder().raw_decode(answer, start.start())
        except (ValueError, RecursionError):
            continue
        return [Proposal.read(item) for item in found]
    raise BadInput("there is no JSON list of proposals in it")


def program(command: Sequence[str]) -> Callable[[str], str]:
    """Talk to a program: the prompt on its standard input, the answer on its standard output."""

    def talk(text: str) -> str:
        try:
            done = subprocess.run(list(command), input=text, capture_output=True, text=True, timeout=TALK_SECONDS, check=True)
        except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as e:
            said = str(getattr(e, "stderr", None) or "").strip()[-200:]
            why = f"exit code {e.returncode}" if isinstance(e, subprocess.CalledProcessError) else type(e).__name__
            raise BadInput(f"the program {command[0]} gave no answer ({why}{': ' if said else ''}{said})") from None
        return done.stdout

    return talk


def _words(result: Result) -> str:
    if result.status != "proved":
        return f"{result.status} ({result.reason})"
    return f"bound {result.bound:.6f}, length {result.length:,}, Q {result.gain:+.4f}"
