"""Search, index and duplicates as people run them."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import penult

from .conftest import PENULT


@pytest.fixture(scope="module")
def place(model, photos, tmp_path_factory):
    """A folder with the two castles, a cat, a copy of it in another format, and their table."""
    place = tmp_path_factory.mktemp("analysis")
    (place / "few").mkdir()
    for name in ("castle_bavaria.jpg", "castle_chambord.jpg", "cat_chelsea.jpg"):
        shutil.copy(photos / name, place / "few")
    shutil.copy(photos / "cat_chelsea.jpg", place / "few/copy.jpg")
    penult.extract(place / "few", model, out=place / "few.lance")
    return place


def test_search_prints_rank_score_and_key(run):
    result = run("search", "few.lance", "castle_bavaria.jpg", "-k", 1)
    assert result.stdout == "1  0.673  castle_chambord.jpg\n"


def test_search_for_a_file_less_another(run, photos):
    result = run(
        "search",
        "few.lance",
        photos / "cat_kitten.jpg",
        "--exclude",
        "castle_bavaria.jpg",
        "--json",
    )
    assert [match["key"] for match in json.loads(result.stdout)] == [
        "cat_chelsea.jpg",
        "copy.jpg",
        "castle_chambord.jpg",
    ]


def test_a_search_that_finds_nothing_says_so(run):
    result = run("search", "few.lance", "copy.jpg", "--where", "width > 9999")
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == "penult: no image found\n"


def test_search_is_listed_and_shown(run, place):
    result = run(
        "search", "few.lance", "castle_bavaria.jpg", "-k", 2, "-o", "found.json", "--html", "f.html"
    )
    rows = json.loads((place / "found.json").read_text())
    assert rows[0] == {
        "key": "castle_chambord.jpg",
        "score": pytest.approx(0.673, abs=1e-3),
        "path": str((place / "few/castle_chambord.jpg").resolve()),
    }
    assert result.stderr == "penult: found.json: written\npenult: f.html: 3 images\n"
    assert (place / "f.html").read_text("utf-8").count("<img ") == 3


def test_duplicates_are_shown(run, place):
    result = run("duplicates", "few.lance", "--html", "d.html")
    assert result.stderr.endswith("penult: d.html: 2 images\n")
    page = (place / "d.html").read_text("utf-8")
    assert page.index(">keep<") < page.index("copy.jpg")
    assert "300×300 · 28,744 bytes · the same file" in page


def test_a_wrong_condition_is_one_line(run):
    result = run("search", "few.lance", "copy.jpg", "--where", "colour = 'red'")
    assert result.returncode == 2
    assert result.stderr.startswith("penult: can't select rows where 'colour = 'red'': ")
    assert result.stderr.count("\n") == 1


def test_a_large_table_without_the_index_is_told_of_it(run, place, monkeypatch):
    monkeypatch.setattr("penult.analysis.neighbours.EXACT_BELOW", 4)
    table = place / "few.lance"
    result = run("search", table, "copy.jpg", "--metric", "l2")
    assert re.fullmatch(
        r"penult: 4 rows were compared one by one, \d\.\d s in all; faster with an index: "
        rf"penult index {re.escape(str(table))} --metric l2\n",
        result.stderr,
    )
    monkeypatch.setattr("penult.analysis.neighbours.EXACT_BELOW", 5)
    assert run("search", table, "copy.jpg", "--metric", "l2").stderr == ""


def test_small_tables_get_no_index(run):
    result = run("index", "few.lance")
    assert result.returncode == 2
    assert "few.lance' has 4 rows: below 100,000" in result.stderr


def test_duplicates_prints_groups_and_a_sum(run):
    result = run("duplicates", "few.lance")
    keep, drop, end = result.stdout.splitlines()
    assert keep.split() == ["keep", "1.000", "300×300", "28,744", "bytes", "cat_chelsea.jpg"]
    assert drop.split() == ["same", "1.000", "300×300", "28,744", "bytes", "copy.jpg"]
    assert end == ""
    assert result.stderr == (
        "penult: few.lance: 4 images, 1 near-duplicate of 1 to keep "
        "(1 by pixels and features, cosine 0.9 and above; 0 by pixels; 0 by features alone), "
        "1 of them to the byte; "
        "28,744 bytes could be spared\n"
    )


def test_duplicates_are_stored(run, place):
    shutil.copytree(place / "few.lance", place / "stored.lance")
    result = run("duplicates", "stored.lance", "--store", "--column", "twin")
    said = "stored.lance: stored in columns twin (single, keep, drop) and twin_of"
    assert result.stderr.endswith(f"penult: {said}\n")
    assert json.loads(run("info", "stored.lance", "--json").stdout)["columns"] == {
        "twin": "string",
        "twin_of": "string",
    }
    sampled = run("sample", "stored.lance", "-n", 9, "--where", "twin <> 'drop'").stdout
    assert "copy.jpg" not in sampled
    assert "cat_chelsea.jpg" in sampled


def test_duplicates_are_listed_and_linked(run, place):
    result = run(
        "duplicates",
        "few.lance",
        "-o",
        "list.csv",
        "--hard-link",
        "dropped",
        "--root",
        ".",
        "--json",
    )
    assert json.loads(result.stdout)["images"][1]["key"] == "copy.jpg"
    assert "dropped: 1 image linked here" in result.stderr
    assert (place / "dropped/copy.jpg").exists()
    assert len((place / "list.csv").read_text().splitlines()) == 3


def test_what_features_alone_decide_is_marked_and_left_out(run, place):
    options = ("few.lance", "--no-pixels", "--threshold", 0.6)
    result = run(
        "duplicates", *options, "--hard-link", "some", "--root", ".", "--html", "alone.html"
    )
    assert [line.split()[:2] for line in result.stdout.splitlines() if line] == [
        ["keep", "1.000"],
        ["features", "0.673"],
        ["keep", "1.000"],
        ["same", "1.000"],
    ]
    assert "0 by pixels; 1 by features alone), 1 of them to the byte" in result.stderr
    assert "some: 1 image linked here" in result.stderr
    assert "1 image left out, by features alone: --features-alone takes all" in result.stderr
    assert "0.673 · by features alone" in (place / "alone.html").read_text("utf-8")
    result = run(
        "duplicates", *options, "--hard-link", "all", "--root", ".", "--features-alone", "--json"
    )
    marks = [image["features_alone"] for image in json.loads(result.stdout)["images"]]
    assert marks == [False, True, False, False]
    assert "all: 2 images linked here" in result.stderr
    assert "left out" not in result.stderr


@pytest.mark.parametrize("option", [["--features-alone"], ["--root", "."]])
def test_what_to_move_without_anything_to_move(run, option):
    result = run("duplicates", "few.lance", *option)
    assert result.returncode == 2
    assert f"{option[0]} says what to move or link: give --move or --hard-link" in result.stderr


@pytest.mark.parametrize("option", ["--move", "--hard-link"])
def test_nothing_is_moved_out_of_a_folder_that_was_not_named(run, option, place):
    result = run("duplicates", "few.lance", option, "away")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr == (
        "penult: a table may name any file: name the folder that its images are in (--root)\n"
    )
    assert not (place / "away").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
def test_the_list_is_written_though_nothing_can_be_printed(place):
    name = place / "named.csv"
    with Path("/dev/full").open("w") as full:
        subprocess.run(
            [*PENULT, "duplicates", "few.lance", "-o", name],
            cwd=place,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},  # what is printed fails at once
            stdout=full,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    assert len(name.read_text().splitlines()) == 3


def test_moving_and_linking_exclude_each_other(run):
    result = run("duplicates", "few.lance", "--move", "a", "--hard-link", "b")
    assert result.returncode == 2
    assert "choose one" in result.stderr
