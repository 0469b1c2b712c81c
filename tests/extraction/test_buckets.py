"""Tables of buckets: a folder's features, bit for bit, and what is done with them."""

import io
import json
import os
import signal
import subprocess
import sys
import traceback
from contextlib import closing

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archives import pack
from bucket import SECRETS, Bucket, served
from PIL import Image
from typer.testing import CliRunner

import penult
from penult.analysis import filing
from penult.cli import app
from penult.errors import ImageError, SourceError, StoreError
from penult.exports.copying import copies
from penult.extraction import row_files
from penult.images import object_stores, stores
from penult.viewer.content import Content
from penult.viewer.findings import of_duplicates, of_table
from penult.viewer.sheet import write_sheet

KINDS = {  # what is named -> where the images are in it
    "s3://b/in": "s3://b/in/",
    "gs://b/in/": "gs://b/in/",
    "az://b/in": "az://b/in/",
    "memory://b/in": "memory://b/in/",
    "s3://b/s.tar": "s3://b/s.tar#",
    "az://b/s.tar.gz": "az://b/s.tar.gz#",
    "gs://b/s.zip": "gs://b/s.zip#",
    "s3://b/s.parquet": "",
    "memory://b/s.parquet": "",
}


@pytest.fixture(scope="module")
def objects(images, tmp_path_factory):
    root = tmp_path_factory.mktemp("archives")
    packed = [pack(root / f"s.{kind}", images) for kind in ("tar", "tar.gz", "zip", "parquet")]
    files = {path.name: path.read_bytes() for path in packed}
    return files | {f"in/{name}": data for name, data in images.items()}


@pytest.fixture
def bucket(objects, monkeypatch):
    monkeypatch.setattr(object_stores, "RETRIES", 1)
    memory = fsspec.filesystem("memory")
    for name, data in objects.items():
        memory.pipe(f"/b/{name}", data)
    with served(objects, monkeypatch) as bucket:
        yield bucket
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


def extract(source, model, table, **options):
    if source.endswith(".parquet"):
        options["key"] = "name"
    return penult.extract(source, model, out=table, **options)


@pytest.mark.parametrize("source", KINDS)
def test_a_bucket_gives_what_its_folder_does(source, bucket, whole, model, tmp_path):
    start, table = KINDS[source], tmp_path / "t.lance"
    features = extract(source, model, table)
    assert [key.removeprefix(start) for key in features.keys] == whole.keys
    assert features.numpy().tobytes() == whole.numpy().tobytes()
    failures = {key.removeprefix(start): why for key, why in features.failures.items()}
    assert failures == whole.failures != {}
    assert penult.verify(table, n="all").compared == len(whole)
    assert features.search(features.keys[0], 2)[0].key == f"{start}copy.jpg"
    counts = []
    extract(source, model, table, progress=counts.append)
    assert (counts[-1].ok, counts[-1].skipped) == (0, len(whole))
    found = features.duplicates()
    [group] = found.groups
    assert group.drop[0].exact
    assert not found.unread


@pytest.mark.parametrize("source", ["s3://b/in", "gs://b/s.zip", "s3://b/s.parquet"])
def test_pictures_come_from_buckets(source, bucket, model, tmp_path):
    features = extract(source, model, tmp_path / "t.lance")
    content = Content(features)
    try:
        for row in range(len(features)):
            assert Image.open(io.BytesIO(content.thumbnail(content.edition, row))).size == (
                240,
                180,
            )
    finally:
        content.close()
    found = features.duplicates()
    assert write_sheet(tmp_path / "d.html", "d", of_duplicates(features, found)).missing == 0
    assert write_sheet(tmp_path / "t.html", "t", of_table(features)).missing == 0
    with pytest.raises(SourceError, match="is in a bucket: nothing was done"):
        filing.move(found, tmp_path / "out", root=tmp_path)
    with pytest.raises(StoreError, match="isn't a file, and this format names files"):
        features.export(tmp_path / "b.parquet", program="spotlight")
    features.export(tmp_path / "a.parquet", program="atlas")
    assert pq.read_table(tmp_path / "a.parquet")["image"].null_count == 0


@pytest.fixture
def sent(bucket, model, tmp_path, monkeypatch):
    """A table as one gets it from others: its buckets were named in no command of this process."""
    features = penult.extract(["s3://b/in", "gs://b/s.zip"], model, out=tmp_path / "t.lance")
    monkeypatch.setattr(stores, "_allowed", set())
    bucket.asked.clear()
    return features


