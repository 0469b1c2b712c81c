"""Exports for programs, read back by what they read with."""

import json
import shutil
import sys
from pathlib import Path

import faiss
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

import penult
from penult.errors import MissingExtraError, StoreError, UsageError
from penult.exports import rows
from penult.exports.export import WRITERS, opening
from penult.exports.neighbours import neighbours
from penult.store import Row, TableWriter

NAMES = ["castle_bavaria.jpg", "castle_chambord.jpg", "cat_chelsea.jpg", "hens.jpg"]


@pytest.fixture(scope="module")
def table(model, photos, tmp_path_factory):
    """Features of four photos, one of which is gone since."""
    place = tmp_path_factory.mktemp("handover")
    (place / "few").mkdir()
    for name in NAMES:
        shutil.copy(photos / name, place / "few")
    features = penult.extract(place / "few", model, out=place / "few.lance")
    (place / "few/hens.jpg").unlink()
    return features


@pytest.fixture
def annotated(tmp_path):
    """Three rows, of which the last has no cluster and no place."""
    with TableWriter.open_or_create(tmp_path / "t.lance", {"a": (2,)}, {}) as table:
        vectors = {"a": np.ones(2, np.float32)}
        table.append(
            Row(f"{i}", 1, 1, path=f"/p/{i}", width=1, height=1, vectors=vectors) for i in range(3)
        )
        places = np.array([0.5, -2], np.float32)
        columns = {"cluster": np.array([7, -1], np.int32), "x": places, "y": places}
        table.annotate(["0", "1"], columns)
    return penult.open(tmp_path / "t.lance")


@pytest.fixture
def two_layers(tmp_path):
    return _stored(tmp_path / "two.lance", {"a": (2,), "b": (2,)})


def _stored(path, layers, number=2):
    with TableWriter.open_or_create(path, layers, {"network": "tiny"}) as table:
        vectors = {name: np.ones(shape, np.float32) for name, shape in layers.items()}
        table.append(
            [Row(f"{i}.jpg", 1, 1, width=1, height=1, vectors=vectors) for i in range(number)]
        )
    return penult.open(path)


def test_atlas_has_pictures_vectors_and_neighbours(table, tmp_path):
    frame = pd.read_parquet(table.export(tmp_path / "f.parquet", program="atlas"))
    assert frame["key"].tolist() == NAMES
    assert frame["image"][0]["bytes"].startswith(b"\xff\xd8")
    assert np.array_equal(np.stack(frame["pooled_features"]), table.numpy())
    assert frame["neighbors"][0]["ids"][0] == 1
    assert frame["neighbors"][0]["distances"][0] == pytest.approx(1 - 0.6733, abs=1e-3)


def test_a_picture_that_is_gone_is_null(table, tmp_path):
    rows = pq.read_table(table.export(tmp_path / "f.parquet", program="atlas"))
    assert [image is None for image in rows["image"].to_pylist()] == [False, False, False, True]


def test_large_tables_get_no_neighbours(table, tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "NEIGHBOURS_BELOW", 4)
    out = table.export(tmp_path / "f.parquet", program="atlas")
    assert "neighbors" not in pq.read_schema(out).names
    assert "--neighbors" not in opening(table, out, None, "atlas")


def test_neighbours_are_those_of_all_products(make_vectors):
    vectors, features = make_vectors(300)
    ids, distances = neighbours(features, "pool", 7)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    assert np.array_equal(ids, np.argsort(-cosines, axis=1)[:, :7])
    assert np.allclose(distances, 1 - np.sort(cosines)[:, :-8:-1], atol=1e-6)


def test_neighbours_are_the_same_in_small_blocks(make_vectors, monkeypatch):
    _, features = make_vectors(50)
    whole = neighbours(features, "pool", 5)
    monkeypatch.setattr("penult.exports.neighbours.PRODUCTS_BYTES", 4 * 50 * 7)
    for one, other in zip(whole, neighbours(features, "pool", 5), strict=True):
        assert np.allclose(one, other, atol=1e-6)


@pytest.mark.parametrize(("number", "found"), [(1, 0), (3, 2)])
def test_there_are_no_more_neighbours_than_other_rows(make_vectors, number, found):
    assert neighbours(make_vectors(number)[1], "pool", 15)[0].shape == (number, found)


