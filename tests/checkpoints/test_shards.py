"""Checkpoints in several files with an index, and an index that says other than they hold."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from penult.checkpoints import open_checkpoint
from penult.checkpoints.shards import MAX_INDEX, MAX_SHARDS

FORMATS = Path(__file__).parent / "data/formats"
INDEX = "model.safetensors.index.json"


@pytest.fixture
def write(tmp_path):
    """Write an index, and two files with a tensor each, `a` and `b`."""

    def write_index(places, **files):
        for name, tensors in ({"1.st": ["a"], "2.st": ["b"]} | files).items():
            save_file({each: np.ones(2, np.float32) for each in tensors}, tmp_path / name)
        path = tmp_path / INDEX
        text = places if isinstance(places, str) else json.dumps({"weight_map": places})
        path.write_text(text, encoding="utf-8")
        return path

    return write_index


def test_all_files_are_one_checkpoint():
    checkpoint = open_checkpoint(FORMATS / INDEX)
    assert checkpoint.format == "safetensors, in 2 files"
    assert checkpoint.path == FORMATS / INDEX
    assert [each.path.name for each in checkpoint.files] == [
        INDEX,
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ]
    sums = b"".join(each.sha256() for each in checkpoint.files)
    assert checkpoint.digest() == hashlib.sha256(sums).hexdigest()


def test_one_of_the_files_leads_to_all(tmp_path):
    name = "model-00002-of-00002.safetensors"
    assert len(open_checkpoint(FORMATS / name)) == 8
    shutil.copyfile(FORMATS / name, tmp_path / name)
    assert len(open_checkpoint(tmp_path / name)) == 5


def test_the_order_is_that_of_the_index(write, read_all):
    assert list(read_all(write({"b": "2.st", "a": "1.st"}))) == ["b", "a"]


def test_pytorchs_files_have_an_index_too(tmp_path, read_all):
    shutil.copyfile(FORMATS / "zip_state_dict.pth", tmp_path / "1.bin")
    shutil.copyfile(FORMATS / "views_and_dtypes.pth", tmp_path / "2.bin")
    names = {name: list(open_checkpoint(tmp_path / name)) for name in ("1.bin", "2.bin")}
    places = {each: name for name, tensors in names.items() for each in tensors}
    path = tmp_path / "pytorch_model.bin.index.json"
    path.write_text(json.dumps({"weight_map": places}))
    assert list(read_all(path)) == [*names["1.bin"], *names["2.bin"]]
    assert open_checkpoint(path).format == "PyTorch (zip), in 2 files"


BOTH = {"a": "1.st", "b": "2.st"}
LARGE = {f"{n}": f"{n}.st" for n in range(MAX_SHARDS + 1)}


@pytest.mark.parametrize(
    ("places", "reason"),
    [
        ("{", "index that isn't proper JSON"),
        ('{"weight_map": {"a": "1.st", "a": "2.st"}}', "the same key twice"),
        ("{" * 100_000, "index that isn't proper JSON"),
        ("{}", "an index without its weight_map"),
        ({}, "an index without its weight_map"),
        ('{"weight_map": ["a"]}', "an index without its weight_map"),
        ({"a": 1}, "'1' isn't the name of a file in the index's folder"),
        ({"a": "5.st"}, "'5.st' belongs to it, no such file or directory; fetch both again"),
        ({**BOTH, "c": "2.st"}, "tensor 'c' isn't in '2.st'; fetch both again"),
        ({"a": "2.st", "b": "1.st"}, "tensor 'a' isn't in '2.st'; fetch both again"),
        ({**BOTH, "c": "3.st"}, "tensor 'a' is in '1.st' and '3.st'; fetch both again"),
        ({"a": "1.st", "c": "4.st"}, "tensor 'd' of '4.st' isn't in the index; fetch both again"),
        ({"a": INDEX}, "neither safetensors nor PyTorch's, though an index names it"),
        (LARGE, f"an index of {MAX_SHARDS + 1} files, at most {MAX_SHARDS} are read"),
        ("{" + " " * MAX_INDEX, f"bytes, at most {MAX_INDEX} are read"),
    ],
)
def test_an_index_that_disagrees_is_refused(places, reason, write, refusal):
    path = write(places, **{"3.st": ["a", "c"], "4.st": ["c", "d"]})
    assert reason in refusal(path)


@pytest.mark.parametrize(
    "name", ["../1.st", "/etc/hosts", "a/1.st", "a\\1.st", "C:1.st", "", ".", "..", "1\0.st", "1\n"]
)
def test_a_file_elsewhere_is_not_named(name, write, refusal):
    assert "isn't the name of a file in the index's folder" in refusal(write({"a": name}))


def test_a_link_out_of_the_folder_is_refused(write, refusal, tmp_path):
    path = write({"a": "1.st"})
    (tmp_path / "elsewhere").mkdir()
    shutil.move(tmp_path / "1.st", tmp_path / "elsewhere/1.st")
    (tmp_path / "1.st").symlink_to("elsewhere/1.st")
    assert "'1.st' is a link out of the folder; put the file itself there" in refusal(path)


def test_links_to_where_the_index_lies_are_followed(write, read_all, tmp_path):
    """As in Hugging Face's cache, where a snapshot is a folder of links to blobs."""
    write(BOTH)
    (tmp_path / "snapshot").mkdir()
    for name in (INDEX, *BOTH.values()):
        (tmp_path / "snapshot" / name).symlink_to(f"../{name}")
    assert list(read_all(tmp_path / "snapshot" / INDEX)) == ["a", "b"]