def test_a_table_has_no_bucket_contacted(sent, bucket, model, tmp_path):
    out = tmp_path / "out"
    assert sent.duplicates().unread == len(sent)
    verified = penult.verify(sent.path, n="all")
    assert verified.failures.keys() == {*sent.keys}
    assert not verified.ok
    sent.export(tmp_path / "a.parquet", program="atlas")
    assert pq.read_table(tmp_path / "a.parquet")["image"].null_count == len(sent)
    sent.export(tmp_path / "board", program="tensorboard")
    assert write_sheet(tmp_path / "t.html", "t", of_table(sent)).missing == len(sent)
    assert "--remote gs://b (in Python: allow_remote)" in sent._repr_html_()
    with closing(Content(sent)) as content:
        for row in range(len(sent)):
            with pytest.raises(ImageError, match="is contacted only if you name it"):
                content.image(content.edition, row)
        files = content.edition.files(np.arange(len(sent)))
        assert not any(each.path for each in copies(files, out))
        assert content.edition.meta()["out_of_reach"].startswith("out of reach: 14 images in '")
    with pytest.raises(StoreError, match=r"of 14 of its images no .*--remote (s3|gs)://b "):
        penult.extract("examples/photos/hens.jpg", out=sent.path, layer="stem")
    assert bucket.asked == []


def test_a_bucket_that_is_named_is_contacted(sent, bucket):
    penult.allow_remote("s3://b")
    said = row_files.out_of_reach(sent.facts(["path"])["path"])
    assert said == (
        "out of reach: 7 images in 'gs://b', which is contacted only if you name it: "
        "--remote gs://b (in Python: allow_remote)"
    )
    assert penult.verify(sent.path, n="all").compared == 7
    penult.allow_remote("gs://b")
    assert row_files.out_of_reach(sent.facts(["path"])["path"]) == ""
    assert penult.verify(sent.path, n="all").compared == 14


