"""What a worker does: one unit of work, from plain data to plain data; if its process dies, nothing else is harmed."""

from __future__ import annotations

import json
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import nn

from compact_proofs.core.certificate import Certificate
from compact_proofs.core.prove import prove
from compact_proofs.core.strategy import explanation_size
from compact_proofs.errors import BadInput, CompactProofsError
from compact_proofs.files.objects import is_object
from compact_proofs.inputs.task import Task
from compact_proofs.models.files import model_bytes, read_model_bytes, weights_sha256
from compact_proofs.models.loading import load_network
from compact_proofs.sweep.plan import canonical, content_sha256, own_sources, strategy
from compact_proofs.tasks import KITS, LoadedModel, load_model
from compact_proofs.workers import one_at_a_time


@dataclass(frozen=True)
class ModelJob:
    """Train a model by a recipe (JSON), or read it from a file, or an object of one's own file, whose content was hashed."""

    key: str
    task: str
    recipe: str | None
    path: str | None
    content: str | None


@dataclass(frozen=True)
class ProofJob:
    """Prove a bound of a model, given as the bytes of a .safetensors file; of one's own also by where its code is."""

    key: str
    task: str
    path: str | None
    content: str | None
    weights: bytes
    model_sha256: str
    strategy: str
    version: int
    options: str
    keep_certificate: bool = False


Job: TypeAlias = ModelJob | ProofJob


@dataclass(frozen=True)
class Outcome:
    """What became of a unit.

    Attributes
    ----------
    key
        Of the unit.
    row
        Values for the columns of its row.
    error
        Why it failed, or None.
    certificate
        The bytes of the certificate, if it was asked for.
    """

    key: str
    row: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    certificate: bytes | None = None


def work(job: Job) -> Outcome:
    """Do one unit on one thread; an exception becomes a failed outcome."""
    with one_at_a_time:
        torch.set_num_threads(1)
        try:
            done = _model(job) if isinstance(job, ModelJob) else _proof(job)
        except CompactProofsError as e:
            return Outcome(job.key, error=str(e))
        except Exception as e:
            return Outcome(job.key, error=f"{type(e).__name__}: {e}\n{traceback.format_exc()}")
    done.row["package_version"] = version("compact-proofs")
    return done


def _model(job: ModelJob) -> Outcome:
    started = time.perf_counter()
    loaded = _trained(job) if job.path is None else _read(job.path, job.task, job.content)
    model, metadata = loaded.model, loaded.metadata
    sampled, config = metadata.get("final"), metadata.get("config")
    accuracy = sampled.get("accuracy") if isinstance(sampled, dict) else None
    seed = config.get("seed") if isinstance(config, dict) else None
    row = {
        "parameters": canonical(loaded.task.parameters()),
        "seed": seed if isinstance(seed, int) else None,
        "weights": model_bytes(model, {"task": loaded.task.name}),
        "metadata": json.dumps(metadata),
        "measures": canonical(dict(loaded.kit.measures(model))),
        "model_sha256": weights_sha256(model),
        "sampled_accuracy": float(accuracy) if isinstance(accuracy, (int, float)) else None,
        "seconds": time.perf_counter() - started,
    }
    return Outcome(job.key, row)


def _trained(job: ModelJob) -> LoadedModel:
    kit = KITS[job.task]
    recipe = json.loads(job.recipe or "{}")
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in recipe.items()}
    result = kit.train(kit.recipe(**values))
    return LoadedModel(job.task, result.model, kit.task_of(result.model), kit, result.metadata())


def _read(path: str, task: str, content: str | None) -> LoadedModel:
    if content_sha256(*own_sources(path, task)) != content:
        raise BadInput(f"{path}: the file, or what it imports, has changed since the sweep was planned; run the sweep again")
    return load_model(path, task)


def _stored(job: ProofJob) -> tuple[nn.Module, Task]:
    """The model with the weights in the store, whatever a network of one's own makes of its numbers today."""
    weights, declared = read_model_bytes(job.weights)
    if job.path is not None and is_object(job.task):
        loaded = _read(job.path, job.task, job.content)
        loaded.model.load_state_dict(weights)
        if weights_sha256(loaded.model) != job.model_sha256:
            raise BadInput(f"{job.path}: it makes a network with other numbers each time, beside its state_dict; save them there")
        return loaded.model, loaded.task
    kit = KITS[job.task]
    in_older_stores = {"architecture": kit.architectures[0].architecture}  # which do not name it: each task had one
    model = load_network(weights, declared or in_older_stores, "the model in the store")
    return model, kit.task_of(model)


def _proof(job: ProofJob) -> Outcome:
    model, task = _stored(job)
    chosen = strategy(job.task, job.strategy, json.loads(job.options))
    if chosen.version != job.version:
        raise BadInput(
            f"the plan asks for version {job.version} of {chosen.name}, this program has version {chosen.version}; "
            "run the sweep with its plan to prove by that"
        )
    proven = prove(model, task, chosen)
    length = proven.length.to_json()
    dimension = proven.unexplained_dimension
    row = {
        "numerator": str(proven.claim.numerator),
        "denominator": str(proven.claim.denominator),
        "bound": float(proven.bound),
        "flops": length["flops"],
        "int_ops": length["int_ops"],
        "length": length["total"],
        "by_category": canonical(length["by_category"]),
        "by_stage": canonical(length["by_stage"]),
        "unexplained_dimension": None if dimension is None else str(dimension),
        "explanation_size": explanation_size(proven.explanation),
        "reading": proven.reading,
        "seconds": proven.seconds,
    }
    return Outcome(job.key, row, certificate=_bytes(proven) if job.keep_certificate else None)


def _bytes(certificate: Certificate) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return certificate.save(Path(folder) / "certificate").read_bytes()
