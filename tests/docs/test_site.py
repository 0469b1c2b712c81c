"""The site builds, its links lead somewhere, and its pages ask the net for nothing."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from posixpath import normpath
from urllib.parse import unquote, urlsplit

import pytest

import build_site
import penult
from loopback import serve_files
from penult.cli.panels import PANELS

ROOT = Path(__file__).parents[2]
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
NOT_LOADED = {"canonical", "prev", "next"}  # of <link rel=…>


class Links(HTMLParser):
    """What a page loads, and what its links lead to."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.leads, self.ids = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        each = dict(attributes)
        self.ids |= {each.get("id")}
        if tag == "a" and each.get("href"):
            self.leads.append(each["href"])
        elif tag in LOADED and each.get("rel") not in NOT_LOADED and each.get(LOADED[tag]):
            self.loads.append(each[LOADED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("documentation")
    command = [sys.executable, "tools/build_site.py", str(folder)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def pages(site):
    return {path: Links(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def test_every_page_is_on_the_site(site):
    pages = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    assert len(pages) > 30
    assert [page for page in pages if not (site / page.with_suffix(".html")).exists()] == []
    links = Links((site / "index.html").read_text(encoding="utf-8")).leads
    parts = {page.parts[0] for page in pages}
    assert {part.removesuffix(".md") for part in parts} <= {
        normpath(link).split("/")[0].removesuffix(".html") for link in links
    }


def test_pages_load_nothing_from_elsewhere(site, pages):
    loads = {load for links in pages.values() for load in links.loads}
    assert any(load.endswith(".css") for load in loads)
    assert {load for load in loads if urlsplit(load).netloc} == set()
    styles = [path.read_text(encoding="utf-8") for path in site.rglob("*.css")]
    assert [text for text in styles if re.search(r"url\([\"']?(https?:)?//|@import", text)] == []


def test_links_between_pages_lead_to_what_is_there(pages):
    for path, links in pages.items():
        if path.name == "404.html":  # served at any address: its links begin at the root
            continue
        for link in (*links.leads, *links.loads):
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), (path, link)
            if url.fragment and target in pages:
                assert unquote(url.fragment) in pages[target].ids, (path, link)


def test_a_browser_asks_nobody_else(site, browser):
    """Scripts could, whatever the HTML says; the search finds a page meanwhile."""
    asked = []
    with serve_files(site) as server:
        page = browser.new_page()
        page.on("request", lambda request: asked.append(urlsplit(request.url)))
        for name in ("index", "reference/python", "guides/words"):
            page.goto(f"{server.url}/{name}.html")
        page.keyboard.press("Control+k")
        page.keyboard.type("near-duplicates")
        page.get_by_role("link", name="Find near-duplicates").first.wait_for()
        page.close()
    assert {url.hostname for url in asked if url.scheme.startswith(("http", "ws"))} == {"127.0.0.1"}


def test_a_broken_link_fails(tmp_path, monkeypatch, capfd):
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(build_site, "ROOT", tmp_path)
    monkeypatch.setattr(build_site, "GENERATED", {})
    monkeypatch.setattr(build_site, "PARTS", {})
    monkeypatch.setattr(build_site, "FROM_ROOT", {"README.md": "index.md"})
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/site.yml").write_text("site_name: Penult\n")
    (tmp_path / "README.md").write_text("# Home\n\n[there](docs/nowhere.md)\n")
    assert build_site.main(tmp_path / "build") != 0
    assert "page does not exist" in capfd.readouterr().err


def test_the_reference_has_all_commands_and_functions(site):
    cli, python = (site / f"reference/{name}.html" for name in ("cli", "python"))
    commands, functions = Links(cli.read_text()), Links(python.read_text())
    for names in PANELS.values():
        assert {f"penult-{name.replace('_', '-')}" for name in names} <= commands.ids
    public = [name for name in penult.__all__ if not name.endswith("Error")]
    assert {f"penult.{name}" for name in (*public, "map", "open")} <= functions.ids
