"""Which packages import which: there are no circles among them."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import compact_proofs

ROOT = Path(compact_proofs.__file__).parent
NAME = "compact_proofs"


def imported(tree: ast.Module) -> set[str]:
    """The names that a module imports, wherever in the file; but for type annotations (``if TYPE_CHECKING``)."""
    found: set[str] = set()

    def walk(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            walk(child)

    walk(tree)
    return found


def package_of(name: str) -> str | None:
    """The package (or single module) below compact_proofs that an imported name belongs to."""
    parts = name.split(".")
    if parts[0] != NAME or len(parts) < 2:
        return None
    return parts[1] if (ROOT / parts[1]).is_dir() or (ROOT / f"{parts[1]}.py").exists() else None


def graph() -> dict[str, set[str]]:
    """For each package, the others that it imports."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in ROOT.rglob("*.py"):
        place = file.relative_to(ROOT)
        own = place.parts[0] if len(place.parts) > 1 else place.stem
        if own != "__init__":
            found[own] |= {p for name in imported(ast.parse(file.read_text())) if (p := package_of(name)) and p != own}
    return dict(found)


def circles(edges: dict[str, set[str]]) -> set[frozenset[str]]:
    """The packages that reach each other: strongly connected components of more than one."""
    reached = {start: _reached(edges, start) for start in edges}
    return {frozenset(b for b in own | {a} if b == a or a in reached.get(b, ())) for a, own in reached.items() if a in own}


def _reached(edges: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = list(edges[start])
    while waiting:
        here = waiting.pop()
        if here not in seen:
            seen.add(here)
            waiting += edges.get(here, ())
    return seen


def test_packages_do_not_import_each_other_in_circles() -> None:
    assert circles(graph()) == set()
