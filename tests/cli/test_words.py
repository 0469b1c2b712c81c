"""Words on the command line: search, classify, cluster."""

import json
import shutil

import pytest
from typer.testing import CliRunner

import penult
import tiny_clip
from penult.cli import app

pytestmark = pytest.mark.filterwarnings("ignore:.*nothing says how its input is made")


@pytest.fixture(scope="module")
def workplace(photos, tmp_path_factory):
    place = tmp_path_factory.mktemp("words")
    (place / "few").mkdir()
    for name in ("castle_bavaria.jpg", "castle_chambord.jpg", "cat_chelsea.jpg", "rocket.jpg"):
        shutil.copy(photos / name, place / "few")
    tiny_clip.write(place / "clip.safetensors")
    with penult.load_model(tiny_clip.NAME, weights=place / "clip.safetensors") as model:
        penult.extract(place / "few", model, out=place / "few.lance")
    return place


@pytest.fixture
def run(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    return lambda *arguments: CliRunner().invoke(app, [*map(str, arguments)])


def test_search_by_words(run, workplace):
    result = run("search", "few.lance", "-t", "a rocket", "--not-text", "cats", "-k", 2, "--json")
    features = penult.open(workplace / "few.lance")
    expected = features.search(text="a rocket", not_text="cats", k=2)
    assert json.loads(result.stdout) == [match._asdict() for match in expected]


def test_search_by_words_and_an_image(run, workplace):
    arguments = ("-t", "cats", "-t", "a rocket", "--template", "a {}", "--where", "height > 100")
    result = run("search", "few.lance", "rocket.jpg", *arguments, "--json")
    features = penult.open(workplace / "few.lance")
    expected = features.search(
        "rocket.jpg", text=["cats", "a rocket"], template="a {}", where="height > 100"
    )
    assert json.loads(result.stdout) == [match._asdict() for match in expected]


def test_the_sheet_says_what_was_looked_for(run, workplace):
    run("search", "few.lance", "-t", "a rocket", "--not-text", "two cats", "--html", "found.html")
    assert "a rocket; not two cats" in (workplace / "found.html").read_text(encoding="utf-8")


def test_classify_by_labels(run):
    options = ("-m", tiny_clip.NAME, "-w", "clip.safetensors")
    result = run("classify", "few", *options, "--labels", "cat,rocket", "--json")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["key"] for row in rows][-1] == "rocket.jpg"
    assert sum(share for _, share in rows[0]["classes"]) == pytest.approx(1)
    plain = run("classify", "few", *options, "--labels", "cat,rocket", "--template", "{}", "-k", 1)
    assert plain.stdout.count("%\n") == 4


def test_clusters_get_names(run, workplace):
    (workplace / "words.txt").write_text("cat\ncastle\n", encoding="utf-8")
    result = run("cluster", "few.lance", "-k", 2, "--name", "words.txt")
    assert "and cluster_name" in result.stderr
    columns = penult.open(workplace / "few.lance").facts(["cluster_name"]).to_pydict()
    assert set(columns["cluster_name"]) <= {"cat", "castle"}
    first = result.stdout.splitlines()[0].split()
    assert first[2] in ("cat,", "castle,")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search", "few.lance"], "nothing to search for: give a key, an image"),
        (["search", "few.lance", "a red bicycle"], "words are given as -t (text=)"),
        (["search", "few.lance", "-t", ""], "text 0 is empty"),
        (["search", "few.lance", "-t", "cat", "--template", "a"], "a template has one {}"),
        (["search", "few.lance", "-t", "cat", "--metric", "l2"], "words are compared by cosine"),
        (["search", "few.lance", "-t", "cat", "-w", "gone"], "gone"),
        (["classify", "few", "--labels", "gone.txt"], "'gone.txt': no such file or directory"),
        (["classify", "few", "--labels", "cat,dog"], "efficientnet_lite0 gives pooled_features,"),
        (["classify", "few", "--template", "{}"], "--template stands around labels"),
        (["classify", "few", "--probe", "p", "--labels", "cat"], "a probe has its own classes"),
        (["cluster", "few.lance", "--name", "gone.txt"], "'gone.txt': no such file"),
    ],
)
def test_errors_are_one_line(run, arguments, message):
    result = run(*arguments)
    said = str(result.exception)
    assert result.exit_code == 1  # `main` prints it, and exits with 2
    assert isinstance(result.exception, penult.PenultError)
    assert message in said
    assert "\n" not in said
