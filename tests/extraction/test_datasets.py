"""Folders as Hugging Face's datasets keep them."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import penult
from penult.errors import SourceError
from penult.images import Columns, find_images

PHOTOS = ("espresso.jpg", "hens.jpg")


@pytest.fixture
def table(photos):
    images = [{"bytes": (photos / name).read_bytes(), "path": name} for name in PHOTOS]
    return pa.table({"image": images, "label": [3, 4]})


def save(folder, table, names):
    """As `Dataset.save_to_disk` does: a stream of Arrow's each, and what names them."""
    folder.mkdir(parents=True)
    for n, name in enumerate(names):
        with (
            pa.OSFile(str(folder / name), "wb") as file,
            pa.ipc.new_stream(file, table.schema) as w,
        ):
            w.write_table(table.slice(n, 1))
    (folder / "state.json").write_text(
        json.dumps({"_data_files": [{"filename": n} for n in names]})
    )
    (folder / "dataset_info.json").write_text("{}")
    return folder


NAMES = ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"]


def keys(source, **options):
    return [item.key for item in find_images(source, **options)]


def test_a_saved_dataset_is_its_arrow_files(table, photos, model, tmp_path):
    folder = save(tmp_path / "d", table, NAMES)
    save(folder / "cache", table, ["other.arrow"])
    (folder / "left.arrow").write_bytes(b"")
    features = penult.extract(folder, model, out=tmp_path / "t", keep=["label"])
    assert features.keys == [f"{name}#image/0" for name in NAMES]
    assert features.facts(["label"])["label"].to_pylist() == [3, 4]
    plain = penult.extract([photos / name for name in PHOTOS], model, out=tmp_path / "p")
    assert features.numpy().tobytes() == plain.numpy().tobytes()
    counts = []
    penult.extract(folder, model, out=tmp_path / "t", prune=True, progress=counts.append)
    assert (counts[-1].skipped, counts[-1].removed) == (2, 0)


def test_a_dataset_of_splits_is_all_of_them(table, tmp_path):
    for split in ("train", "test"):
        save(tmp_path / "d" / split, table, NAMES[:1])
    (tmp_path / "d/dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    assert keys(tmp_path / "d") == [f"{split}/{NAMES[0]}#image/0" for split in ("train", "test")]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("state.json", "{", "state.json' can't be read"),
        ("state.json", "[" * 100_000, "state.json' can't be read"),
        ("state.json", "[]", "state.json' isn't what datasets write: expected an object"),
        ("state.json", "{}", "state.json' names 'None': expected a name in its folder"),
        ("state.json", '{"_data_files": [{"filename": "../a.arrow"}]}', "names '../a.arrow'"),
        ("state.json", '{"_data_files": [{"filename": "/a.arrow"}]}', "names '/a.arrow'"),
        ("dataset_dict.json", '{"splits": [".."]}', "dataset_dict.json' names '..'"),
        ("dataset_dict.json", '{"splits": 3}', "dataset_dict.json' names '3'"),
    ],
)
def test_what_names_files_is_not_trusted(name, text, message, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / name).write_text(text)
    with pytest.raises(SourceError) as caught:
        find_images(tmp_path / "d")
    assert message in str(caught.value)


def test_an_arrow_file_that_is_missing_is_a_failure(table, tmp_path):
    folder = save(tmp_path / "d", table, NAMES)
    (folder / NAMES[1]).unlink()
    assert keys(folder) == [f"{NAMES[0]}#image/0", f"{NAMES[1]}#"]


def test_a_folder_of_parquet_without_images_is_its_tables(table, photos, tmp_path):
    (tmp_path / "d/data").mkdir(parents=True)
    (tmp_path / "d/README.md").touch()
    for n in range(2):
        pq.write_table(table, tmp_path / f"d/data/train-0000{n}-of-00002.parquet")
    found = keys(tmp_path / "d")
    assert found[0] == "data/train-00000-of-00002.parquet#image/0"
    assert len(found) == 4
    assert keys(tmp_path / "d", columns=Columns(keep=("label",))) == found
    shutil.copy(photos / "hens.jpg", tmp_path / "d")
    assert keys(tmp_path / "d") == ["hens.jpg"]


