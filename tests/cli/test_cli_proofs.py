"""Training, proving, checking and the frontier, from the command line, on a tiny model."""

from __future__ import annotations

import itertools
import json
import os
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import schemas
from forging import forge

from compact_proofs import zoo
from compact_proofs.core import prove as core
from compact_proofs.core.certificate import Certificate
from compact_proofs.core.prove import prove
from compact_proofs.search import autopilot
from compact_proofs.tasks import KITS, LoadedModel
from compact_proofs.tasks.max_of_k import Additive

TINY = ("--n-ctx", 2, "--d-vocab", 5, "--d-model", 4, "--steps", 20, "--evaluation-samples", 100)
QUICK = ("--effort", 0.01)


@pytest.fixture
def npz(tiny: LoadedModel, tmp_path: Path) -> Path:
    """The same weights in the format of the published models, without any metadata."""
    file = tmp_path / "published.npz"
    np.savez(file, **{name: p.detach().numpy() for name, p in tiny.model.named_parameters()})
    return file


def proof(result: Any) -> schemas.Proven:
    return schemas.Proven.model_validate_json(result.stdout)


# train


def test_train_is_reproducible(run: Any) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        text = run("train", "max-of-k", "-o", f"{name}.safetensors", "--seed", seed, *TINY).stdout
        assert f"Written to {name}.safetensors and {name}.json." in text
        assert "on 100 fresh inputs" in text
    a, b, c = (json.loads(Path(f"{name}.json").read_text()) for name in "abc")
    assert a["weights_sha256"] == b["weights_sha256"] != c["weights_sha256"]
    assert (a["config"]["n_ctx"], a["config"]["d_vocab"], a["config"]["seed"]) == (2, 5, 3)
    assert proof(run("prove", "a.safetensors", "--json")).model_sha256 == a["weights_sha256"]


def test_train_replaces_only_by_force(run: Any) -> None:
    run("train", "max-of-k", "-o", "m.safetensors", *TINY)
    before = Path("m.safetensors").read_bytes()
    result = run("train", "max-of-k", "-o", "m.safetensors", "--seed", 1, *TINY, code=2)
    assert "m.safetensors exists already; choose another name, or --force to replace it" in result.stderr
    assert Path("m.safetensors").read_bytes() == before
    run("train", "max-of-k", "-o", "m.safetensors", "--seed", 1, "--force", *TINY)
    assert Path("m.safetensors").read_bytes() != before


def test_train_keeps_a_readme_beside_the_model(run: Any) -> None:
    Path("m.json").write_text("{}")
    assert "m.json exists already" in run("train", "max-of-k", "-o", "m.safetensors", *TINY, code=2).stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("-o", "m.pt"), "m.pt: models are saved as .safetensors; change the file name's ending"),
        (("-o", "folder.safetensors"), "folder.safetensors is a folder; give the name of a file in it"),
        (("-o", "file/m.safetensors"), "file: it is not a folder; choose another place"),
        (("-o", "file/sub/m.safetensors"), "file/sub: it cannot be made, since file is not a folder; choose another place"),
        (("-o", "m.safetensors", "--steps", "0"), "steps must be at least 1, not 0"),
        (("-o", "m.safetensors", "--d-vocab", "1"), "d_vocab = 1: Max-of-K needs at least 2 tokens"),
        (("-o", "m.safetensors", "--learning-rate", "nan"), "learning_rate must be a finite number, not nan"),
        (("-o", "m.safetensors", "--steps", "many"), "Invalid value for '--steps'"),
        ((), "Missing option '--output'"),
    ],
)
def test_train_refuses_before_it_starts(run: Any, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], reason: str) -> None:
    Path("folder.safetensors").mkdir()
    Path("file").touch()
    monkeypatch.setattr("compact_proofs.train.fit", None)
    assert reason in run("train", "max-of-k", *arguments, code=2).stderr


# prove


