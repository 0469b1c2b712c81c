"""Probe, compare and classify by a probe, as people run them."""

import csv
import json
import shutil

import pytest

import penult


@pytest.fixture(scope="module")
def place(model, photos, tmp_path_factory):
    """A folder with two classes of three photos each, and their table."""
    place = tmp_path_factory.mktemp("probes")
    classes = {
        "animal": ["cat_chelsea.jpg", "cat_kitten.jpg", "dog_shepherd.jpg"],
        "castle": ["castle_bavaria.jpg", "castle_chambord.jpg", "rocket.jpg"],
    }
    for label, names in classes.items():
        (place / "two" / label).mkdir(parents=True)
        for name in names:
            shutil.copy(photos / name, place / "two" / label)
    penult.extract(place / "two", model, out=place / "two.lance")
    return place


def test_probe_prints_a_table_and_writes_what_is_asked_for(run, place):
    asked = ("--save", "p.safetensors", "--png", "p.png", "-o", "p.csv")
    result = run("probe", "two.lance", "--folds", 3, "-k", 1, *asked)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].split() == [
        "layer",
        "method",
        "accuracy",
        "95",
        "%",
        "balanced",
        "95",
        "%",
        "p",
    ]
    assert "6 images; 2 classes; 3 folds; chance 50.0%, balanced 50.0%\n" in result.stdout
    with (place / "p.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 6
    assert (place / "p.png").read_bytes().startswith(b"\x89PNG")
    classified = run("classify", "two", "--probe", "p.safetensors", "-k", 1, "--json")
    first = json.loads(classified.stdout.splitlines()[0])
    assert first["classes"][0][0] in {"animal", "castle"}


def test_probe_as_json(run):
    found = json.loads(run("probe", "two.lance", "--folds", 2, "--json").stdout)
    assert found["classes"] == ["animal", "castle"]
    assert sum(map(sum, found["results"][0]["confusion"])) == 6


def test_a_wrong_suffix_is_told_before_the_work(run):
    result = run("probe", "two.lance", "--save", "p.pkl")
    assert result.returncode == 2
    assert result.stderr == "penult: 'p.pkl': expected a probe to end in .safetensors\n"


def test_a_probe_names_its_model(run):
    result = run("classify", "two", "--probe", "p.safetensors", "-m", "inception_v3")
    assert result.stderr.startswith("penult: a probe names its model: leave the model's options")


def test_a_probe_computes_on_the_device_asked_for(run, missing_device):
    result = run("classify", "two", "--probe", "p.safetensors", "--device", missing_device)
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
    assert result.stderr.startswith(f"penult: --device {missing_device}: ")


def test_compare_of_one_layer_is_one_line(run):
    result = run("compare", "two.lance")
    assert result.returncode == 2
    assert result.stderr == (
        "penult: only 'pooled_features': name a second table, or a second layer\n"
    )


def test_compare_prints_a_matrix_a_metric(run, place):
    shutil.copytree(place / "two.lance", place / "again.lance", dirs_exist_ok=True)
    result = run("compare", "two.lance", "again.lance", "--metric", "cka", "--permutations", 9)
    assert [line.split() for line in result.stdout.splitlines()[:3]] == [
        ["cka", "two", "again"],
        ["two", "1.000", "1.000"],
        ["again", "1.000", "1.000"],
    ]
