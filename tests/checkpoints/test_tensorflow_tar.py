"""Checkpoints in archives: as they were published, and as nobody should have packed them."""

import gzip
import hashlib
import io
import random
import tarfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from penult.checkpoints import open_checkpoint
from penult.checkpoints.tarball import MAX_HEADERS, MAX_MEMBERS
from penult.errors import CheckpointError

REFERENCE = Path(__file__).parents[1] / "reference" / "checkpoints"
V1 = (REFERENCE / "mixed_v1" / "model.ckpt").read_bytes()
MUTANTS = 500


def member(name, content=b"", **changes):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in changes.items():
        setattr(info, key, value)
    return info, content


def tar(*members):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content) if content else None)
    return stream.getvalue()


@pytest.fixture
def write(tmp_path):
    """Write an archive, packed with gzip."""

    def write_tar(raw, pack=gzip.compress):
        path = tmp_path / "net.tar.gz"
        path.unlink(missing_ok=True)
        path.write_bytes(pack(raw))
        return path

    return write_tar


def test_a_checkpoint_in_a_folder_of_the_archive_is_read(write, read_all):
    raw = tar(member("net", type=tarfile.DIRTYPE), member("./net/model.ckpt", V1))
    assert "part/weights" in read_all(write(raw))


def test_an_archive_need_not_be_packed(write, read_all):
    path = write(tar(member("model.ckpt", V1)), pack=bytes)
    assert "part/weights" in read_all(path)


def in_pieces(raw):
    return b"".join(gzip.compress(raw[at : at + 1000]) for at in range(0, len(raw), 1000))


def padded(raw):
    return gzip.compress(raw) + bytes(5000)


@pytest.mark.parametrize("pack", [in_pieces, padded])
def test_gzip_may_have_members_and_zeros_after_them(pack, write, read_all):
    path = write(tar(member("model.ckpt", V1)), pack=pack)
    assert "part/weights" in read_all(path)


def test_what_follows_the_last_member_of_gzip_is_refused(write, refusal):
    path = write(tar(member("model.ckpt", V1)), pack=lambda raw: gzip.compress(raw) + b"more")
    assert "a broken archive (" in refusal(path)


@pytest.mark.parametrize("folder", ["mixed_v2_sharded", "mixed_v1_sharded"])
def test_several_files_belong_together(folder, write):
    paths = sorted((REFERENCE / folder).glob("model*"))
    path = write(tar(*(member(each.name, each.read_bytes()) for each in paths)))
    packed, plain = open_checkpoint(path), open_checkpoint(REFERENCE / folder)
    assert packed.shapes == plain.shapes
    assert np.array_equal(packed["part/weights"], plain["part/weights"])


def test_the_latest_is_opened_and_the_rest_left_aside(write):
    members = [("a.ckpt", b"no checkpoint"), ("._b.ckpt", b"attributes"), ("b.ckpt", V1)]
    state = ("checkpoint", b'model_checkpoint_path: "b.ckpt"')
    path = write(tar(*(member(*each) for each in (*members, state))))
    assert open_checkpoint(path).format == "TensorFlow (V1)"


def test_path_and_digest_are_those_of_the_archive(write):
    path = write(tar(member("model.ckpt", V1)))
    checkpoint = open_checkpoint(path)
    assert checkpoint.path == path
    assert checkpoint.digest() == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([member("README", b"text")], "an archive without a TensorFlow checkpoint"),
        ([member("a.ckpt", V1), member("b.ckpt", V1)], "2 checkpoints, name one: 'a.ckpt', 'b.ck"),
        ([member("a/x.ckpt", V1), member("b/x.ckpt", V1)], "2 checkpoints, name one: "),
        ([member("a/x.ckpt", V1), member("./a/x.ckpt", V1)], "or two of a name"),
        ([member("x.ckpt", type=tarfile.SYMTYPE, linkname="/etc/hosts")], "no regular file"),
        ([member("x.ckpt", type=tarfile.LNKTYPE, linkname="/etc/hosts")], "no regular file"),
        ([member("x.ckpt", type=tarfile.FIFOTYPE)], "no regular file"),
        ([member("x.ckpt", type=tarfile.CHRTYPE)], "no regular file"),
        ([member("x.ckpt", b"no table")], "net.tar.gz/x.ckpt': not a TensorFlow checkpoint"),
        ([member("x.index", V1)], "net.tar.gz/x.index': the header has field 1 isn't a number"),
        ([member(f"{n}", b"x") for n in range(MAX_MEMBERS + 1)], "more than 1000 members"),
    ],
)
def test_a_strange_archive_is_refused(members, reason, write, refusal):
    assert reason in refusal(write(tar(*members)))


