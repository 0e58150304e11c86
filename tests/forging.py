"""Certificates as an attacker makes them: any document, any tensors, hashes repaired or not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from compact_proofs.core.certificate import Certificate, explanation_sha256

KEY = "compact-proofs"
Document = dict[str, Any]


def read(path: Path) -> tuple[Document, dict[str, Tensor]]:
    with safetensors.safe_open(path, framework="pt") as f:
        return json.loads(f.metadata()[KEY]), {name: f.get_tensor(name).clone() for name in f.keys()}  # noqa: SIM118


def write(path: Path, document: Document | str, tensors: dict[str, Tensor], repair: bool = True, key: str = KEY) -> Path:
    """Write a container; `repair` makes the hashes right, as an attacker can."""
    if repair and not isinstance(document, str):
        document = {**document, "explanation_sha256": explanation_sha256(tensors)}
        document.pop("digest", None)
        document["digest"] = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    text = document if isinstance(document, str) else json.dumps(document)
    path.write_bytes(safetensors.torch.save(tensors, metadata={key: text}))
    return path


def forge(
    certificate: Certificate,
    path: Path,
    change: Callable[[Document, dict[str, Tensor]], Any],
    repair: bool = True,
) -> Path:
    """Save a certificate, let `change` edit its document and tensors in place, and write it again."""
    document, tensors = read(certificate.save(path))
    change(document, tensors)
    return write(path, document, tensors, repair)