def test_prove_says_what_is_proven(run: Any, tiny_file: Path) -> None:
    result = run("prove", tiny_file, "-s", "cubic")
    found = re.search(r"is at least (\d+)/512 = (0\.\d{7})(\.\.\.)?, where M is the real-valued function", result.stdout)
    assert found
    assert Fraction(found[2]) <= Fraction(int(found[1]), 512) < Fraction(found[2]) + Fraction(1, 10**7)
    for words in ("Theorem. For x uniform", "max-of-k (d_vocab = 8, n_ctx = 3)", "FLOPs and", "integer operations"):
        assert words in result.stdout
    for stage in ("Where the length goes", "QK", "OV", "counting"):
        assert stage in result.stdout
    assert "estimate" not in result.stdout.lower()


@pytest.mark.parametrize("source", ["tiny_file", "npz"])
def test_prove_json(run: Any, request: pytest.FixtureRequest, source: str) -> None:
    file = request.getfixturevalue(source)
    task = ("--task", "max-of-k") if source == "npz" else ()
    found = proof(run("prove", file, *task, "-s", "additive", "-O", "window=3", "-O", "groups=3", "--json"))
    assert (found.strategy, found.options) == ("additive", Additive(window=3, groups=3).options())
    assert found.bound == int(found.numerator) / int(found.denominator)
    assert found.denominator == "512"
    assert found.length.flops + found.length.int_ops == found.length.total == sum(found.length.by_stage.values())
    assert found.length.total == sum(found.length.by_category.values())
    assert (found.explanation_size, found.reading, found.true_accuracy) == (8, "sound", None)


def test_brute_force_gives_the_true_accuracy(run: Any, tiny_file: Path) -> None:
    found = proof(run("prove", tiny_file, "-s", "brute-force", "--json"))
    assert found.true_accuracy == found.bound
    assert "true accuracy" in run("prove", tiny_file, "-s", "brute-force").stdout


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"numerator": "500", "denominator": "512"}, 500 / 512),
        ({"numerator": 500, "denominator": 512}, 500 / 512),
        ({"numerator": 1, "denominator": 0}, None),
        ({"numerator": 3, "denominator": 2}, None),
        ({"numerator": "x"}, None),
        ("0.9", None),
        (None, None),
    ],
)
def test_true_accuracy_from_the_metadata(run: Any, npz: Path, given: Any, expected: float | None) -> None:
    npz.with_suffix(".json").write_text(json.dumps({"task": "max-of-k", "true_accuracy": given}))
    assert proof(run("prove", npz, "-s", "cubic", "--json")).true_accuracy == expected


def test_default_strategy(run: Any, tiny_file: Path) -> None:
    result = run("prove", tiny_file)
    assert "Strategy: additive, the default for this model." in result.stderr
    result = run("prove", tiny_file, "-O", "groups=2", "--json")
    assert proof(result).options == Additive(groups=2).options()
    run("train", "max-of-k", "-o", "long.safetensors", *TINY, "--n-ctx", 5)
    assert proof(run("prove", "long.safetensors", "--json")).options["counting"] == "grid"


def test_float_reading_is_labelled(run: Any, tiny_file: Path) -> None:
    result = run("prove", tiny_file, "--reading", "float")
    assert "ESTIMATE, NOT A PROOF" in result.stdout
    assert "Theorem" not in result.stdout
    assert proof(run("prove", tiny_file, "--reading", "float", "--json")).reading == "float"
    for extra in (("-o", "proof.cert"), ("--at-least", "0.5")):
        assert "a float reading is an estimate" in run("prove", tiny_file, "--reading", "float", *extra, code=2).stderr
    assert not Path("proof.cert").exists()


