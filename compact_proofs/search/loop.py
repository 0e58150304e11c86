"""`search`: ask a proposer, judge what it proposes, tell it, remember everything."""

from __future__ import annotations

from collections.abc import Callable

from compact_proofs.progress import counted
from compact_proofs.search.archive import Archive
from compact_proofs.search.judge import Judge
from compact_proofs.search.proposal import Proposal
from compact_proofs.search.proposers import Proposer
from compact_proofs.search.state import State, Tried
from compact_proofs.search.text import NoProposals

MOST_REPEATS = 50
"""Times that a proposer may repeat itself before a search ends."""


def search(
    proposer: Proposer,
    judge: Judge,
    shortest: float,
    longest: float,
    evaluations: int,
    archive: Archive | None = None,
) -> State:
    """Search for proofs that raise Q.

    Parameters
    ----------
    proposer, judge
        Who proposes, and who runs the verifiers.
    shortest, longest
        The ends of Q's axis.
    evaluations
        Proposals to judge in all, those in the archive included; what was tried before is not judged again.
    archive
        What was tried before, and where to remember.
    """
    tried = list(archive.tried) if archive else []
    state = State(judge.space, shortest, longest, tried, evaluations - len(tried))
    with counted(max(evaluations, 0), "proposals") as advance:

        def show() -> None:
            advance(len(state.tried), f"Q = {state.q:.4f}")

        show()
        try:
            while state.left > 0 and _round(proposer, judge, state, archive, show):
                pass
        except NoProposals as e:
            state.failure = str(e)
    return state


def _round(proposer: Proposer, judge: Judge, state: State, archive: Archive | None, show: Callable[[], None]) -> bool:
    """Ask until something new is proposed, judge it, show that, tell; False if nothing new comes."""
    known = {p.key: (p, r) for p, r in state.tried}
    for _ in range(MOST_REPEATS):
        proposals = proposer.ask(state)[: state.left]
        new = False
        answered = []
        for proposal in proposals:
            if proposal.key not in known:
                entry = _judged(proposal, judge, state)
                known[proposal.key] = entry
                state.tried.append(entry)
                state.left -= 1
                new = True
                if archive:
                    archive.append(entry)
                show()
            answered.append(known[proposal.key])
        proposer.tell(answered)
        if new or not proposals:
            return new
    return False


def _judged(proposal: Proposal, judge: Judge, state: State) -> Tried:
    result = judge(proposal)
    gain = state.q_of([*(r for _, r in state.tried), result]) - state.q
    return proposal, result.model_copy(update={"gain": gain})
