"""``compact-proofs zoo``: the models that ship."""

from __future__ import annotations

from typing import Any

from compact_proofs.cli.models import true_accuracy
from compact_proofs.cli.output import Json, options_text, say, show_table, table, write_json


def zoo(as_json: Json = False) -> None:
    """List the trained models that ship with the package.

    Each name can be given wherever a command asks for a MODEL. The sampled accuracy was measured after training on
    fresh random inputs; the true accuracy is exact, over all inputs, where somebody has counted it. The SHA-256 of the
    weights is the one that certificates name.

    **Example:** compact-proofs zoo; compact-proofs prove max-of-4-seed-123
    """
    from compact_proofs import zoo as models
    from compact_proofs.inputs.task import LAW
    from compact_proofs.models.files import weights_sha256
    from compact_proofs.tasks import load_model

    found: list[dict[str, Any]] = []
    for name in models.names():
        loaded = load_model(models.path(name))
        accuracy = true_accuracy(loaded)
        found.append(
            {
                "name": name,
                "task": loaded.task.name,
                "sizes": loaded.task.parameters(),
                "weights": sum(p.numel() for p in loaded.model.parameters()),
                "sampled_accuracy": loaded.metadata.get("final", {}).get("accuracy"),
                "true_accuracy": None if accuracy is None else float(accuracy),
                "sha256": weights_sha256(loaded.model),
            }
        )
    if as_json:
        write_json({"models": found})
        return
    numbers = ("sampled", "true")
    shown = table("name", "task", "sizes", *numbers, "sha256", right=numbers, wrap="sizes")
    for m in found:
        accuracies = ("-" if m[key] is None else f"{m[key]:.7f}" for key in ("sampled_accuracy", "true_accuracy"))
        shown.add_row(
            m["name"],
            m["task"],
            options_text({name: size for name, size in m["sizes"].items() if name != LAW}),
            *accuracies,
            m["sha256"][:8],
        )
    show_table(shown)
    say("\nsampled: accuracy on a random sample; true: over all inputs, where it was counted")
    say("Prove something about one of them: compact-proofs prove NAME")
