"""Clusters, outliers and samples as people ask for them."""

import csv
import json

import numpy as np
import pytest

from penult.store import Row, TableWriter


@pytest.fixture
def place(tmp_path):
    """A folder with `t.lance`, which has two folders of ten images and an odd one."""
    with TableWriter.open_or_create(tmp_path / "t.lance", {"pool": (3,)}, {}) as table:
        table.append(
            [
                Row(f"{folder}/{i}.jpg", 1, 1, width=i, vectors={"pool": vector})
                for folder, direction in (("a", 0), ("b", 1))
                for i in range(10)
                for vector in [np.float32(i / 100) + np.eye(3, dtype=np.float32)[direction]]
            ]
        )
        table.append([Row("b/odd.jpg", 1, 1, vectors={"pool": np.float32([0, 0, -1])})])
    return tmp_path


def test_cluster_prints_groups_and_stores_them(run, tmp_path):
    result = run("cluster", "t.lance", "-k", "3", "-o", "list.csv")
    assert [line.split()[:2] for line in result.stdout.splitlines()] == [
        ["0", "10"],
        ["1", "10"],
        ["2", "1"],
    ]
    assert "t.lance: 21 images, 3 clusters, silhouette 0." in result.stderr
    assert "against 2 folders: NMI 0." in result.stderr
    assert "t.lance: stored in columns cluster, -1 for noise, and cluster_name" in result.stderr
    rows = list(csv.DictReader((tmp_path / "list.csv").read_text().splitlines()))
    assert rows[-1] == {"key": "b/odd.jpg", "cluster": "2", "distance": "0.0"}
    assert json.loads(run("info", "t.lance", "--json").stdout)["columns"] == {
        "cluster": "int32",
        "cluster_name": "string",
    }


def test_cluster_as_data_without_storing(run):
    result = run("cluster", "t.lance", "--no-store", "--json")
    found = json.loads(result.stdout)
    odd = {"cluster": 2, "name": "b/odd.jpg", "size": 1, "central": ["b/odd.jpg"], "names": []}
    assert found["clusters"][2] == odd
    assert found["agreement"]["purity"] == 1
    assert json.loads(run("info", "t.lance", "--json").stdout)["columns"] == {}


def test_a_number_of_clusters_that_is_none(run):
    result = run("cluster", "t.lance", "-k", "many")
    assert (result.returncode, result.stderr) == (
        2,
        "penult: k must be a number or auto, not 'many'\n",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", "t.lance", "a/1.jpg"],
        ["duplicates", "t.lance"],
        ["cluster", "t.lance"],
        ["outliers", "t.lance"],
        ["sample", "t.lance"],
        ["map", "t.lance"],
        ["probe", "t.lance"],
        ["compare", "t.lance"],
    ],
)
def test_a_list_of_an_unknown_kind_is_refused_before_anything_is_done(run, arguments):
    result = run(*arguments, "-o", "list.xls")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "penult: 'list.xls': expected a list to end in .csv, .json, .parquet\n"
    )


def test_a_sheet_of_an_unknown_kind_is_refused_before_anything_is_stored(run):
    assert run("cluster", "t.lance", "-k", "3", "--html", "sheet.pdf").returncode == 2
    assert json.loads(run("info", "t.lance", "--json").stdout)["columns"] == {}


def test_outliers_prints_distance_and_key(run, tmp_path):
    result = run("outliers", "t.lance", "-n", "1", "-o", "odd.json")
    assert result.stdout.split()[1] == "b/odd.jpg"
    assert json.loads((tmp_path / "odd.json").read_text())[0]["key"] == "b/odd.jpg"


def test_sample_prints_keys(run):
    result = run("sample", "t.lance", "-n", "2", "--diverse")
    assert result.stdout.splitlines()[1] == "b/odd.jpg"
    found = json.loads(run("sample", "t.lance", "--where", "width > 7", "--json").stdout)
    assert found == ["a/8.jpg", "a/9.jpg", "b/8.jpg", "b/9.jpg"]


def test_map_stores_places_and_tells_where_to_see_them(run, tmp_path):
    result = run("map", "t.lance", "--method", "pca", "-o", "map.csv")
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr.splitlines() == [
        "penult: t.lance: 21 images mapped by principal components",
        "penult: places stored in columns x and y: penult view t.lance",
        "penult: map.csv: written",
    ]
    rows = list(csv.DictReader((tmp_path / "map.csv").read_text().splitlines()))
    assert (rows[0]["key"], list(rows[0])) == ("a/0.jpg", ["key", "x", "y"])
    columns = json.loads(run("info", "t.lance", "--json").stdout)["columns"]
    assert columns == {"x": "float", "y": "float"}


def test_map_as_data_without_storing(run):
    found = json.loads(run("map", "t.lance", "--no-store", "--json").stdout)
    assert [each["key"] for each in found][::20] == ["a/0.jpg", "b/odd.jpg"]
    assert all(-1 <= each["x"] <= 1 for each in found)
    assert json.loads(run("info", "t.lance", "--json").stdout)["columns"] == {}


@pytest.mark.parametrize(
    ("arguments", "heading", "images"),
    [
        (
            ["cluster", "-k", "3", "--no-store"],
            "<bdi>Cluster 2: b/odd.jpg</bdi><small>1</small>",
            21,
        ),
        (["outliers", "-n", "2"], "<bdi>Unlike all others</bdi><small>2</small>", 2),
        (["sample", "-n", "4"], "<bdi>Sample</bdi><small>4</small>", 4),
    ],
)
def test_what_was_found_as_a_sheet(run, tmp_path, arguments, heading, images):
    command, *options = arguments
    result = run(command, "t.lance", *options, "--html", "sheet.html")
    assert f"sheet.html: {images} images, {images} of them without a picture" in result.stderr
    sheet = (tmp_path / "sheet.html").read_text("utf-8")
    assert heading in sheet
    assert sheet.count("<li>") == images
