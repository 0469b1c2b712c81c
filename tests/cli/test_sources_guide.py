"""The commands of docs/guides/sources.md, on small data."""

import re
import shlex
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archives import tar
from typer.testing import CliRunner

import penult
from penult.cli import app

PHOTOS = ("espresso.jpg", "hens.jpg")


@pytest.fixture
def data(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {name: (photos / name).read_bytes() for name in PHOTOS}
    for n in range(4):
        tar(tmp_path / f"shards-{n:04}.tar", files.items())
    with zipfile.ZipFile("photos.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    images = [{"bytes": each, "path": name} for name, each in files.items()]
    table = pa.table({"id": [7, 8], "label": [0, 1], "image": images})
    pq.write_table(table, "train.parquet")
    (tmp_path / "dataset").mkdir()
    path = tmp_path / "dataset/data-00000-of-00001.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)


def test_each_command_of_the_guide_does_what_it_says(data, request):
    guide = request.config.rootpath / "docs/guides/sources.md"
    commands = re.findall(r"^\$ penult (.*)$", guide.read_text(encoding="utf-8"), re.M)
    assert len(commands) == 10
    for command in commands:
        result = CliRunner().invoke(app, shlex.split(command))
        assert result.exit_code == 0, (command, result.output, result.exception)
    assert len(penult.open("shards.lance")) == 8
    assert penult.open("train.lance").keys == ["train.parquet#image/0", "train.parquet#image/1"]
    assert penult.open("named.lance").keys == ["7", "8"]
    assert penult.open("named.lance").columns == {"label": "int32"}
    assert len(penult.open("dataset.lance")) == 2
    assert penult.open("all.lance").keys == ["photos.zip#espresso.jpg", "photos.zip#hens.jpg"]