@pytest.fixture
def folder(photos, tmp_path):
    for name in ("a.jpg", "b.jpg", "train/c.jpg"):
        (tmp_path / "f" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photos / "hens.jpg", tmp_path / "f" / name)
    return tmp_path / "f"


def kept(folder, model, *names):
    features = penult.extract(folder, model, out=folder.parent / "t", keep=names)
    facts = features.facts([*names])
    columns = [facts[name].to_pylist() for name in names]
    return features.columns, dict(zip(features.keys, zip(*columns, strict=True), strict=True))


def test_a_csv_beside_images_becomes_columns(folder, model):
    (folder / "metadata.csv").write_text(
        "\ufefffile_name,label,score,text,code,none\r\n"
        './a.jpg,1,0.5,"one, ""two""\nthree",007,\r\n'
        "b.jpg,-2,1e3,,1_0,\r\n"
        "gone.jpg,3,1,x,1,\r\n",
        encoding="utf-8",
    )
    (folder / "train/metadata.csv").write_text("file_name,label,score,text,code\nc.jpg,9,2,y,x\n")
    columns, values = kept(folder, model, "label", "score", "text", "code")
    assert columns == {"label": "int32", "score": "float", "text": "string", "code": "string"}
    assert values == {
        "a.jpg": (1, 0.5, 'one, "two"\nthree', "007"),
        "b.jpg": (-2, 1000.0, None, "1_0"),
        "train/c.jpg": (9, 2.0, "y", "x"),
    }


def test_a_jsonl_beside_images_becomes_columns(folder, model):
    rows = [
        {"file_name": "a.jpg", "label": 1, "score": 1, "boxes": {"é": [1]}, "yes": True},
        {"file_name": "train/c.jpg", "label": None, "score": 0.5, "boxes": [], "yes": False},
    ]
    text = "\n\n".join(json.dumps(row) for row in rows)
    (folder / "metadata.jsonl").write_text(text)
    columns, values = kept(folder, model, "label", "score", "boxes", "yes")
    assert columns == {"label": "int32", "score": "float", "boxes": "string", "yes": "int32"}
    assert values == {
        "a.jpg": (1, 1.0, '{"é": [1]}', 1),
        "b.jpg": (None, None, None, None),
        "train/c.jpg": (None, 0.5, "[]", 0),
    }


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (None, "", "has neither metadata.csv nor metadata.jsonl, so no columns to keep"),
        ("metadata.csv", "file_name,text\na.jpg,x\n", "has no 'label': file_name, text"),
        ("metadata.csv", "name,label\na.jpg,x\n", "has no 'file_name': name, label"),
        ("metadata.csv", "", "has no 'file_name'"),
        ("metadata.jsonl", "[1]\n", "after line 0: expected an object"),
        ("metadata.jsonl", "{" * 200_000, "after line 0"),
        ("metadata.jsonl", "[" * 200_000, "after line 0"),
        ("metadata.csv", "x" * (1 << 21), "a line of 1,048,576 characters or more"),
    ],
)
def test_lists_that_say_nothing_are_refused_before_anything_is_done(
    name, text, message, folder, model
):
    if name:
        (folder / name).write_text(text)
    with pytest.raises(SourceError) as caught:
        kept(folder, model, "label")
    assert message in str(caught.value)
    assert not (folder.parent / "t").exists()


@pytest.mark.parametrize("name", ["../f/a.jpg", "/etc/a.jpg", ""])
def test_lists_name_only_what_is_below(name, folder, model):
    rows = [{"file_name": "a.jpg", "label": 1}, {"file_name": name or None, "label": 2}]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(SourceError, match=r"metadata.jsonl', line 2: '.*' is no file below"):
        kept(folder, model, "label")
    assert len(penult.open(folder.parent / "t")) == 3


def test_files_beside_a_folder_still_have_no_columns(folder, photos, model):
    (folder / "metadata.csv").write_text("file_name,label\na.jpg,1\n")
    with pytest.raises(SourceError, match=r"hens.jpg' is no table, so has no columns to keep"):
        penult.extract(
            [folder, photos / "hens.jpg"], model, out=folder.parent / "t", keep=["label"]
        )
