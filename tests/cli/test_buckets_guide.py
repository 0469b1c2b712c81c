"""The commands of docs/guides/buckets.md, on a bucket of this machine."""

import io
import re
import shlex

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archives import tar
from bucket import served
from typer.testing import CliRunner

import penult
from penult.cli import app
from penult.cli.voice import Anywhere

PHOTOS = ("espresso.jpg", "hens.jpg")


@pytest.fixture
def data(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {name: (photos / name).read_bytes() for name in PHOTOS}
    raw = io.BytesIO()
    images = [{"bytes": each} for each in files.values()]
    pq.write_table(pa.table({"label": [0, 1], "image": images}), raw)
    objects = {f"2026/06/{n}.jpg": each for n, each in zip("ab", files.values(), strict=True)}
    objects |= {"b.jpg": files["hens.jpg"], "x/train.parquet": raw.getvalue()}
    for n in range(2):
        objects[f"shards-{n:04}.tar"] = tar(tmp_path / "s.tar", files.items()).read_bytes()
    (tmp_path / "list.txt").write_text("s3://photos/b.jpg\nphoto.jpg\n")
    (tmp_path / "photo.jpg").write_bytes(files["espresso.jpg"])
    with served(objects, monkeypatch) as bucket:
        yield bucket


def test_each_command_of_the_guide_does_what_it_says(data, request):
    guide = (request.config.rootpath / "docs/guides/buckets.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ penult (.*)$", guide, re.M)
    assert len(commands) == 6
    for command in commands:
        taken = Anywhere.take(shlex.split(command))
        penult.allow_remote(*taken.remote)
        result = CliRunner().invoke(app, taken.rest)
        assert result.exit_code == 0, (command, result.output, result.exception)
    assert penult.open("photos.lance").keys == [f"s3://photos/2026/06/{n}.jpg" for n in "ab"]
    assert penult.open("two.lance").keys == ["gs://other/b.jpg", "s3://photos/2026/06/a.jpg"]
    assert len(penult.open("shards.lance")) == 4
    assert penult.open("train.lance").columns == {"label": "int32"}
    assert penult.open("listed.lance").keys == ["photo.jpg", "s3://photos/b.jpg"]