@pytest.mark.parametrize("inside", ["ema", "net/ema"])
def test_one_of_several_folders_can_be_named(inside, write):
    members = [("net/ema/m.ckpt", V1), ("net/pristine/m.ckpt", b"no table"), ("net/schema/m", b"x")]
    path = write(tar(*(member(*each) for each in members)))
    checkpoint = open_checkpoint(path / inside)
    assert checkpoint.path == path / inside
    assert checkpoint.digest() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_folder_that_is_not_in_the_archive_is_named(write):
    path = write(tar(member("net/ema/m.ckpt", V1)))
    with pytest.raises(CheckpointError, match=r"net\.tar\.gz': an archive without a folder 'emu'"):
        open_checkpoint(path / "emu")


def test_a_path_goes_on_in_archives_only(tmp_path):
    (tmp_path / "net.ckpt").write_bytes(V1)
    with pytest.raises(CheckpointError, match=r"net\.ckpt': 'ema' can't be in it"):
        open_checkpoint(tmp_path / "net.ckpt/ema")


def test_a_shard_that_is_not_in_the_archive_is_named(write, refusal):
    path = REFERENCE / "mixed_v2_sharded" / "model.ckpt.index"
    message = refusal(write(tar(member(path.name, path.read_bytes()))))
    assert "'model.ckpt.data-00000-of-00002' belongs to it, not in the archive" in message


def test_a_member_that_claims_more_than_there_is_is_refused(write, refusal):
    info, _ = member("x.ckpt", size=10**7)
    assert "it ends within a member" in refusal(write(info.tobuf() + bytes(1024)))


@pytest.mark.parametrize("size", [10, 5000])
def test_another_gzipped_file_is_to_be_unpacked(size, write, refusal):
    message = refusal(write(random.Random(1).randbytes(size)))
    assert message.endswith("net.tar.gz': a gzipped file, and no archive; unpack it (gunzip)")


def test_a_path_out_of_the_archive_is_only_a_name(write):
    path = write(tar(member("../../x.ckpt", V1)))
    assert open_checkpoint(path).path == path
    assert list(path.parent.iterdir()) == [path]


BOMBS = {
    "member": member("x.ckpt", size=2**40)[0].tobuf(tarfile.GNU_FORMAT),
    "skipped": member("._x", size=2**40)[0].tobuf(tarfile.GNU_FORMAT),
    "zeros": tar(member("x.ckpt", bytes(80 << 20))),
    "name": member("x", size=2**33, type=tarfile.GNUTYPE_LONGNAME)[0].tobuf(tarfile.GNU_FORMAT),
    "header": member("x", size=MAX_HEADERS, type=tarfile.XHDTYPE)[0].tobuf(),
    "nested": member("x", size=512, type=tarfile.GNUTYPE_LONGNAME)[0].tobuf() * 3000,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_takes_little_memory(bomb, write, refusal):
    path = write(BOMBS[bomb])
    tracemalloc.start()
    try:
        assert "a broken archive (" in refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


def test_an_archive_cut_anywhere_is_refused(write, refusal):
    raw = gzip.compress(tar(member("model.ckpt", V1)))
    for length in range(10, len(raw), 7):
        refusal(write(raw[:length], pack=bytes))


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_mutants_are_refused_or_equal(pack, write, read_all):
    raw, rng = pack(tar(member("model.ckpt", V1))), random.Random(5)
    values = dict(open_checkpoint(REFERENCE / "mixed_v1"))
    for _ in range(MUTANTS):
        changed = bytearray(raw)
        changed[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        try:
            tensors = read_all(write(bytes(changed), pack=bytes))
        except CheckpointError as exc:
            message = str(exc)
            assert message.isprintable()
            assert len(message) <= 300
            continue
        assert all(np.array_equal(tensors[name], values[name]) for name in values)