def test_a_command_says_which_buckets_to_name(sent, bucket):
    def run(*options):
        command = [sys.executable, "-m", "penult", "duplicates", sent.path, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stderr.splitlines()

    line = (
        "penult: out of reach: 14 images in 'gs://b' (7), 's3://b' (7), which are contacted only "
        "if you name them: --remote ADDRESS (in Python: allow_remote)"
    )
    assert run()[0] == line
    assert bucket.asked == []
    assert not any("--remote" in said for said in run("--remote", "s3://b", "--remote=gs://b"))
    assert bucket.asked != []


def test_of_many_buckets_some_are_named():
    places = [f"s3://b{n}/{k}.jpg" for n in range(6) for k in range(n + 1)]
    places += ["/a.jpg", None, "a://b", "http:/c.jpg", "s3://b5/x.tar#a\n.jpg"]
    said = row_files.out_of_reach(pa.chunked_array([places]))
    assert "23 images in 's3://b5' (7), 's3://b4' (5), 's3://b3' (4), 4 others, which are" in said
    one = pa.chunked_array([["https://host/a.jpg"]])
    assert row_files.out_of_reach(one).endswith("a web address, which no table has contacted")


def test_what_has_changed_is_done_again(bucket, images, model, tmp_path):
    options = {"out": tmp_path / "t.lance", "prune": True}
    penult.extract("s3://b/in", model, **options)
    bucket.objects = {**bucket.objects, "in/0/0.jpeg": images["1/3.jpeg"]}
    del bucket.objects["in/copy.jpg"]
    result = penult.verify(tmp_path / "t.lance", n="all")
    assert (result.changed, result.vanished) == (["s3://b/in/0/0.jpeg"], ["s3://b/in/copy.jpg"])
    counts = []
    features = penult.extract("s3://b/in", model, progress=counts.append, **options)
    assert (counts[-1].ok, counts[-1].removed) == (1, 1)
    assert (features["s3://b/in/0/0.jpeg"] == features["s3://b/in/1/3.jpeg"]).all()


def test_objects_with_trouble_are_rows_and_are_tried_again(bucket, model, tmp_path):
    well, options = bucket.troubles, {"out": tmp_path / "t.lance"}
    bucket.troubles = {
        "in/0/0.jpeg": [("status", (403, "AccessDenied"))],
        "in/0/2.bmp": [("status", (503, "SlowDown"))],
        "in/0/4.png": [("status", (404, "NoSuchKey"))],
        "in/1/3.jpeg": [("size", 1)],
        "in/1/5.jpeg": [("status", (503, "SlowDown")), ("well", None)],
    }
    features = penult.extract("s3://b/in", model, **options)
    assert len(features) == 3
    assert len(features.failures) == 5
    assert features.failures["s3://b/in/0/2.bmp"].startswith("unreadable: the server is busy (503")
    bucket.troubles = well
    assert len(penult.extract("s3://b/in", model, **options)) == 7


def test_expired_credentials_end_the_run_and_lose_nothing(bucket, whole, model, tmp_path):
    options = {"out": tmp_path / "t.lance"}
    bucket.troubles["in/1/5.jpeg"] = [("status", (400, "ExpiredToken"))]
    with pytest.raises(SourceError, match=r"refuses the credentials \(400 ExpiredToken\): renew"):
        penult.extract("s3://b/in", model, **options)
    bucket.troubles.clear()
    counts = []
    features = penult.extract("s3://b/in", model, progress=counts.append, **options)
    assert features.numpy().tobytes() == whole.numpy().tobytes()


def test_verify_says_what_it_cannot_reach(bucket, model, tmp_path):
    penult.extract("s3://b/in", model, out=tmp_path / "t.lance")
    bucket.refusal = (400, "ExpiredToken")
    with pytest.raises(SourceError, match="refuses the credentials"):
        penult.verify(tmp_path / "t.lance", n="all")


def test_shards_of_a_bucket_are_merged(bucket, whole, model, tmp_path):
    parts = [tmp_path / f"{n}.lance" for n in (1, 2)]
    for n, part in enumerate(parts, 1):
        penult.extract(["s3://b/s.tar", "s3://b/in"], model, out=part, shard=f"{n}/2")
    merged = penult.merge(tmp_path / "all.lance", parts)
    assert len(merged) == 2 * len(whole)


def test_a_list_names_objects_and_files(bucket, photos, model, tmp_path):
    lines = [f"{photos}/hens.jpg", "s3://b/in/copy.jpg", "gs://b/s.zip", "az://b/none.jpg"]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    features = penult.extract(from_file=tmp_path / "list.txt", model=model, out=tmp_path / "t")
    assert len(features) == 2 + 7
    assert features.failures["az://b/none.jpg"] == "unreadable: there is no such object"


def test_a_table_is_named_after_an_address(bucket, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for source, name in (
        *(("s3://b/in/", "in"), ("gs://b/s.tar", "s"), ("s3://b/in/0/*.png", "features")),
        ("s3://b/in/copy.jpg", "copy"),
    ):
        result = CliRunner().invoke(app, ["extract", source, "--allow-failures"])
        assert result.exit_code == 0, result.output
        assert (tmp_path / f"{name}.lance").is_dir()


def test_a_run_that_was_killed_goes_on(bucket, whole, tmp_path):
    script = (
        "import os, signal, sys, penult\n"
        "from penult.extraction import run\n"
        "run.COMMIT_ROWS = 2\n"
        "stop = lambda counts: counts.ok == 5 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "penult.extract('s3://b/in', out=sys.argv[1], progress=stop)\n"
    )
    table = tmp_path / "t.lance"
    done = subprocess.run([sys.executable, "-c", script, table], check=False)
    assert done.returncode == -signal.SIGKILL
    begun = len(penult.open(table))
    assert 0 < begun < len(whole)
    counts = []
    bucket.asked.clear()
    features = penult.extract("s3://b/in", out=table, progress=counts.append)
    assert counts[-1].skipped == begun
    assert len([each for each in bucket.asked if each[0] == "GET"]) == 1 + len(whole) + 1 - begun
    assert features.numpy().tobytes() == whole.numpy().tobytes()


def command(*arguments):
    """What a command says, with the traceback of what went wrong."""
    result = CliRunner().invoke(app, arguments)
    return result.output + "".join(traceback.format_exception(result.exception or KeyError()))


def test_no_secret_is_in_a_table_or_said(bucket, tmp_path):
    """What the environment holds, and an address is refused for, is nowhere afterwards."""
    secrets = [*SECRETS.values(), "hidden-in-the-address"]
    bucket.troubles["in/0/0.jpeg"] = [("status", (403, "SignatureDoesNotMatchAtAll"))]
    table = tmp_path / "t.lance"
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-m", "penult", "extract", "s3://b/in", "-o", table],
        env=os.environ | {"RUST_LOG": "trace", "RUST_BACKTRACE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    for source in ("s3://k:hidden-in-the-address@b/in", "s3://b/a?sig=hidden-in-the-address"):
        said += command("extract", source, "-o", str(table))
    said += command("verify", str(table)) + command("failures", str(table))
    said += command("export", str(table), str(tmp_path / "t.parquet"))
    bucket.refusal = (403, "InvalidAccessKeyId")
    said += command("extract", "s3://none/in", "-o", str(table))
    assert "s3://b/in" in said
    assert "403 InvalidAccessKeyId" in said
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"s3://b/in/copy.jpg" in data for data in files)
    for secret in secrets:
        assert secret not in said
        assert not any(secret.encode() in data for data in files)


@pytest.mark.slow
def test_memory_is_flat_over_100_000_objects(tmp_path):
    """As they are listed and fetched; what planning takes is another matter."""
    script = (
        "import json, psutil\n"
        "from penult.images import find_images\n"
        "from penult.images.ahead import ReadAhead\n"
        "memory = lambda: psutil.Process().memory_info().rss / 1e6\n"
        "marks, count = [], 0\n"
        "ahead = ReadAhead(1 << 20)\n"
        "for image in ahead.over(item.image for item in find_images('s3://b/many')):\n"
        "    count += len(image.read(1 << 20)) > 0\n"
        "    if count in (10_000, 100_000):\n"
        "        marks.append(memory())\n"
        "ahead.close()\n"
        "print(json.dumps([count, *marks]))\n"
    )
    with Bucket({f"many/{n:06}.jpg": b"x" * 500 for n in range(100_000)}) as bucket:
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | bucket.environment(),
            capture_output=True,
            check=True,
        )
    count, early, late = json.loads(done.stdout)
    assert count == 100_000
    assert late - early < 20, (early, late)
