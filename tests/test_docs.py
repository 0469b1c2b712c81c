"""The documents keep up with the code."""

import pkgutil
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import penult
from penult.cli.commands import app
from penult.hub import SHORT
from penult.model.published import MIRROR
from penult.nets import ours
from penult.nets.spec import PublishedWeights
from penult.store.versions import PROBE
from penult.store.writer import LOCK
from penult.util.files import CACHE

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NETWORKS = (ROOT / "docs/networks.md").read_text(encoding="utf-8")
PEERS = (ROOT / "docs/benchmarks/peers.md").read_text(encoding="utf-8")
PAGES = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").rglob("*.md"))]
MAP = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")


# no reference to measure an error against
SIZES = re.compile(r"mobilenet_v[12]_\d{3}_\d+|mobilenet_v3_.*_finegrain|efficientnet_lite[34]")


@pytest.mark.parametrize(
    "spec", [spec for spec in ours() if not SIZES.fullmatch(spec.name)], ids=lambda spec: spec.name
)
def test_every_network_is_in_its_table_as_published(spec):
    (row,) = (line for line in NETWORKS.splitlines() if f"| `{spec.name}`" in line and "×" in line)
    assert f"| {spec.size}×{spec.size} |" in row
    assert f"| {spec.top1} % |" in row or (spec.top1 is None and "| – |" in row)
    parameters = penult.describe(spec.name).whole.parameters
    assert f"| {parameters / 1e6:.1f} M |" in row


@pytest.mark.parametrize(
    "command", [c.callback.__name__.replace("_", "-") for c in app.registered_commands]
)
def test_every_command_is_on_a_page(command):
    assert any(re.search(rf"penult {command}\b", page) for page in PAGES)


def test_the_readme_can_be_read_on_ones_feet():
    assert len(README.splitlines()) <= 150
    assert "embeddings" in README


def test_speeds_in_the_readme_are_those_measured():
    rows = [row.split(" | ") for row in README.splitlines() if re.match(r"\| [\w-]+.* \d", row)]
    assert len(rows) == 3
    for name, *rates in rows:
        measured = [row for row in PEERS.splitlines() if row.startswith(f"{name} | 500×375 |")]
        for program, rate in zip(("Penult", "PyTorch", "TensorFlow"), rates, strict=True):
            if rate.strip(" |"):
                row = next(row for row in measured if f"| {program}" in row)
                assert f"| {rate.strip(' |')} |" in row


def test_every_short_name_of_the_hub_is_in_its_guide():
    guide = (ROOT / "docs/guides/hub.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| \[(.*)\]\(https://huggingface.co/(.*)\) \|", guide, re.M)
    assert rows == [(short, name, name) for short, name in SHORT.items()]


def test_every_host_and_folder_is_in_the_guide_to_privacy():
    guide = (ROOT / "docs/guides/privacy.md").read_text(encoding="utf-8")
    published = (spec.weights for spec in ours())
    hosts = {urlsplit(each.url).netloc for each in published if isinstance(each, PublishedWeights)}
    assert hosts
    assert all(f"`{each}`" in guide for each in (*hosts, CACHE, MIRROR, LOCK, PROBE))


def test_every_module_is_on_the_map():
    names = {module.name for module in pkgutil.iter_modules(penult.__path__)} - {"__main__"}
    assert all(f"| `penult.{name}` |" in MAP for name in names)


def test_every_photo_has_a_licence(photos):
    licences = (photos / "LICENSES.md").read_text(encoding="utf-8")
    files = [p.relative_to(photos) for p in photos.rglob("*") if p.suffix in {".jpg", ".png"}]
    assert 12 <= len(files) <= 20
    assert all(f"| `{file}` |" in licences for file in files)


def test_each_decision_says_why_and_by_what():
    pages = sorted((ROOT / "docs/decisions").glob("*.md"))
    for number, page in enumerate(pages, 1):
        title, date, *parts = page.read_text(encoding="utf-8").split("\n\n")
        assert page.name.startswith(f"{number:03}-")
        assert title.startswith(f"# {number}. ")
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", date)
        heads = [re.match(r"\*\*(.+)\.\*\* ", part)[1] for part in parts]
        assert heads == ["Context", "Decision", "Measured by"]


@pytest.mark.parametrize(
    "name", ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md"]
)
def test_links_of_the_root_lead_to_files(name):
    links = re.findall(r"\]\(([^)#:\s]+)[)#]", (ROOT / name).read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []
