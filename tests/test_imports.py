"""What an import loads: no library that only pictures, reports, terminals or other commands need."""

from __future__ import annotations

import subprocess
import sys

import pytest

NEEDED = {"compact_proofs", "torch", "numpy", "safetensors", "pydantic", "pydantic_core", "annotated_types", "typing_inspection"}
"""The packages that the program's own modules use when they are imported."""

LOADED = """
import sys
import torch, numpy, safetensors.torch, pydantic
before = set(sys.modules)
import {module}
print(*sorted({{name.partition(".")[0] for name in set(sys.modules) - before}}))
print(*sorted(name for name in set(sys.modules) - before if name.startswith("compact_proofs.")))
"""


@pytest.mark.parametrize("module", ["compact_proofs", "compact_proofs.tasks"])
def test_an_import_loads_no_more_than_it_needs(module: str) -> None:
    done = subprocess.run([sys.executable, "-c", LOADED.format(module=module)], capture_output=True, text=True, check=True)
    packages, own = (line.split() for line in done.stdout.splitlines())
    assert {name for name in packages if name not in sys.stdlib_module_names and not name.startswith("_")} - NEEDED == set()
    for part in ("report", "cli", "sweep"):
        assert [name for name in own if name.split(".")[1] == part] == []
    assert "compact_proofs.strategy" in own


def test_importing_the_tasks_makes_no_group() -> None:
    """Recipes of the zoo are made when they are called: S5 has 120 elements to multiply."""
    program = (
        "import compact_proofs.tasks; from compact_proofs.tasks.groups.group import group_named as g; print(g.cache_info().misses)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
