"""What a sweep is to do: models x strategies, as units of work with keys that depend on nothing but their content."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError

from compact_proofs import zoo
from compact_proofs.core.code import imported_files
from compact_proofs.core.strategy import Strategy
from compact_proofs.errors import BadInput, meant
from compact_proofs.files.documents import Strict
from compact_proofs.files.objects import is_object
from compact_proofs.files.untrusted import parse_json
from compact_proofs.tasks import kit_named
from compact_proofs.tasks.kit import ProofKit, TaskKit

SCHEMA = 3
"""Version of the units' keys and of the store's tables."""

MOST_SEEDS = 1_000_000


@dataclass(frozen=True)
class ModelUnit:
    """A model to be trained by a recipe, or to be read from a file.

    Attributes
    ----------
    task
        The name of its task, or ``file.py:name``, absolute, of one's own.
    recipe
        Every field of the task's recipe, as JSON; None for a file.
    path
        The file, or ``file.py:name``, absolute; None for a recipe.
    """

    task: str
    recipe: str | None
    path: str | None = None
    content: str | None = None
    """SHA-256 of the files and what they import, so that others under the same names are another model (`content_sha256`)."""

    @property
    def key(self) -> str:
        """Hash of what determines the model."""
        return model_key(self.task, self.recipe, self.path, self.content)


@dataclass(frozen=True)
class ProofUnit:
    """A proof of one model by one strategy with all its options (JSON)."""

    model: ModelUnit
    strategy: str
    version: int
    options: str

    @property
    def key(self) -> str:
        """Hash of what determines the proof, the strategy's version among it."""
        return proof_key(self.model.key, self.strategy, self.version, self.options)


@dataclass(frozen=True)
class Plan:
    """Proofs to be made; the models to be trained follow from them.

    Attributes
    ----------
    proofs
        In the order in which they are tried, each once. ``plan + plan`` does both.
    """

    proofs: tuple[ProofUnit, ...]

    @property
    def models(self) -> tuple[ModelUnit, ...]:
        """The models of the proofs, each once."""
        return tuple(dict.fromkeys(proof.model for proof in self.proofs))

    def __add__(self, other: Plan) -> Plan:
        return Plan(tuple(dict.fromkeys(self.proofs + other.proofs)))

    @classmethod
    def grid(
        cls,
        strategies: Iterable[Strategy],
        *,
        task: str = "max-of-k",
        seeds: Iterable[int] = (),
        recipe: Mapping[str, Any] | None = None,
        files: Iterable[str | Path] = (),
    ) -> Plan:
        """Combine every model with every strategy.

        Parameters
        ----------
        strategies
            For example ``[Cubic(), Additive(window=4, groups=2)]``.
        task
            Of the models: its name, or ``file.py:name`` of one's own.
        seeds
            One model is trained for each, and for each combination of the recipe's values.
        recipe
            Fields of the task's recipe (``{"n_ctx": 4, "d_vocab": [32, 64]}``); a list holds values to combine. What is not
            given is as published.
        files
            Models to be read: files of weights, names of the zoo, or, for a task of one's own, ``file.py:name``.

        Raises
        ------
        BadInput
            If there is no such task, field of the recipe, or file, or nothing to prove.
        """
        kit = kit_named(task)
        task = _absolute(task)
        recipe = dict(recipe or {})
        names = list(recipe)
        several = [value if isinstance(value, list) else [value] for value in recipe.values()]
        models = [
            ModelUnit(task, recipe_json(_trained(kit), dict(zip(names, values, strict=True)) | {"seed": seed}))
            for values in itertools.product(*several)
            for seed in seeds
        ]
        models += [_file_unit(task, file) for file in files]
        chosen = [(s.name, s.version, canonical(s.options())) for s in strategies]
        proofs = (ProofUnit(model, *strategy) for model in models for strategy in chosen)
        plan = cls(tuple(dict.fromkeys(proofs)))
        if not plan.proofs:
            raise BadInput("the sweep has nothing to prove: it needs at least one seed or model, and one strategy")
        return plan

    @classmethod
    def read(cls, path: str | Path) -> Plan:
        """Read a plan from a .toml or .json file.

        It holds a list ``part``, each with ``strategies`` and any of ``task``, ``seeds``, ``recipe`` and ``files``, as for
        `grid`; seeds may be written "0-39"; paths are relative to the file:

            [[part]]
            seeds = "0-39"
            recipe = {n_ctx = 4, d_vocab = 64}
            strategies = [{name = "cubic"}, {name = "additive", window = 4, groups = 2}]

        Raises
        ------
        BadInput
            Naming what is wrong in which part.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
            document = _PlanFile.model_validate(parse_json(text) if path.suffix == ".json" else tomllib.loads(text))
        except OSError as e:
            raise BadInput(f"{path}: the plan cannot be read ({e.strerror})") from None
        except ValidationError as e:
            first = e.errors()[0]
            raise BadInput(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        except ValueError as e:
            raise BadInput(f"{path}: the plan is not {'JSON' if path.suffix == '.json' else 'TOML'}: {e}") from None
        plans = [part.plan(path.parent) for part in document.part]
        return sum(plans[1:], start=plans[0])


class _Part(Strict):
    task: str = "max-of-k"
    seeds: str | list[int] = Field(default_factory=list)
    recipe: dict[str, Any] = Field(default_factory=dict)
    files: list[str] = Field(default_factory=list)
    strategies: list[dict[str, Any]]

    def plan(self, folder: Path) -> Plan:
        seeds = parse_seeds(self.seeds) if isinstance(self.seeds, str) else self.seeds
        files = [f if f in zoo.names() else folder / f for f in self.files]
        task = str(folder / self.task) if is_object(self.task) else self.task
        strategies = [strategy(task, s.get("name", ""), {**s, "name": None}) for s in self.strategies]
        return Plan.grid(strategies, task=task, seeds=seeds, recipe=self.recipe, files=files)


class _PlanFile(Strict):
    part: Annotated[list[_Part], Field(min_length=1)]


def strategy(task: str, name: str, options: Mapping[str, Any]) -> Strategy:
    """Build a registered strategy from its name and untrusted options; an option that is None is not given.

    Raises
    ------
    BadInput
        If there is no such task, strategy or option.
    """
    known = {s.name: s for s in kit_named(task).strategies}
    if name not in known:
        raise BadInput(
            f"{task} has no strategy {name!r}{meant(name, known)}; it has {', '.join(known)} (see compact-proofs strategies)"
        )
    return known[name].from_options({key: value for key, value in options.items() if value is not None})


def parse_seeds(text: str) -> list[int]:
    """Read "0-39" or "1,5,7-9" as a list of seeds.

    Raises
    ------
    BadInput
        If the text is not of this form.
    """
    found: dict[int, None] = {}
    for piece in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,15})\s*(?:-\s*(\d{1,15})\s*)?", piece)
        if not match:
            raise BadInput(f"seeds {text!r} are not of the form 0-39 or 1,5,7-9")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < first + MOST_SEEDS:
            raise BadInput(f"seeds {piece.strip()!r}: the range is empty or holds more than {MOST_SEEDS:,}")
        found |= dict.fromkeys(range(first, last + 1))
    return list(found)


def recipe_json(kit: TaskKit, given: Mapping[str, Any]) -> str:
    """Complete a recipe with the published values, check it, and write it as canonical JSON.

    Raises
    ------
    BadInput
        For an unknown field or a value without meaning.
    """
    types = get_type_hints(kit.recipe)
    known = [f.name for f in fields(kit.recipe)]
    values = {}
    for name, value in given.items():
        if name not in known:
            raise BadInput(f"the recipe of {kit.name} has no field {name!r}; it has {', '.join(known)}")
        try:
            values[name] = TypeAdapter(types[name]).validate_python(value)
        except ValidationError as e:
            raise BadInput(f"recipe of {kit.name}: {name} = {str(value)[:40]!r}: {e.errors()[0]['msg']}") from None
    return canonical(asdict(kit.recipe(**values)))


def canonical(value: Any) -> str:
    """Write JSON in the one way that keys are made from."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def model_key(task: str, recipe: str | None, path: str | None, content: str | None) -> str:
    """The key of a `ModelUnit`: files count by their names without the folder, and by what is in them."""
    return _key("model", Path(task).name, recipe, path and Path(path).name, content)


