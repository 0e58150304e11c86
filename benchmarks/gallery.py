"""Pictures of the documentation, from runs: reports of models of the zoo, and the boxes of a task of two tokens.

    python -m benchmarks.gallery [NAME ...]     # make gallery

Each model's report is written into build/gallery, and the pictures named below are copied into docs/gallery.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from matplotlib import colormaps
from matplotlib.patches import Rectangle

from compact_proofs.automatic.boxes.diagram import boxes as boxes_of
from compact_proofs.automatic.boxes.diagram import from_labels
from compact_proofs.report.drawing import INK, PAPER, new_axes, new_figure, settings, to_png
from compact_proofs.sequences import label_function

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "gallery"
REPORTS = ROOT / "build" / "gallery"

MODELS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "max-of-4-seed-123": (("--effort", "0.1"), ("heatmap-evou", "heatmap-eqke")),
    "max-of-10-seed-0": (("--effort", "0.2"), ("frontier",)),
    "induction-6-seed-0": (("--effort", "0.2"), ("frontier",)),
    "induction-6-seed-0-tuned": (("--effort", "0.2"), ("frontier", "heatmap-layer-1", "heatmap-layer-2")),
    "mod-59-mlp-seed-0-tuned": (("--effort", "0.2", "--with-brute-force"), ("frontier",)),
    "s4-seed-0": (("--effort", "0.2", "--with-brute-force"), ("frontier", "heatmap-circuit-0-table", "pairs-margins")),
}
"""For each model, options of its report, and which of the report's pictures are shown."""


def main(names: list[str]) -> None:
    """Make the pictures of the models that are named, of all unless any is."""
    PICTURES.mkdir(exist_ok=True)
    for name in names or [*MODELS, "boxes"]:
        if name == "boxes":
            (PICTURES / "boxes.png").write_bytes(boxes())
            continue
        options, shown = MODELS[name]
        folder = REPORTS / name
        command = [sys.executable, "-m", "compact_proofs", "frontier", name, "--output", str(folder), "--force", *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        for picture in shown:
            shutil.copy(folder / f"{picture}.png", PICTURES / f"{name}-{picture}.png")


def boxes(v: int = 8) -> bytes:
    """The boxes into which automatic proofs divide the pairs of v tokens by their maximum: colours are labels."""
    found = boxes_of(from_labels(label_function("maximum"), 2, v))
    with settings():
        figure = new_figure(4.2, 4.2)
        (axes,) = new_axes(figure)
        for i in range(len(found)):
            first, last = (tokens.tolist() for tokens in found.tokens(i))  # which are consecutive tokens here
            label = int(found.labels[i])
            colour = colormaps["viridis"](0.25 + 0.7 * label / (v - 1))
            corner, width, height = (last[0], first[0]), len(last), len(first)
            axes.add_patch(Rectangle(corner, width, height, facecolor=colour, edgecolor=PAPER, linewidth=4))
            axes.text(corner[0] + width / 2, corner[1] + height / 2, str(label), ha="center", va="center", color=INK)
        axes.set(xlim=(0, v), ylim=(0, v), aspect="equal", xlabel="last token", ylabel="first token")
        axes.set_xticks([x + 0.5 for x in range(v)], [str(x) for x in range(v)])
        axes.set_yticks([x + 0.5 for x in range(v)], [str(x) for x in range(v)])
        axes.grid(False)
        return to_png(figure)


if __name__ == "__main__":
    main(sys.argv[1:])
