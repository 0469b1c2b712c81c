"""Build the documentation: `python tools/build_site.py [FOLDER]`, by default build, into its site/.

Pages are those of docs/; the home page, which is README.md, and others that lie in the repository's
root, with links turned to where the site has them; and those that `reference.py` writes from the
code. They are put together in the folder, from which Zensical makes the site; a broken link fails.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from posixpath import normpath, relpath

import yaml

import reference

ROOT = Path(__file__).parents[1]
FROM_ROOT = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "development/contributing.md",
    "ARCHITECTURE.md": "development/architecture.md",
    "CHANGELOG.md": "development/changes.md",
}
GENERATED: dict[str, Callable[[], str]] = {
    "reference/cli.md": reference.commands,
    "reference/python.md": reference.functions,
    "reference/errors.md": reference.errors,
    "decisions/index.md": lambda: reference.decisions(ROOT / "docs/decisions"),
}
# parts in their order; of each the pages that come first, before any others of the same folder
PARTS = {
    "Get started": ["get-started.md"],
    "Guides": [
        "guides/extract.md",
        "guides/sources.md",
        "guides/webdataset.md",
        "guides/huggingface.md",
        "guides/buckets.md",
        "guides/weights.md",
        "guides/python.md",
        "guides/scripts.md",
        "guides/view.md",
        "guides/search.md",
        "guides/words.md",
        "guides/selections.md",
        "guides/duplicates.md",
        "guides/groups.md",
        "guides/probes.md",
        "guides/compare.md",
        "guides/tools.md",
        "guides/hub.md",
        "guides/devices.md",
        "guides/slurm.md",
        "guides/ray.md",
    ],
    "Concepts": ["concepts/words.md", "concepts/tables.md", "concepts/preprocessing.md"],
    "Reference": ["reference/cli.md", "reference/python.md"],
    "Networks": ["networks.md"],
    "Benchmarks": ["benchmarks/index.md"],
    "Coming from": ["coming-from/libraries.md"],
    "Development": ["development/contributing.md", "development/architecture.md"],
    "Decisions": ["decisions/index.md"],
}
ALONE = {"index.md", "get-started.md", "networks.md", "decisions/index.md"}
WIDE = "---\nhide: [navigation]\n---\n\n"  # nothing stands beside them, or the same
_PERCENT = re.compile(r"(?<=\d) %(?= \||\))")  # in a table's cell, which it would break
_LINK = re.compile(r"\[([^\]]*)\]\(([^()#\s:]+)(#[^)]*)?\)")


def main(build: Path) -> int:
    """Put the pages together and build the site; 1 if a link is broken."""
    pages = build / "docs"
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(ROOT / "docs", pages)
    for page, make in GENERATED.items():
        write(pages / page, make())
    for name, page in FROM_ROOT.items():
        write(pages / page, moved((ROOT / name).read_text(encoding="utf-8"), page))
    found = sorted(path.relative_to(pages).as_posix() for path in pages.rglob("*.md"))
    for page in found:
        text = _PERCENT.sub("\u00a0%", (pages / page).read_text(encoding="utf-8"))
        write(pages / page, WIDE + text if page in ALONE else text)
    settings = yaml.safe_load((ROOT / "tools/site.yml").read_text(encoding="utf-8"))
    settings |= {"docs_dir": "docs", "site_dir": "site", "nav": navigation(found)}
    write(build / "mkdocs.yml", yaml.safe_dump(settings))
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    return subprocess.run(command, cwd=build, check=False).returncode


def write(path: Path, text: str) -> None:
    """Write a page, in a folder of its own if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def moved(text: str, page: str) -> str:
    """A text of the root as a page elsewhere: links to docs/ and to other such pages follow."""
    folder = str(Path(page).parent)

    def turned(match: re.Match[str]) -> str:
        words, path, anchor = match[1], normpath(match[2]), match[3] or ""
        if path not in FROM_ROOT and not path.startswith("docs/"):
            return words  # not on the site
        found = FROM_ROOT.get(path, path.removeprefix("docs/"))
        found += "" if Path(found).suffix else "/index.md"
        return f"[{words}]({relpath(found, folder)}{anchor})"

    return _LINK.sub(turned, text)


def navigation(pages: list[str]) -> list[dict[str, str | list[str]]]:
    """All pages in parts; those that `PARTS` doesn't name follow in the order of their names."""
    nav: list[dict[str, str | list[str]]] = [{"Home": "index.md"}]
    for part, first in PARTS.items():
        folder = first[0].rpartition("/")[0]
        rest = [page for page in pages if folder and page.startswith(f"{folder}/")]
        listed = [*first, *(page for page in rest if page not in first)]
        nav.append({part: listed if len(listed) > 1 else listed[0]})
    return nav


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "build")))
