"""How objects of the core are shown: by functions that register themselves, since the core knows no report and no picture."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

PROVIDERS = ("compact_proofs.report.notebook",)
"""Modules that register views, imported when something is to be shown."""

_VIEWS: dict[tuple[type, str], Callable[..., Any]] = {}


def register_view(kind: type, name: str, view: Callable[..., Any]) -> None:
    """Make known how objects of a class (and of its subclasses) are shown in a way that has a name, such as "html"."""
    _VIEWS[kind, name] = view


def show(what: Any, name: str, *arguments: Any, **options: Any) -> Any:
    """Show an object in a way that is registered for its class: ``show(certificate, "html")``."""
    for module in PROVIDERS:
        importlib.import_module(module)
    view = next(_VIEWS[kind, name] for kind in type(what).__mro__ if (kind, name) in _VIEWS)
    return view(what, *arguments, **options)
