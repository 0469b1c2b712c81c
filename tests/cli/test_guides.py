"""The commands of the guides to tasks and sources, on small data."""

import io
import json
import re
import shlex
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archives import tar, zipped
from bucket import served
from typer.testing import CliRunner

import penult
from penult.cli import app
from penult.cli.voice import Anywhere

PHOTOS = ("espresso.jpg", "hens.jpg")


@pytest.fixture
def files(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return {name: (photos / name).read_bytes() for name in PHOTOS}


@pytest.fixture
def run(request):
    """Does what a guide says."""

    def every(name, count):
        guide = request.config.rootpath / "docs/guides" / name
        commands = re.findall(r"^\$ penult (.*)$", guide.read_text(encoding="utf-8"), re.M)
        assert len(commands) == count
        for command in commands:
            taken = Anywhere.take(shlex.split(command))
            penult.allow_remote(*taken.remote)
            result = CliRunner().invoke(app, taken.rest)
            assert result.exit_code == 0, (command, result.output, result.exception)

    return every


def facts(table, name):
    return penult.open(table).facts([name])[name].to_pylist()


def write_stream(folder, table):
    """Write a table as the library datasets does."""
    folder.mkdir(parents=True)
    path = str(folder / "data-00000-of-00001.arrow")
    with pa.OSFile(path, "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)


def test_the_guide_to_sources(files, run, tmp_path):
    for n in range(4):
        tar(tmp_path / f"shards-{n:04}.tar", files.items())
    zipped(tmp_path / "photos.zip", files.items())
    images = [{"bytes": each, "path": name} for name, each in files.items()]
    table = pa.table({"id": [7, 8], "label": [0, 1], "image": images})
    pq.write_table(table, "train.parquet")
    write_stream(tmp_path / "dataset", table)
    run("sources.md", 10)
    assert len(penult.open("shards.lance")) == 8
    assert penult.open("train.lance").keys == ["train.parquet#image/0", "train.parquet#image/1"]
    assert penult.open("named.lance").keys == ["7", "8"]
    assert penult.open("named.lance").columns == {"label": "int32"}
    assert len(penult.open("dataset.lance")) == 2
    assert penult.open("all.lance").keys == ["photos.zip#espresso.jpg", "photos.zip#hens.jpg"]


def test_the_guide_to_buckets(files, run, tmp_path, monkeypatch):
    raw = io.BytesIO()
    images = [{"bytes": each} for each in files.values()]
    pq.write_table(pa.table({"label": [0, 1], "image": images}), raw)
    objects = {f"2026/06/{n}.jpg": each for n, each in zip("ab", files.values(), strict=True)}
    objects |= {"b.jpg": files["hens.jpg"], "x/train.parquet": raw.getvalue()}
    for n in range(2):
        objects[f"shards-{n:04}.tar"] = tar(tmp_path / "s.tar", files.items()).read_bytes()
    (tmp_path / "list.txt").write_text("s3://photos/b.jpg\nphoto.jpg\n")
    (tmp_path / "photo.jpg").write_bytes(files["espresso.jpg"])
    with served(objects, monkeypatch):
        run("buckets.md", 6)
    assert penult.open("photos.lance").keys == [f"s3://photos/2026/06/{n}.jpg" for n in "ab"]
    assert penult.open("two.lance").keys == ["gs://other/b.jpg", "s3://photos/2026/06/a.jpg"]
    assert len(penult.open("shards.lance")) == 4
    assert penult.open("train.lance").columns == {"label": "int32"}
    assert penult.open("listed.lance").keys == ["photo.jpg", "s3://photos/b.jpg"]


def test_the_guide_to_webdataset(files, run, tmp_path):
    for n in range(4):
        members = {}
        for label, (name, data) in enumerate(files.items()):
            stem = name.removesuffix(".jpg")
            members |= {f"{stem}.cls": b"%d" % label, name: data, f"{stem}.txt": stem.encode()}
        tar(tmp_path / f"shards-{n:04}.tar", members.items())
    run("webdataset.md", 3)
    assert penult.open("shards.lance").columns == {"cls": "int32", "txt": "string"}
    assert facts("shards.lance", "txt") == ["espresso", "hens"] * 4
    assert pq.read_table("shards.parquet")["cls"].to_pylist() == [0, 1] * 4


def test_the_guide_to_hugging_face(files, run, tmp_path):
    images = [{"bytes": data, "path": name} for name, data in files.items()]
    table = pa.table({"image": images, "label": [3, 4]})
    for folder in ("hub/data", "imagefolder"):
        (tmp_path / folder).mkdir(parents=True)
    write_stream(tmp_path / "saved", table)
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}
    (tmp_path / "saved/state.json").write_text(json.dumps(state))
    pq.write_table(table, tmp_path / "hub/data/train-00000-of-00001.parquet")
    for name, data in files.items():
        (tmp_path / "imagefolder" / name).write_bytes(data)
    text = "file_name,label\nespresso.jpg,3\nhens.jpg,4\n"
    (tmp_path / "imagefolder/metadata.csv").write_text(text)
    run("huggingface.md", 4)
    vectors = set()
    for name in ("saved", "hub", "images"):
        assert facts(f"{name}.lance", "label") == [3, 4]
        vectors.add(penult.open(f"{name}.lance").numpy().tobytes())
    assert len(vectors) == 1


def test_the_guide_to_slurm(files, run, photos, tmp_path):
    (tmp_path / "photos").mkdir()
    for name in (*PHOTOS, "rocket.jpg"):
        shutil.copy(photos / name, tmp_path / "photos")
    run("slurm.md", 3)
    assert penult.open("all.lance").keys == [*PHOTOS, "rocket.jpg"]
