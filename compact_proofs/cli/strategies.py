"""``compact-proofs strategies``: the ways to prove that there are."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_type_hints

from compact_proofs.cli.options import field_docs
from compact_proofs.cli.output import Json, say, show_table, table, write_json

if TYPE_CHECKING:
    from compact_proofs.core.strategy import Strategy


def strategies(as_json: Json = False) -> None:
    """List the strategies of each task, with their options and defaults.

    Every strategy proves a true lower bound; they differ in how much they prove and at what length. Options go to
    **prove** as **--option name=value**. A certificate names the strategy's version: it can be checked by a
    program that has the same one.

    **Example:** compact-proofs prove max-of-4-seed-123 --strategy additive --option window=6 --option groups=8
    """
    from compact_proofs.core.registry import kits

    found = [{"task": kit.name, **_describe(strategy)} for kit in kits().values() for strategy in kit.strategies]
    if as_json:
        write_json({"strategies": found})
        return
    for kit in kits().values():
        say(f"{kit.name}: {kit.summary}", style="bold")
        for strategy in (s for s in found if s["task"] == kit.name):
            say(f"\n  {strategy['name']} (version {strategy['version']})", style="cyan")
            say(f"  {strategy['summary']}")
            if strategy["options"]:
                shown = table("   option", "type", "default", "meaning", wrap="meaning")
                for o in strategy["options"]:
                    shown.add_row(f"   {o['name']}", o["type"], str(o["default"]), o["doc"])
                show_table(shown)
        say()


def _describe(strategy: type[Strategy]) -> dict[str, Any]:
    from compact_proofs.options import type_text

    docs, types = field_docs(strategy), get_type_hints(strategy, include_extras=True)
    return {
        "name": strategy.name,
        "version": strategy.version,
        "summary": strategy.summary,
        "options": [
            {"name": f.name, "type": type_text(types[f.name]), "default": f.default, "doc": docs.get(f.name, "")}
            for f in fields(strategy)
        ],
    }
