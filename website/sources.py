"""A hook of MkDocs: links that lead out of docs/ become pages of the site, so that it is complete without a repository beside it.

`../compact_proofs/core/claim.py` is shown as highlighted source, a folder as the list of its files, and a Markdown file as itself.
Links to what does not exist are left as they are, for MkDocs to complain about.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(?<=\]\()([^)\s#]+)(#[^)\s]*)?(?=\))")
COPIED = (".png", ".svg", ".ipynb")
"""Files that are copied as they are: pictures, and notebooks to be opened elsewhere."""
LANGUAGES = {".py": "python", ".v": "coq", ".toml": "toml", ".json": "json", ".md": "markdown", ".yml": "yaml"}
SHOWN = {"CHANGELOG.md": "changelog.md"}
"""Files outside of docs/ that have a page of their own."""


def on_files(files: Any, config: Any) -> Any:
    """Add a page for each file and folder outside of docs/ that some page links to."""
    for name, page in SHOWN.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text()))
    waiting = [target for file in files.documentation_pages() for target in _outside(file.content_string, _place(file.src_uri))]
    while waiting:
        place = waiting.pop()
        uri = _uri(place)
        if files.get_file_from_path(uri) is None:
            if (ROOT / place).suffix in COPIED:
                files.append(File.generated(config, uri, abs_src_path=str(ROOT / place)))
                continue
            text = _page(place)
            files.append(File.generated(config, uri, content=text))
            waiting += _outside(text, place)
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Point links that lead out of docs/ to the pages made for them, and links of those pages back into docs/."""
    uri = page.file.src_uri
    place = _place(uri)

    def replace(link: re.Match[str]) -> str:
        target = _resolve(link[1], place)
        if target is None:
            return link[0]
        there = target.removeprefix("docs/") if target.startswith("docs/") else _uri(target)
        return posixpath.relpath(there, posixpath.dirname(uri) or ".") + (link[2] or "")

    return LINK.sub(replace, markdown)


def _place(uri: str) -> str:
    """Where a page's text stands in the repository."""
    for name, page in SHOWN.items():
        if uri == page:
            return name
    if not uri.startswith("source/"):
        return f"docs/{uri}"
    place = uri.removeprefix("source/").removesuffix(".md")
    return place if (ROOT / place).exists() else place + ".md"


def _uri(place: str) -> str:
    """The page made for a file or folder outside of docs/."""
    if Path(place).suffix in COPIED:
        return f"source/{place}"
    return SHOWN.get(place, f"source/{place.removesuffix('.md')}.md")


def _resolve(target: str, place: str) -> str | None:
    """The place in the repository that a relative link leads to, if it is there and no page of docs/ links to another one."""
    if "://" in target or target.startswith("mailto:"):
        return None
    found = posixpath.normpath(posixpath.join(posixpath.dirname(place), target))
    inside = found.startswith("docs/") and place.startswith("docs/")
    return None if inside or found.startswith("..") or not (ROOT / found).exists() else found


def _outside(text: str, place: str) -> list[str]:
    targets = (_resolve(link[1], place) for link in LINK.finditer(text))
    return [t for t in targets if t is not None and not t.startswith("docs/")]


def _page(place: str) -> str:
    path = ROOT / place
    head = "---\nsearch:\n  exclude: true\nhide: [toc]\n---\n\n"
    if path.is_dir():
        entries = sorted(p for p in path.iterdir() if p.suffix in (".py", ".v") or (p.is_dir() and any(p.glob("*.py"))))
        lines = [f"* [{p.name}]({path.name}/{p.name})" for p in entries]
        return f"{head}# {place}\n\n" + "\n".join(lines) + "\n"
    if path.suffix == ".md":
        return head + path.read_text()
    return f"{head}# {place}\n\n~~~~~~ {LANGUAGES.get(path.suffix, 'text')}\n{path.read_text()}\n~~~~~~\n"
