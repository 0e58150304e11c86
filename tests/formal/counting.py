"""What Coq counts with hints other than those of a theorem."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from tests.formal.sabotage import Compile


def counts(
    hints: Sequence[str],
    imports: Sequence[str],
    queries: Callable[[str], Sequence[str]],
    built_on: Iterable[str],
    compiled: Compile,
    folder: Path,
) -> list[int]:
    """Let Coq count, in a theorem's folder, with each of some hints.

    Parameters
    ----------
    hints
        Texts that a file Hints.v could have.
    imports
        What the queries need, as in ``From PLACE.``
    queries
        From the name of a module with hints to what is counted with them: as many for each.
    built_on
        Files that are compiled before.
    """
    source = (
        hints[0].split("Open Scope list_scope.")[0] + "".join(f"From {place}.\n" for place in imports) + "Open Scope nat_scope.\n"
    )
    asked = 0
    for i, text in enumerate(hints):
        own = text.split("Open Scope nat_scope.")[1]
        source += f"Module V{i}.\nOpen Scope list_scope.\nOpen Scope nat_scope.{own}End V{i}.\n"
        for query in queries(f"V{i}"):
            source += f"Eval vm_compute in {query}.\n"
            asked += 1
    (folder / "Variants.v").write_text(source)
    for name in (*built_on, "Variants.v"):
        output = compiled(folder / name)
        assert output.accepted, output.text
    found = [int(n) for n in re.findall(r"= (\d+)(?:%Z)?\s", output.text)]
    assert len(found) == asked, output.text
    return found
