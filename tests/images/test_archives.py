"""Images in archives: which are listed, under which names, and what becomes of bad ones."""

import gzip
import io
import os
import random
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import psutil
import pytest
from archives import info, tar, zipped

from penult.errors import ImageError, SourceError
from penult.images import Version, as_key, find_images, from_key, tar_archive
from penult.images.containers import is_gone, item_at, open_container
from penult.images.kept import Kept
from penult.images.names import CONTAINERS, within

KINDS = [".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".zip"]
LIMIT = 1 << 28


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def packed(name, members):
    write = zipped if name.endswith(".zip") else tar
    return write(Path(name), members)


def listed(*args, **kwargs):
    """Bytes by key, or why there are none."""
    return {item.key: tried(item) for item in find_images(*args, **kwargs)}


def tried(item):
    try:
        return item.image.read(LIMIT)
    except ImageError as error:
        return str(error)


@pytest.mark.parametrize("kind", KINDS)
def test_members_are_items_in_their_order(kind):
    members = [("b/2.jpg", b"two"), ("a#1.PNG", b"one"), ("b/3.jpg", b"three" * 999)]
    name = f"shard{kind}"
    packed(name, members)
    assert listed(name) == {f"{name}#{member}": data for member, data in members}
    for item in find_images(name):
        assert item.place == f"{Path.cwd()}/{item.key}"
        assert item_at(item.place).digest() == item.digest()
        assert item.version() == (item.image.size, Path(name).stat().st_mtime_ns)


@pytest.mark.parametrize("kind", KINDS)
def test_any_order_and_any_thread_gets_the_same_bytes(kind, monkeypatch):
    monkeypatch.setattr(tar_archive, "KEPT", Kept(40_000))
    data = {f"{n}.jpg": random.Random(n).randbytes(n * 50) for n in range(60)}
    packed(f"s{kind}", data.items())
    items = [*find_images(f"s{kind}")] * 3
    random.Random(1).shuffle(items)
    with ThreadPoolExecutor(8) as threads:
        for item, read in zip(items, threads.map(tried, items), strict=True):
            assert read == data[item.key.partition("#")[2]]
    assert tar_archive.KEPT._bytes <= 40_000


def test_a_compressed_archive_is_read_forward_once(monkeypatch):
    packed("s.tar.gz", [(f"{n}.jpg", b"x" * 9000) for n in range(20)])
    items = [*find_images("s.tar.gz")]
    opened = []
    stream = tar_archive._PackedBytes
    monkeypatch.setattr(
        tar_archive, "_PackedBytes", lambda *args: opened.append(1) or stream(*args)
    )
    for at in (4, 1, 0, 2, 3, 11, 5, 19):
        assert items[at].image.read(LIMIT) == b"x" * 9000
    assert len(opened) == 1


def test_rules_are_those_of_a_folder():
    members = [("./a.jpg", b"1"), (".b.jpg", b""), ("d/.git/c.jpg", b""), ("notes.txt", b"")]
    members += [("__MACOSX/._a.jpg", b""), (info("soft.jpg", type=b"2", linkname="a.jpg"), b"")]
    members += [(info("null.jpg", type=tarfile.CHRTYPE), b""), (info("d.jpg", type=b"5"), b"")]
    tar(Path("s.tar"), members)
    assert listed("s.tar") == {"s.tar#a.jpg": b"1"}


def test_names_that_lead_out_are_only_names(tmp_path):
    names = ["../../out.jpg", "/etc/root.jpg", "a//b.jpg", "a\\b.jpg", "\udcff.jpg", "n\nl.jpg"]
    tar(Path("s.tar"), [(name, name.encode("utf-8", "surrogateescape")) for name in names])
    found = listed("s.tar")
    assert list(found) == [f"s.tar#{as_key(name)}" for name in names]
    assert [*found.values()] == [name.encode("utf-8", "surrogateescape") for name in names]
    assert [each.name for each in tmp_path.iterdir()] == ["s.tar"]
    for item in find_images("s.tar"):
        assert tried(item_at(item.place)) == tried(item)


@pytest.mark.parametrize(
    "path", ["d#1/a#2.jpg", "x.tar#y/a.jpg", "x.TAR.GZ#a.jpg", "x.zip\\#a.jpg", "x.tar\\\\#.jpg"]
)
def test_no_file_has_the_name_of_a_member(path):
    assert from_key(as_key(path)) == path
    assert within(as_key(path)) is None
    assert within(as_key(path) + ".zip#a.jpg") == (as_key(path) + ".zip", "a.jpg")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(b"file")
    [item] = find_images(".")
    assert from_key(item.key) == path
    assert Path(item_at(item.place).image).read_bytes() == b"file"


def test_keys_of_files_stay_as_they_were():
    assert as_key("IMG #1.jpg") == "IMG #1.jpg"
    assert all(as_key(f"a{suffix}") == f"a{suffix}" for suffix in CONTAINERS)


def test_several_archives_patterns_and_lists():
    for n in range(3):
        tar(Path(f"s-00{n}.tar"), [("a.jpg", b"%d" % n)])
    Path("b.jpg").write_bytes(b"b")
    shards = {f"s-00{n}.tar#a.jpg": b"%d" % n for n in range(3)}
    assert listed("s-*.tar") == listed("s-{000..002}.tar") == listed([*map(str, Path().glob("s*"))])
    assert listed("s-{000..002}.tar") == shards
    Path("list").write_text("s-000.tar\ns-001.tar\n./s-001.tar\n", encoding="utf-8")
    assert list(listed(from_file="list")) == ["s-000.tar#a.jpg", "s-001.tar#a.jpg"]
    assert [item.key for item in find_images(["s-000.tar", "b.jpg"])] == [
        "s-000.tar#a.jpg",
        "b.jpg",
    ]


def test_a_shard_that_is_missing_fails_alone():
    tar(Path("s-1.tar"), [("a.jpg", b"1")])
    tar(Path("s-3.tar"), [("a.jpg", b"3")])
    assert listed("s-{1..3}.tar") == {
        "s-1.tar#a.jpg": b"1",
        "s-2.tar#": "unreadable: No such file or directory",
        "s-3.tar#a.jpg": b"3",
    }


@pytest.mark.parametrize("source", ["s-{3..1}.tar", "s-{0..1000000}.tar"])
def test_a_range_of_none_or_too_many_is_refused(source):
    with pytest.raises(SourceError, match="expected 1 to 1,000,000"):
        find_images(source)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_archive_is_refused(kind):
    Path(f"a{kind}").write_bytes(b"Not Found")
    with pytest.raises(SourceError, match=rf"^can't read 'a{kind}': no (tar|zip) archive, or "):
        find_images(f"a{kind}")
    Path("b.tar").write_bytes(b"")
    with pytest.raises(SourceError, match="it ends before its first member"):
        find_images("b.tar")


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_without_images_is_refused(kind):
    packed(f"a{kind}", [("readme.txt", b"")])
    with pytest.raises(SourceError, match=rf"^no images in 'a{kind}': hidden"):
        find_images(f"a{kind}")


@pytest.mark.parametrize("kind", [".tar", ".tar.gz", ".tar.zst"])
def test_a_cut_archive_keeps_what_came_before(kind):
    data = {f"{n}.jpg": random.Random(n).randbytes(40_000) for n in range(5)}
    path = packed(f"s{kind}", data.items())
    path.write_bytes(path.read_bytes()[:130_000])
    *whole, last = listed(path).items()
    assert dict(whole) == {f"s{kind}#{n}.jpg": data[f"{n}.jpg"] for n in range(3)}
    assert last[0] == f"s{kind}#"
    assert "truncated: the archive is truncated from byte 1" in last[1]
    assert ", after 3 members" in last[1]
    assert not is_gone(f"{Path.cwd()}/s{kind}#4.jpg")


def test_an_archive_that_is_cut_between_members_is_told():
    data = tar(Path("s.tar"), [("a.jpg", bytes(512))]).read_bytes()
    Path("s.tar").write_bytes(data[:1024])
    assert list(listed("s.tar")) == ["s.tar#a.jpg", "s.tar#"]


def test_damage_in_the_middle_ends_the_list():
    data = bytearray(tar(Path("s.tar"), [(f"{n}.jpg", bytes(512)) for n in range(4)]).read_bytes())
    data[2048:2052] = b"\xff\xff\xff\xff"
    Path("s.tar").write_bytes(data)
    found = listed("s.tar")
    assert list(found) == ["s.tar#0.jpg", "s.tar#1.jpg", "s.tar#"]
    assert found["s.tar#"].startswith("damaged: the archive is damaged from byte 2,560 on, after 2")


def test_hard_links_sparse_members_duplicates_and_nested_archives():
    members = [("a.jpg", b"old"), (info("l.jpg", type=b"1", linkname="a.jpg"), b"")]
    members += [("b.jpg", b"b"), ("a.jpg", b"new"), ("more.tar", b"x")]
    members += [(info("s.jpg", type=b"S"), b"holes"), ("n" * 5000 + ".jpg", b"")]
    tar(Path("s.tar"), members, tarfile.GNU_FORMAT)
    found = listed("s.tar")
    complaint = found.pop("s.tar#")
    assert found == {
        "s.tar#l.jpg": b"old",
        "s.tar#b.jpg": b"b",
        "s.tar#a.jpg": b"new",
        "s.tar#s.jpg": "unsupported_format: a sparse member: pack it without holes",
    }
    assert complaint == (
        "unsupported_format: 1 archive in it isn't read: 'more.tar'; unpack it and name it; "
        "1 name twice, of which the later member is taken: 'a.jpg'; "
        "1 member with a name that none can have"
    )


def test_a_link_in_a_compressed_archive_fails():
    tar(Path("s.tgz"), [("a.jpg", b"a"), (info("l.jpg", type=b"1", linkname="a.jpg"), b"")])
    assert listed("s.tgz")["s.tgz#l.jpg"].startswith("unsupported_format: a link in a compressed")


def test_encrypted_members_and_other_methods_fail_alone():
    zipped(Path("s.zip"), [("a.jpg", b"a" * 99), ("b.jpg", b"b")])
    with zipfile.ZipFile("s.zip", "a") as archive:
        archive.writestr("c.jpg", b"c", zipfile.ZIP_LZMA)
    data = bytearray(Path("s.zip").read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    Path("s.zip").write_bytes(data)
    assert listed("s.zip") == {
        "s.zip#a.jpg": "unsupported_format: encrypted: unpack it with its password",
        "s.zip#b.jpg": b"b",
        "s.zip#c.jpg": "unsupported_format: packed by LZMA: pack it by deflate, or not",
    }


def test_a_zip_that_is_cut_is_refused():
    path = zipped(Path("s.zip"), [("a.jpg", random.Random(1).randbytes(9999))])
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(SourceError, match="no zip archive, or one that is cut"):
        find_images("s.zip")


def test_a_member_that_unpacks_to_more_than_it_says_is_refused():
    zipped(Path("s.zip"), [("a.jpg", bytes(10_000_000)), ("b.jpg", bytes(99))])
    data = bytearray(Path("s.zip").read_bytes())
    at = data.index(b"PK\1\2")
    data[at + 24 : at + 28] = (50).to_bytes(4, "little")
    Path("s.zip").write_bytes(data)
    found = listed("s.zip")
    assert found["s.zip#a.jpg"].startswith("truncated: ")
    assert found["s.zip#b.jpg"] == bytes(99)


def test_a_zip_whose_bytes_were_changed_is_damaged():
    zipped(Path("s.zip"), [("a.jpg", b"abcdefgh"), ("b.jpg", b"b")], zipfile.ZIP_STORED)
    data = bytearray(Path("s.zip").read_bytes())
    data[data.index(b"abcdefgh")] ^= 1
    Path("s.zip").write_bytes(data)
    assert listed("s.zip")["s.zip#a.jpg"].startswith("damaged: its checksum")


def test_large_members_are_refused_unread():
    for kind in KINDS:
        packed(f"s{kind}", [("a.jpg", bytes(5000)), ("b.jpg", b"b")])
        large, small = find_images(f"s{kind}")
        with pytest.raises(ImageError, match=r"^too_large: 5,000 bytes, the limit is 4,000"):
            large.image.read(4000)
        assert small.image.read(4000) == b"b"


def test_a_bomb_ends_where_it_becomes_one(monkeypatch):
    monkeypatch.setattr(tar_archive, "SMALL", 1 << 16)
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        archive.addfile(info("a.jpg", size=2), io.BytesIO(b"aa"))
        archive.addfile(info("b.jpg", size=50_000_000), io.BytesIO(bytes(50_000_000)))
    Path("s.tar.gz").write_bytes(gzip.compress(raw.getvalue()))
    found = listed("s.tar.gz")
    assert found["s.tar.gz#a.jpg"] == b"aa"
    assert "it unpacks to more than 200 times its size" in found["s.tar.gz#"]


def test_an_archive_that_changes_after_it_was_listed_is_not_read():
    for kind in KINDS:
        path = packed(f"s{kind}", [("a.jpg", b"a"), ("b.jpg", b"b")])
        first, _ = find_images(path)
        os.utime(path, ns=(5, 5))
        assert tried(first).startswith("changed: the file that holds it was written to")
        assert item_at(first.place).image.read(9) == b"a"


def test_what_is_gone_is_told():
    place = f"{Path.cwd()}/s.tar#a.jpg"
    assert is_gone(place)
    packed("s.tar", [("a.jpg", b"a")])
    assert not is_gone(place)
    packed("s.tar", [("bb.jpg", b"a")])
    assert is_gone(place)


@pytest.mark.parametrize("kind", ["s.tar", "s.tar.gz", "s.zip", "missing.tar", "a#b.jpg"])
def test_an_item_is_made_again_of_what_is_noted_of_it(kind):
    if kind == "a#b.jpg":
        Path(kind).touch()
    elif kind != "missing.tar":
        packed(kind, [("a.jpg", b"a"), (r"x.tar#\ b.jpg", b"b"), ("nested.tar", b"c")])
    Path("list").write_text(kind)
    for item in find_images(from_file="list"):
        version = item.version() if kind != "missing.tar" else Version(0, 0)
        assert item.origin.item(item.key, item.place, version) == item


def test_sources_cover_the_archives_that_they_list():
    packed("s.tar", [("a.jpg", b"a")])
    source = find_images(["s.tar"])
    list(source)
    assert source.covers(f"{Path.cwd()}/s.tar#gone.jpg")
    assert not source.covers(f"{Path.cwd()}/t.tar#a.jpg")
    Path("d").mkdir()
    packed("d/t.tar", [("a.jpg", b"a")])
    assert find_images("d/*.tar").covers(f"{Path.cwd()}/d/gone.tar#a.jpg")


def test_lists_of_archives_are_remembered_until_they_change():
    path = packed("s.tar", [("a.jpg", b"a")])
    assert open_container(str(path)) is open_container(str(path))
    before = open_container(str(path))
    os.utime(path, ns=(7, 7))
    assert open_container(str(path)) is not before


@pytest.mark.parametrize("kind", [".tar", ".tar.gz"])
@pytest.mark.parametrize("count", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_memory_is_flat_over_many_members(kind, count):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for n in range(count):
            archive.addfile(info(f"folder/{n:08}.jpg", size=500), io.BytesIO(b"%500d" % n))
            archive.members.clear()
    data = raw.getvalue()
    Path(f"s{kind}").write_bytes(gzip.compress(data, 1) if kind == ".tar.gz" else data)
    del data, raw
    process = psutil.Process()
    before = process.memory_info().rss
    for n, item in enumerate(find_images(f"s{kind}")):
        assert int(item.image.read(500)) == n
    assert process.memory_info().rss - before < (20 << 20) + 300 * count


@pytest.mark.parametrize("kind", [".tar", ".tar.gz", ".tar.zst", ".zip"])
@pytest.mark.parametrize("count", [100, pytest.param(5000, marks=pytest.mark.slow)])
def test_mutants_give_images_or_reasons(kind, count):
    """A hang was found so: by 7,000 mutants; the time of all is bounded by what they hold."""
    members = [(f"d/{n}.jpg", random.Random(n).randbytes(200)) for n in range(6)]
    path = packed(f"s{kind}", [*members, ("n/" * 120 + "x.jpg", b"long"), ("é.jpg", b"u")])
    whole = path.read_bytes()
    for seed in range(count):
        noise, raw = random.Random(seed), bytearray(whole)
        for _ in range(noise.choice([1, 3, 10])):
            raw[noise.randrange(len(raw))] = noise.choice([0, 0x80, 0xFF, noise.randrange(256)])
        path.write_bytes(raw[: noise.choice([None, noise.randrange(len(raw))])])
        began = monotonic()
        try:
            reasons = [each for each in listed(path).values() if isinstance(each, str)]
        except SourceError as error:
            reasons = [str(error)]
        assert all(reason.isprintable() for reason in reasons)
        assert monotonic() - began < 10