def test_at_least_compares_exactly(run: Any, tiny_file: Path) -> None:
    found = proof(run("prove", tiny_file, "-s", "cubic", "--json"))
    exact = f"{found.numerator}/{found.denominator}"
    more = f"{found.numerator}000000000000000001/{found.denominator}000000000000000000"
    assert float(Fraction(more)) == found.bound
    run("prove", tiny_file, "-s", "cubic", "--at-least", exact)
    result = run("prove", tiny_file, "-s", "cubic", "--at-least", more, "--json", "-o", "proof.cert", code=1)
    assert "Not proven: the bound is below" in result.stderr
    assert proof(result).numerator == found.numerator
    run("check", "proof.cert", tiny_file)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("nowhere",), "nowhere is neither a file nor a model of the zoo; compact-proofs zoo lists them"),
        (("nowhere.safetensors",), "nowhere.safetensors: there is no such file"),
        (("folder",), "folder is a folder; give the file with the weights"),
        (("junk.safetensors",), "junk.safetensors: it is damaged or not a .safetensors file"),
        (("TINY", "-s", "telepathy"), "no strategy 'telepathy'; it has brute-force, linear, cubic"),
        (("TINY", "-s", "aditive"), "max-of-k has no strategy 'aditive' (did you mean additive?); it has brute-force"),
        (("TINY", "-O", "gruops=1"), "additive has no option 'gruops' (did you mean groups?); its options are window"),
        (("TINY", "--task", "max-ofk"), "the task 'max-ofk' is not known (did you mean max-of-k?); known are max-of-k"),
        (("TINY", "-O", "bogus=1"), "has no option 'bogus'; its options are window: int >= 1 = 6, groups: int >= 1 = 4"),
        (("TINY", "-O", "window=wide"), "additive: window must be a valid integer, not 'wide'"),
        (("TINY", "-O", "window=0"), "additive: window must be at least 1, not 0"),
        (("TINY", "-O", "window"), "--option 'window' is not of the form key=value"),
        (("TINY", "-s", "cubic", "-O", "window=1"), "cubic has no option 'window'; it has no options"),
        (("TINY", "--at-least", "99"), "--at-least 99 is more than 1; an accuracy of 99 % is written 0.99"),
        (("TINY", "-o", "folder"), "folder is a folder; give the name of a file in it"),
        (("TINY", "-o", "junk.safetensors/x"), "junk.safetensors: it is not a folder"),
        (("TINY", "-o", "TINY"), "is the file that is read; write the result elsewhere"),
        (("TINY", "--reading", "loud"), "Invalid value for '--reading'"),
    ],
)
def test_prove_refuses_before_it_starts(
    run: Any, tiny_file: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], reason: str
) -> None:
    Path("folder").mkdir()
    Path("junk.safetensors").write_bytes(b"junk")
    monkeypatch.setattr(Additive, "verify", None)
    result = run("prove", *(str(tiny_file) if a == "TINY" else a for a in arguments), code=2)
    assert reason in result.stderr
    assert result.stdout == ""