@pytest.fixture
def make_vectors(tmp_path):
    def make(number):
        vectors = np.random.default_rng(0).standard_normal((number, 8)).astype(np.float32)
        with TableWriter.open_or_create(tmp_path / "v.lance", {"pool": (8,)}, {}) as table:
            table.append(
                Row(f"{i:03}", 1, 1, width=1, height=1, vectors={"pool": vector})
                for i, vector in enumerate(vectors)
            )
        return vectors, penult.open(tmp_path / "v.lance")

    return make


def test_spotlight_has_paths_of_files(table, tmp_path):
    frame = pd.read_parquet(table.export(tmp_path / "f.parquet", program="spotlight"))
    with Image.open(frame["path"][0]) as image:
        assert image.format == "JPEG"
    assert frame["pooled_features"][0].shape == (1280,)


def test_fiftyone_has_samples_and_their_vectors(table, tmp_path):
    out = table.export(tmp_path / "f", program="fiftyone")
    first, *others = json.loads((out / "samples.json").read_text())["samples"]
    assert len(others) == 3
    assert first["filepath"] == str(table.path.parent / "few/castle_bavaria.jpg")
    assert first["tags"] == []
    assert first["metadata"]["_cls"] == "ImageMetadata"
    assert first["key"] == "castle_bavaria.jpg"
    assert np.array_equal(np.load(out / "embeddings.npy"), table.numpy())
    metadata = json.loads((out / "metadata.json").read_text())
    assert metadata["media_type"] == "image"
    assert "version" not in metadata
    assert metadata["info"]["layer"] == "pooled_features"


@pytest.mark.filterwarnings("ignore:1 image of")
@pytest.mark.parametrize("program", ["atlas", "spotlight", None])
def test_parquet_has_added_columns(annotated, tmp_path, program):
    rows = pq.read_table(annotated.export(tmp_path / "f.parquet", program=program))
    assert rows["cluster"].to_pylist() == [7, -1, None]
    assert rows["x"].to_pylist() == [0.5, -2, None]
    assert str(rows.schema.field("y").type) == "float"


def test_atlas_is_told_where_the_map_is(annotated):
    words = opening(annotated, Path("out"), None, "atlas")
    assert words == "embedding-atlas out --image image --x x --y y --neighbors neighbors"


def test_for_atlas_images_that_are_on_no_map_are_counted(annotated, tmp_path):
    with pytest.warns(UserWarning, match=r"1 image of '.*t\.lance' came after the map"):
        annotated.export(tmp_path / "f.parquet", program="atlas")
    annotated.export(tmp_path / "f.parquet", program="atlas", where="x IS NOT NULL")


def test_fiftyone_has_added_columns_where_they_have_values(annotated, tmp_path):
    out = annotated.export(tmp_path / "f", program="fiftyone")
    samples = json.loads((out / "samples.json").read_text())["samples"]
    found = [{name: sample.get(name) for name in ("cluster", "x", "y")} for sample in samples]
    assert found == [
        {"cluster": 7, "x": 0.5, "y": 0.5},
        {"cluster": -1, "x": -2, "y": -2},
        {"cluster": None, "x": None, "y": None},
    ]


def test_tensorboard_has_added_columns(annotated, tmp_path):
    out = annotated.export(tmp_path / "f", program="tensorboard")
    assert (out / "metadata.tsv").read_text().splitlines() == [
        "key\tpath\twidth\theight\tcluster\tx\ty",
        "0\t/p/0\t1\t1\t7\t0.5\t0.5",
        "1\t/p/1\t1\t1\t-1\t-2.0\t-2.0",
        "2\t/p/2\t1\t1\t\t\t",
    ]


def test_csv_has_added_columns(annotated, tmp_path):
    frame = pd.read_csv(annotated.export(tmp_path / "f.csv"))
    assert [*frame.columns] == [
        *("key", "path", "width", "height", "bytes", "mtime"),
        *("cluster", "x", "y", "a_0", "a_1"),
    ]
    assert frame["x"].tolist()[:2] == [0.5, -2]


@pytest.mark.parametrize(
    ("program", "name"), [("atlas", "image"), ("fiftyone", "tags"), ("fiftyone", "filepath")]
)
def test_columns_with_names_of_the_program_s_own_are_refused(annotated, tmp_path, program, name):
    with TableWriter.open_or_create(annotated.path, {"a": (2,)}, {}) as table:
        table.annotate(["0"], {name: np.zeros(1, np.float32)})
    message = f"{program} has a column '{name}' of its own: name the table's otherwise"
    with pytest.raises(UsageError, match=message):
        penult.export(annotated.path, tmp_path / "f.parquet", program=program)


