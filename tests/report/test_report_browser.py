"""The page in a real browser: it draws, and its one script runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest


@pytest.fixture(scope="module")
def chromium() -> str:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None and os.environ.get("COMPACT_PROOFS_REQUIRE_CHROMIUM") == "1":
        pytest.fail("COMPACT_PROOFS_REQUIRE_CHROMIUM=1, but there is no chromium or google-chrome on PATH")
    if found is None:
        pytest.skip("no chromium or google-chrome on PATH; COMPACT_PROOFS_REQUIRE_CHROMIUM=1 makes this a failure")
    return found


def browse(chromium: str, page: Path, profile: Path, *options: str) -> str:
    command = [
        chromium,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--disable-background-networking",
        "--no-first-run",
        f"--user-data-dir={profile}",
        *options,
        page.as_uri(),
    ]
    return subprocess.run(command, check=True, capture_output=True, timeout=120, encoding="utf-8").stdout


@pytest.mark.parametrize("width", [900, 1400])
def test_screenshot_is_not_blank(chromium, page, tmp_path, width):
    shot = tmp_path / "shot.png"
    browse(chromium, page, tmp_path / "profile", f"--window-size={width},3000", f"--screenshot={shot}")
    pixels = (matplotlib.image.imread(shot)[..., :3] * 255).astype(np.uint8)
    assert pixels.shape == (3000, width, 3)
    for tenth in np.array_split(pixels, 10):
        assert tenth.std() > 5, "a tenth of the page is blank"
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 200


def test_script_sorts_the_table(chromium, page, proofs, tmp_path):
    click = "<script>document.querySelectorAll('thead button')[4].click();</script></body>"
    clicked = tmp_path / "clicked.html"
    clicked.write_text(page.read_text(encoding="utf-8").replace("</body>", click), encoding="utf-8")
    content = browse(chromium, clicked, tmp_path / "profile", "--dump-dom")
    assert '<html lang="en" class="js">' in content
    assert content.count("<section ") == 5
    assert content[content.index("<thead>") :].count('aria-sort="ascending"') == 1
    body = content[content.index("<tbody>") : content.index("</tbody>")]
    numerators = [int(number) for number in re.findall(r'<td class="fraction".*?<span>(\d+)</span>', body)]
    assert numerators == sorted(int(item["numerator"]) for item in proofs)