def test_folders_without_permission(run: Any, tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    for arguments in (("prove", tiny_file, "-o", "proof.cert"), ("frontier", tiny_file, "-o", "report")):
        assert "nothing can be written in this folder" in run(*arguments, code=2).stderr


# check


def test_prove_then_check(run: Any, tiny_file: Path, npz: Path) -> None:
    result = run("prove", tiny_file, "-o", "sub/proof.cert")
    assert f"check it by: compact-proofs check sub/proof.cert {tiny_file}" in result.stderr
    for model in ((tiny_file,), (npz, "--task", "max-of-k")):
        text = run("check", "sub/proof.cert", *model).stdout
        assert "Accepted: the certificate proves its claim for this model." in text
        assert "Theorem. For x uniform" in text
    found = schemas.Check.model_validate_json(run("check", "sub/proof.cert", tiny_file, "--json").stdout)
    assert found.accepted
    assert found.claim
    assert found.proof
    assert (found.claim.numerator, found.reason) == (found.proof.numerator, None)


def test_a_weaker_claim_is_accepted_as_such(run: Any, tiny_file: Path, tiny_certificate: Certificate) -> None:
    forge(tiny_certificate, Path("weak.cert"), lambda d, t: d["claim"].update(numerator="100"))
    text = run("check", "weak.cert", tiny_file).stdout
    assert "is at least 100/512 = 0.1953125, where" in text
    assert f"The same proof gives more than is claimed: {tiny_certificate.claim.numerator}/512" in text
    found = schemas.Check.model_validate_json(run("check", "weak.cert", tiny_file, "--json").stdout)
    assert found.claim
    assert found.claim.bound == 100 / 512


def test_tampered_certificates_are_rejected(run: Any, tiny_file: Path, tiny_certificate: Certificate) -> None:
    path = Path("proof.cert")
    forge(tiny_certificate, path, lambda d, t: d["claim"].update(numerator="512"))
    result = run("check", path, tiny_file, code=1)
    assert result.stdout == ""
    assert "Rejected: proof.cert: the claimed bound 512/512 is not proven; " in result.stderr

    forge(tiny_certificate, path, lambda d, t: d["claim"].update(numerator="512"), repair=False)
    result = run("check", path, tiny_file, "--json", code=1)
    found = schemas.Check.model_validate_json(result.stdout)
    assert (found.accepted, found.claim, found.proof) == (False, None, None)
    assert found.reason == "the certificate was edited after it was written (its digest does not match)"

    path.write_bytes(tiny_certificate.save(path).read_bytes()[:-10])
    assert "Rejected: proof.cert: truncated" in run("check", path, tiny_file, code=1).stderr
    path.write_bytes(b"")
    assert "Rejected: proof.cert: the file is empty" in run("check", path, tiny_file, code=1).stderr

    tiny_certificate.save(path)
    result = run("check", path, "max-of-4-seed-123", code=1)
    assert "it is about max-of-k {'d_vocab': 8, 'n_ctx': 3}, not about" in result.stderr


def test_check_of_no_file_is_wrong_use(run: Any, tiny_file: Path, tmp_path: Path) -> None:
    assert "nowhere.cert: there is no such file; give a certificate" in run("check", "nowhere.cert", tiny_file, code=2).stderr
    assert "not a file; give a certificate" in run("check", tmp_path, tiny_file, code=2).stderr
    assert "neither a file nor a model of the zoo" in run("check", tiny_file, "nowhere", code=2).stderr


# frontier


def test_explain(run: Any, tiny_file: Path) -> None:
    one = run("explain", tiny_file).stdout
    assert "recursive max row diff" in one
    assert "Where the bound is lost" in one
    tables = json.loads(run("explain", tiny_file, tiny_file, "--json").stdout)
    residuals = next(s for s in tables["tables"] if s["name"] == "residuals")
    assert residuals["headings"][1:3] == ["value, mean", "sd"]
    assert all(row[1][1] == 0 for row in residuals["rows"])  # the same model twice
    losses = next(s for s in tables["tables"] if s["name"] == "losses")
    bounds = [row[1][0] for row in losses["rows"]]
    assert bounds[0] == max(bounds)


def test_the_autopilot_keeps_to_a_budget(run: Any, tiny_file: Path) -> None:
    short = proof(run("prove", tiny_file, "--min-bound", "0.2", *QUICK, "--json"))
    assert short.bound >= 0.2
    everything = ("--effort", 30)  # for all that may be tried, which takes a few seconds
    best = proof(run("prove", tiny_file, "--max-length", short.length.total + 1, *everything, "--json"))
    assert best.length.total <= short.length.total + 1
    assert best.bound > 0
    assert "nothing that was tried fits" in run("prove", tiny_file, "--max-length", 10, *QUICK, code=1).stderr
    assert "leave out --strategy" in run("prove", tiny_file, "--max-length", 10, "-s", "cubic", code=2).stderr


def test_train_and_finetune_json(run: Any, tiny_file: Path) -> None:
    made = schemas.Trained.model_validate_json(run("train", "max-of-k", "-o", "m.safetensors", *TINY, "--json").stdout)
    assert (made.task, made.parameters, made.output) == ("max-of-k", {"d_vocab": 5, "n_ctx": 2}, "m.safetensors")
    assert made.recipe["steps"] == 20
    assert proof(run("prove", made.output, "--json")).model_sha256 == made.model_sha256
    few = ("--steps", 20, "--hard-steps", 10, "--rank", 2, "--evaluation-samples", 500)
    tuned = schemas.Tuned.model_validate_json(run("finetune", "max-of-k", tiny_file, "-o", "t.safetensors", *few, "--json").stdout)
    assert tuned.distance > 0
    assert proof(run("prove", tuned.output, "--json")).model_sha256 == tuned.model_sha256


@pytest.mark.parametrize("task", [kit.name for kit in KITS.values() if kit.tuning is not None])
def test_finetune_of_another_tasks_model(run: Any, task: str) -> None:
    other = next(kit for kit in KITS.values() if kit.name != task)
    model = next(iter(zoo.names(other.name)))
    result = run("finetune", task, model, "-o", "t.safetensors", code=2)
    assert f"and the proofs of {task} are for " in result.stderr
    assert not Path("t.safetensors").exists()


def test_unmet_bounds_are_not_proven(run: Any, tiny_file: Path) -> None:
    """Whichever option asks for a bound: the exit code is 1, as for a claim that failed."""
    for options in (("--at-least", "1"), ("--min-bound", "1", *QUICK), ("--max-length", 2, *QUICK)):
        assert "Not proven: " in run("prove", tiny_file, *options, code=1).stderr


def test_finetune(run: Any, tiny_file: Path) -> None:
    few = ("--steps", 20, "--hard-steps", 10, "--rank", 2, "--evaluation-samples", 500)
    result = run("finetune", "max-of-k", tiny_file, "-o", "tuned.safetensors", *few)
    assert "This is another network" in result.stdout
    assert proof(run("prove", "tuned.safetensors", "--json")).bound >= 0
    assert "steps must be at least 1" in run("finetune", "max-of-k", tiny_file, "-o", "t.safetensors", "--steps", 0, code=2).stderr


def test_frontier(run: Any, tiny_file: Path) -> None:
    result = run("frontier", tiny_file, "-o", "out/report", "--with-brute-force", *QUICK, "--json")
    found = schemas.Frontier.model_validate_json(result.stdout)
    best = [p for p in found.proofs if p.on_frontier]
    assert len(best) > 1
    for before, after in itertools.pairwise(best):
        assert (before.bound, before.length.total) < (after.bound, after.length.total)
    (everything,) = (p for p in found.proofs if p.strategy == "brute-force")
    assert all(p.true_accuracy == everything.bound for p in found.proofs)
    assert found.linear_baseline
    assert found.linear_baseline.bound == everything.bound

    assert found.report == "out/report/index.html"
    page = Path(found.report).read_text()
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//|@import|url\(["']?http""", page)
    assert all(p.numerator in page for p in best)
    assert list(Path("out/report").glob("*.png"))
    certificates = list(Path("out/report").glob("*.cert"))
    assert len(certificates) == len(best)
    for certificate in certificates:
        run("check", certificate, tiny_file)
        assert f'href="{certificate.name}"' in page
    assert "compact-proofs check FILE.cert" in page
    assert "[l_y &gt; l_j for all j != y]" in page
    assert "W_E" in page[page.index('<section id="program"') :]  # the function, operation by operation
    compared = json.loads(run("compare", "out/report", "--json").stdout)
    (line,) = compared["reports"]
    assert line["best_bound"] == float(best[-1].bound)
    assert line["lengths"]["0.999"] == next(p.length.total for p in best if p.bound >= 0.999 * everything.bound)
    assert Path(compared["page"]).exists()
    run("compare", "out/report", code=2)  # the folder is there already


def test_frontier_for_a_person(run: Any, tiny_file: Path) -> None:
    result = run("frontier", tiny_file, "--without-brute-force", "--no-save-certificates", *QUICK)
    assert "* on the frontier: no other proof is both shorter and better" in result.stdout
    assert "brute-force" not in result.stdout
    assert f"Report: {Path('frontier-tiny/index.html')}" in result.stdout
    assert Path("frontier-tiny/index.html").exists()
    assert not list(Path("frontier-tiny").glob("*.cert"))


def test_frontier_with_brute_force_where_it_would_not_be_tried(run: Any, tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compact_proofs.tasks.max_of_k.AFFORDABLE", 0)
    monkeypatch.setattr("compact_proofs.report.write_report", lambda data, folder, sections: folder / "index.html")
    names = [p["strategy"] for p in json.loads(run("frontier", tiny_file, *QUICK, "--json").stdout)["proofs"]]
    assert "brute-force" not in names
    result = run("frontier", tiny_file, "--with-brute-force", "--force", *QUICK, "--json")
    assert "Brute force on 512 inputs." in result.stderr
    assert "brute-force" in [p["strategy"] for p in json.loads(result.stdout)["proofs"]]


# many processes, and work that goes on


def test_several_processes_prove_and_check_the_same(run: Any, tiny_file: Path) -> None:
    alone, shared = (
        proof(run("prove", tiny_file, "-s", "brute-force", "-o", f"{jobs}.cert", "--jobs", jobs, "--json")) for jobs in (1, 2)
    )
    assert (alone.numerator, alone.length) == (shared.numerator, shared.length)
    assert json.loads(run("check", "2.cert", tiny_file, "--jobs", 2, "--json").stdout)["accepted"]
    assert "give one of them" in run("prove", tiny_file, "--jobs", 2, "--dask", "tcp://127.0.0.1:1", code=2).stderr
    assert "no Dask scheduler answers" in run("check", "2.cert", tiny_file, "--dask", "nonsense://x", code=2).stderr


def test_a_proof_goes_on_with_what_is_finished(run: Any, tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("prove", tiny_file, "-s", "additive", "--resume", "sub/kept", "--json")
    first = proof(run(*arguments))
    monkeypatch.setattr(Additive, "verify", None)
    monkeypatch.setattr(Additive, "explain", None)
    assert proof(run(*arguments)) == first
    assert "is the file that is read" in run("prove", tiny_file, "--resume", tiny_file, code=2).stderr
    Path("text").write_text("no such file" * 100)
    assert "no file of unfinished work" in run("prove", tiny_file, "--resume", "text", code=2).stderr


def test_a_frontier_goes_on_where_it_was_stopped(run: Any, tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = ("--effort", 0.01, "--polish", 2, "--no-save-certificates")
    arguments = ("frontier", tiny_file, "-o", "out", "--with-brute-force", *quick, "--json")
    whole = schemas.Frontier.model_validate_json(run(*arguments).stdout)
    assert not (Path("out") / "unfinished.sqlite").exists()

    proved: list[str] = []

    def counted(model: Any, task: Any, strategy: Any, **given: Any) -> Certificate:
        if len(proved) == 3:
            raise KeyboardInterrupt
        proved.append(str(strategy))
        return prove(model, task, strategy, **given)

    monkeypatch.setattr(autopilot, "prove", counted)
    stopped = run(*arguments, "--force", code=130)
    assert stopped.stdout == ""
    assert "What is finished is kept; go on with it by: the same command with --resume" in stopped.stderr
    assert "--resume to go on with it, or --force to begin anew" in run(*arguments, code=2).stderr

    estimated, really_run = [], core.run

    def recorded(model: Any, task: Any, strategy: Any, explanation: Any, reading: str, limit: int | None = None) -> Any:
        if reading == "float" and not any(t.is_meta for t in model.parameters()):
            estimated.append(str(strategy))
        return really_run(model, task, strategy, explanation, reading, limit)

    monkeypatch.setattr(autopilot, "prove", prove)
    monkeypatch.setattr(core, "run", recorded)
    found = schemas.Frontier.model_validate_json(run(*arguments, "--resume").stdout)
    assert [(p.strategy, p.options, p.numerator, p.length) for p in found.proofs] == [
        (p.strategy, p.options, p.numerator, p.length) for p in whole.proofs
    ]
    assert estimated == [], "what was estimated is not estimated again"
    assert not (Path("out") / "unfinished.sqlite").exists()