def proof_key(model: str, strategy: str, version: int, options: str) -> str:
    """The key of a `ProofUnit`, from its model's key."""
    return _key("proof", model, strategy, version, options)


def _key(*content: Any) -> str:
    return hashlib.sha256(canonical([SCHEMA, *content]).encode()).hexdigest()


def content_sha256(*sources: str) -> str:
    """SHA-256 of the bytes of files; of ``file.py:name``, those of that file and of what it imports from its folder.

    Raises
    ------
    BadInput
        If one cannot be read.
    """
    digest = hashlib.sha256()
    for source in sources:
        path = _file_of(source).resolve()
        try:
            digest.update(path.read_bytes())
            for other in imported_files(path) if is_object(source) else ():
                digest.update(other.relative_to(path.parent).as_posix().encode())
                digest.update(hashlib.sha256(other.read_bytes()).digest())
        except OSError as e:
            raise BadInput(f"{source}: the model cannot be read ({e.strerror})") from None
    return digest.hexdigest()


def own_sources(path: str, task: str) -> tuple[str, ...]:
    """The files that determine a model which is read: its own, and that of a task of one's own."""
    return (path, task) if is_object(task) else (path,)


def _trained(kit: ProofKit) -> TaskKit:
    if not isinstance(kit, TaskKit):
        raise BadInput(f"{kit.name}: a task of one's own has no recipe to train networks by; give some, by --model FILE.py:NAME")
    return kit


def _file_unit(task: str, source: str | Path) -> ModelUnit:
    path = str(source)
    if not _file_of(path).exists() and path in zoo.names():
        path = str(zoo.path(path))
    path = _absolute(path) if is_object(path) else str(Path(path).resolve())
    return ModelUnit(task, None, path, content_sha256(*own_sources(path, task)))


def _file_of(source: str) -> Path:
    return Path(source.rpartition(":")[0] if is_object(source) else source)


def _absolute(source: str) -> str:
    """The absolute form of ``file.py:name``; what is not of that form stays."""
    return f"{_file_of(source).resolve()}:{source.rpartition(':')[2]}" if is_object(source) else source
