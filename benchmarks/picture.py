"""A picture for the README, in few colours, so that it is small: python -m benchmarks.picture FROM.png TO.png"""

from __future__ import annotations

import sys

from PIL import Image

COLOURS = 64
"""Of a diagram: a few, and shades of them along the edges of letters and lines."""


def main(source: str, target: str) -> None:
    """Write a picture again with a palette."""
    with Image.open(source) as picture:
        picture.convert("RGB").quantize(COLOURS).save(target, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
