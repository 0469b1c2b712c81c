"""WebDataset's sidecars as columns of the table of features."""

import io
import tarfile

import pytest
from archives import pack, zipped
from bucket import served
from PIL import Image

import penult
from penult.errors import SourceError
from penult.images import sidecars

KINDS = ["s.tar", "s.tar.gz", "s.zip"]


def picture(n):
    raw = io.BytesIO()
    Image.new("RGB", (40, 40), (n, 2 * n, 3 * n)).save(raw, "PNG")
    return raw.getvalue()


def samples():
    """Three samples, the second of two pictures, the third without a text."""
    return {
        "a/1.cls": b" 7\n",
        "a/1.png": picture(1),
        "a/1.txt": "ein Käse".encode(),
        "a/1.json": b'{"x": 1}',
        "b.c/2.png": picture(2),
        "b.c/2.mask.png": picture(3),
        "b.c/2.cls": b"-3",
        "b.c/2.TXT": b"two",
        "./d/3.png": picture(4),
        "d/3.cls": b"0",
    }


def kept(features, *names):
    facts = features.facts([*names])
    return dict(
        zip(features.keys, zip(*(facts[n].to_pylist() for n in names), strict=True), strict=True)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_sidecars_become_columns(kind, model, tmp_path):
    path = pack(tmp_path / kind, samples())
    features = penult.extract(path, model, out=tmp_path / "t", keep=["cls", "txt", "json"])
    assert features.columns == {"cls": "int32", "txt": "string", "json": "string"}
    assert kept(features, "cls", "txt", "json") == {
        f"{kind}#a/1.png": (7, "ein Käse", '{"x": 1}'),
        f"{kind}#b.c/2.mask.png": (-3, "two", None),
        f"{kind}#b.c/2.png": (-3, "two", None),
        f"{kind}#d/3.png": (0, None, None),
    }


def test_sidecars_are_found_in_buckets_and_shards(model, tmp_path, monkeypatch):
    path = pack(tmp_path / "s.tar", samples())
    options = {"model": model, "keep": ["cls"]}
    found = {}
    with served({"s.tar": path.read_bytes()}, monkeypatch):
        for n in (1, 2):
            part = penult.extract("s3://b/s.tar", out=tmp_path / f"{n}", shard=f"{n}/2", **options)
            found |= kept(part, "cls")
    assert sorted(found.values()) == [(-3,), (-3,), (0,), (7,)]


def test_a_class_that_is_no_number_makes_all_texts(model, tmp_path):
    path = pack(tmp_path / "s.tar", samples() | {"d/3.cls": b"cat"})
    features = penult.extract(path, model, out=tmp_path / "t", keep=["cls"])
    assert features.columns == {"cls": "string"}
    assert kept(features, "cls")["s.tar#a/1.png"] == ("7",)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_there_is_refused_before_anything_is_done(kind, model, tmp_path):
    path = pack(tmp_path / kind, samples())
    with pytest.raises(SourceError, match=r"has no 'label' beside its images, but cls, json, txt$"):
        penult.extract(path, model, out=tmp_path / "t", keep=["label"])
    assert len(penult.open(tmp_path / "t")) == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bytes(sidecars.SIDECAR_BYTES + 1), "'d/3.cls': 65,537 bytes, at most 65,536 are kept"),
        (b"\xff\xfe", r"'d/3.cls' is no text in UTF-8 \(invalid start byte\)"),
    ],
)
def test_sidecars_are_bounded_and_texts(data, message, kind, model, tmp_path):
    path = pack(tmp_path / kind, samples() | {"d/3.cls": data})
    with pytest.raises(SourceError, match=message):
        penult.extract(path, model, out=tmp_path / "t", keep=["cls"])
    assert len(penult.open(tmp_path / "t")) == 4  # what was computed stays


def test_all_of_a_kind_are_bounded(model, tmp_path, monkeypatch):
    monkeypatch.setattr(sidecars, "ALL_BYTES", 5)
    path = pack(tmp_path / "s.tar", samples())
    with pytest.raises(SourceError, match=r"'d/3.cls': 6 bytes, at most 5 are kept"):
        penult.extract(path, model, out=tmp_path / "t", keep=["cls"])


def test_a_cut_archive_keeps_what_came_before(model, tmp_path):
    path = pack(tmp_path / "s.tar", samples())
    with tarfile.open(path) as members:
        place = members.getmember("b.c/2.TXT").offset_data
    path.write_bytes(path.read_bytes()[: place + 1])
    features = penult.extract(path, model, out=tmp_path / "t", keep=["txt"])
    assert kept(features, "txt") == {
        **{"s.tar#a/1.png": ("ein Käse",), "s.tar#b.c/2.png": (None,)},
        "s.tar#b.c/2.mask.png": (None,),
    }


def test_a_damaged_sidecar_of_a_zip_is_said(model, tmp_path):
    path = zipped(tmp_path / "s.zip", samples().items(), how=0)
    path.write_bytes(path.read_bytes().replace("ein Käse".encode(), b"ein Kaese"))
    with pytest.raises(SourceError, match=r"'a/1.txt': its checksum in the archive is another one"):
        penult.extract(path, model, out=tmp_path / "t", keep=["txt"])


def test_an_archive_of_many_kinds_takes_no_memory_for_them():
    kinds = sidecars.Kinds()
    for n in range(1000):
        kinds.add(f"a/1.x{n}")
    assert len(kinds._found) == sidecars.KINDS
    kinds.require(["any"], "s.tar")  # which may be among those that aren't known