def test_fiftyone_needs_places_of_files(tmp_path):
    features = _stored(tmp_path / "t.lance", {"a": (2,)})
    with pytest.raises(StoreError, match="doesn't say where its images are: extract them again"):
        features.export(tmp_path / "f", program="fiftyone")


def test_tensorboard_has_vectors_facts_and_a_sheet(table, tmp_path):
    out = table.export(tmp_path / "f", program="tensorboard")
    vectors = np.loadtxt(out / "tensors.tsv", np.float32, delimiter="\t")
    assert np.array_equal(vectors, table.numpy())
    header, first, *_ = (out / "metadata.tsv").read_text().splitlines()
    assert header == "key\tpath\twidth\theight"
    assert first.startswith("castle_bavaria.jpg\t")
    with Image.open(out / "sprite.png") as sheet:
        assert sheet.size == (128, 128)
        assert not sheet.crop((64, 64, 128, 128)).getbbox()  # the photo that is gone
    config = (out / "projector_config.pbtxt").read_text()
    assert 'tensor_path: "tensors.tsv"' in config
    assert "single_image_dim: [64, 64]" in config


def test_faiss_finds_the_nearest_by_cosine(table, tmp_path):
    out = table.export(tmp_path / "f.faiss")
    index = faiss.read_index(str(out))
    first = table.numpy()[:1]
    cosines, places = index.search(first / np.linalg.norm(first), 2)
    keys = (tmp_path / "f.keys.txt").read_text().splitlines()
    assert [keys[place] for place in places[0]] == NAMES[:2]
    assert cosines[0] == pytest.approx([1, 0.6733], abs=1e-3)


def test_usearch_finds_the_nearest_by_cosine(table, tmp_path):
    index = pytest.importorskip("usearch.index")
    out = table.export(tmp_path / "f.usearch")
    assert index.Index.restore(str(out)).search(table.numpy()[0], 2).keys.tolist() == [0, 1]


@pytest.mark.parametrize("name", ["faiss", "usearch"])
def test_without_its_package_the_extra_is_named(monkeypatch, table, tmp_path, name):
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, f"{name}.index", None)
    message = rf"export to \.{name} needs .*'penult\[indexes\]'"
    with pytest.raises(MissingExtraError, match=message):
        table.export(tmp_path / f"f.{name}")


@pytest.mark.parametrize("program", ["atlas", "spotlight", "faiss", "usearch"])
def test_another_suffix_is_refused(table, tmp_path, program):
    with pytest.raises(UsageError, match=f"a file for {program} must end in "):
        table.export(tmp_path / "f.csv", program=program)


def test_an_unknown_program_is_refused(table, tmp_path):
    with pytest.raises(UsageError, match="can't export for 'excel': expected one of atlas, "):
        table.export(tmp_path / "f.csv", program="excel")


def test_programs_of_one_layer_ask_which(two_layers, tmp_path):
    with pytest.raises(UsageError, match=r"takes one layer: choose it \(-l, layer=\): a, b"):
        two_layers.export(tmp_path / "f.faiss")


@pytest.mark.parametrize("program", ["fiftyone", "tensorboard"])
def test_a_table_is_not_exported_into_itself(tmp_path, program):
    features = _stored(tmp_path / "t.lance", {"a": (2,)}, number=1)
    with pytest.raises(UsageError, match="is a table: name another folder"):
        features.export(features.path, program=program)


@pytest.mark.parametrize("program", ["atlas", "spotlight", "tensorboard", "fiftyone", "faiss"])
def test_an_empty_table_can_be_exported(tmp_path, program):
    features = _stored(tmp_path / "t.lance", {"a": (2,)}, number=0)
    out = features.export(tmp_path / f"f{WRITERS[program].suffix}", program=program)
    assert out.exists()


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (
            "atlas",
            "embedding-atlas out --image image --vector pooled_features --neighbors neighbors",
        ),
        ("spotlight", "spotlight out"),
        (
            "fiftyone",
            "fiftyone datasets create --name out --dataset-dir out "
            "--type fiftyone.types.FiftyOneDataset",
        ),
        ("tensorboard", "tensorboard --logdir out"),
        ("faiss", "faiss.read_index('out')"),
        ("usearch", "Index.restore('out')"),
        (None, None),
    ],
)
def test_what_opens_it_is_said(table, program, words):
    assert opening(table, Path("out"), None, program) == words
