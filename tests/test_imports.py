"""What an import loads: no library that only pictures, reports, terminals or other commands need."""

from __future__ import annotations

import subprocess
import sys

import pytest

import compact_proofs as cp

NEEDED = {
    "compact_proofs",
    "lazy_loader",
    "torch",
    "numpy",
    "safetensors",
    "pydantic",
    "pydantic_core",
    "annotated_types",
    "typing_inspection",
}
"""The packages that the program's own modules use when they are imported."""

LOADED = """
import sys
import torch, numpy, safetensors.torch, pydantic
before = set(sys.modules)
import {module}
print(*sorted({{name.partition(".")[0] for name in set(sys.modules) - before}}))
print(*sorted(name for name in set(sys.modules) - before if name.startswith("compact_proofs.")))
"""


def test_importing_the_package_loads_only_what_is_asked_for() -> None:
    program = "import sys, compact_proofs as cp; assert 'torch' not in sys.modules; cp.BadInput; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_public_name_is_found_where_the_stub_says() -> None:
    assert set(cp.__all__) == {name for name in dir(cp) if not name.startswith("_")}
    assert [name for name in cp.__all__ if getattr(cp, name, None) is None] == []


@pytest.mark.parametrize("module", ["compact_proofs.core.prove", "compact_proofs.tasks"])
def test_an_import_loads_no_more_than_it_needs(module: str) -> None:
    done = subprocess.run([sys.executable, "-c", LOADED.format(module=module)], capture_output=True, text=True, check=True)
    packages, own = (line.split() for line in done.stdout.splitlines())
    assert {name for name in packages if name not in sys.stdlib_module_names and not name.startswith("_")} - NEEDED == set()
    for part in ("report", "cli", "sweep"):
        assert [name for name in own if name.split(".")[1] == part] == []
    assert "compact_proofs.core.strategy" in own


def test_importing_the_tasks_makes_no_group() -> None:
    """Recipes of the zoo are made when they are called: S5 has 120 elements to multiply."""
    program = "import compact_proofs.tasks; from compact_proofs.algebra.group import group_named as g; print(g.cache_info().misses)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
