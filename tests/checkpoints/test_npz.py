"""NumPy's archives of arrays, as NumPy writes them, and as nobody should."""

import io
import random
import struct
import zipfile

import numpy as np
import pytest

from penult.checkpoints import open_checkpoint
from penult.errors import CheckpointError, UnsafeError

MUTANTS = 300
KERNEL = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
SAVES = {"stored": np.savez, "deflated": np.savez_compressed}
ARRAYS = {
    "kernel": KERNEL,
    "columns": np.asfortranarray(KERNEL),
    "big_endian": KERNEL.astype(">i4"),
    "half": KERNEL.astype("f2"),
    "truth": KERNEL > 3,
    "complex": KERNEL + 1j,
    "texts": np.array(["ab", "ć"]),
    "bytes": np.array([b"ab", b"c"]),
    "scalar": np.array(2.5),
    "empty": np.zeros((0, 3)),
    "layer/kernel": np.arange(3, dtype=np.uint64),
    "größe": np.arange(3, dtype=np.int8),
}


def npy(header, content=b"", version=1):
    """The bytes of a `.npy` file with this header."""
    raw = header.encode()
    length = struct.pack("<H" if version == 1 else "<I", len(raw))
    return b"\x93NUMPY" + bytes([version, 0]) + length + raw + content


def described(descr="'<f4'", order="False", shape="(4,)"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


@pytest.fixture
def write(tmp_path):
    """Write an archive of members."""

    def write_members(*members, method=zipfile.ZIP_STORED):
        path = tmp_path / "weights.npz"
        path.unlink(missing_ok=True)
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, content in members:
                archive.writestr(name, content)
        return path

    return write_members


@pytest.mark.parametrize("save", SAVES)
def test_arrays_are_as_they_were_saved(save, tmp_path):
    path = tmp_path / "weights.npz"
    SAVES[save](path, **ARRAYS)
    checkpoint = open_checkpoint(path)
    assert checkpoint.format == "NumPy (.npz)"
    assert list(checkpoint) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert checkpoint.shapes[name] == array.shape
        assert checkpoint.dtypes[name] == array.dtype.str
        assert checkpoint[name].dtype == array.dtype.newbyteorder("=")
        assert checkpoint[name].flags.f_contiguous == array.flags.f_contiguous
        assert not checkpoint[name].flags.writeable
        assert np.array_equal(checkpoint[name], array)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_headers_of_all_versions_are_read(version, write):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, KERNEL, version)
    assert np.array_equal(open_checkpoint(write(("w.npy", stream.getvalue())))["w"], KERNEL)


def test_sizes_of_64_bits_are_read(tmp_path):
    path = tmp_path / "weights.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("w.npy", "w", force_zip64=True) as w:
        np.lib.format.write_array(w, KERNEL)
    assert np.array_equal(open_checkpoint(path)["w"], KERNEL)


def test_an_aligned_array_is_a_view_of_the_file(write):
    values = np.arange(4, dtype="<f4")
    padded = [described().ljust(length) for length in range(64, 68)]
    views = []
    for header in padded:
        array = open_checkpoint(write(("w.npy", npy(header, values.tobytes()))))["w"]
        assert array.tolist() == [0, 1, 2, 3]
        views.append(not array.flags.owndata)
    assert sum(views) == 1


def test_numbers_of_python_2_are_read(write):
    raw = npy(described(shape="(2L, 2L)"), bytes(16))
    assert open_checkpoint(write(("w.npy", raw)))["w"].shape == (2, 2)


def test_any_byte_but_0_is_true(write):
    raw = npy(described("'|b1'"), b"\0\1\2\xff")
    assert open_checkpoint(write(("w.npy", raw)))["w"].tolist() == [False, True, True, True]


@pytest.mark.parametrize("save", SAVES)
def test_pickled_objects_are_refused_as_unsafe(save, tmp_path, refusal):
    path = tmp_path / "weights.npz"
    SAVES[save](path, w=np.array([{}], dtype=object))
    message = refusal(path, UnsafeError)
    assert "tensor 'w' consists of pickled Python objects, which is code, not data;" in message


FOUR = bytes(16)
REFUSED = {
    "no_npy": (b"nothing", "has no proper header of a .npy file; damaged or forged"),
    "empty": (b"", "has no proper header"),
    "version": (npy(described(), FOUR, version=4), "has no proper header"),
    "cut_header": (npy(described())[:40], "has no proper header"),
    "long_header": (npy(described() + " " * 12_000, FOUR), "has no proper header"),
    "code": (npy(described(shape="(f(),)"), FOUR), "has no proper header"),
    "negative": (npy(described(shape="(-4,)"), FOUR), "has no proper header"),
    "too_few": (npy(described(), FOUR[1:]), "doesn't have the bytes of its shape and type"),
    "too_many": (npy(described(), FOUR + b"x"), "doesn't have the bytes of its shape and type"),
    "shape": (npy(described(shape="(1000000000000,)"), FOUR), "doesn't have the bytes of its"),
    "nothing": (npy(described(shape=f"(0, {2**62}, {2**62})")), "has an impossible shape"),
    "dimensions": (npy(described(shape=f"({'1, ' * 65})"), FOUR[:4]), "doesn't have the bytes"),
    "records": (npy(described("[('a', '<f4')]"), FOUR), "which isn't supported; convert it to fl"),
    "dates": (npy(described("'<M8[s]'"), FOUR), "of type '<M8[s]', which isn't supported; conv"),
    "void": (npy(described("'|V4'"), FOUR), "of type '|V4', which isn't supported; convert it"),
    "no_texts": (npy(described("'<U0'"), b""), "of type '<U0', which isn't supported; convert"),
    "object_in_record": (npy(described("[('a', '|O')]"), FOUR), "consists of pickled Python obj"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_strange_member_is_refused(case, write, refusal):
    raw, reason = REFUSED[case]
    path = write(("w.npy", raw))
    message = refusal(path, UnsafeError if "object" in case else CheckpointError)
    assert "tensor 'w' " in message
    assert reason in message


def test_a_name_twice_is_refused(write, refusal):
    raw = npy(described(), FOUR)
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = write(("w.npy", raw), ("w.npy", raw))
    assert "a record twice" in refusal(path)


def test_a_directory_that_leaves_records_out_is_refused(write, refusal):
    path = write(("w.npy", npy(described(), FOUR)))
    raw = bytearray(path.read_bytes())
    raw[-12] = 2
    path.write_bytes(raw)
    assert "zip archive with another number of records than its directory says" in refusal(path)


def test_an_archive_of_more_than_arrays_is_not_numpys(write, refusal):
    path = write(("w.npy", npy(described(), FOUR)), ("README", b"text"))
    assert "a zip archive, but not PyTorch's: it has no data.pkl; nor Keras'" in refusal(path)


def test_other_compression_is_refused(write, refusal):
    path = write(("w.npy", npy(described(), FOUR)), method=zipfile.ZIP_BZIP2)
    message = refusal(path)
    assert (
        "record 'w.npy' is not deflated but otherwise packed or encrypted, as NumPy or" in message
    )


@pytest.mark.parametrize("save", SAVES)
def test_a_flipped_bit_is_found(save, tmp_path, refusal):
    path = tmp_path / "weights.npz"
    SAVES[save](path, w=np.random.default_rng(0).random(1000))
    raw = bytearray(path.read_bytes())
    raw[3000] ^= 1
    path.write_bytes(raw)
    assert "doesn't match its checksum" in refusal(path)


def test_a_bomb_is_refused(write, refusal):
    raw = npy(described(shape=f"({20 << 20},)"), bytes(80 << 20))
    path = write(("w.npy", raw), method=zipfile.ZIP_DEFLATED)
    assert f"records of {len(raw)} bytes unpacked, of which 'w.npy' is the largest" in refusal(path)


def test_a_small_file_of_zeros_is_no_bomb(write, read_all):
    raw = npy(described(shape=f"({10 << 20},)"), bytes(40 << 20))
    assert not read_all(write(("w.npy", raw), method=zipfile.ZIP_DEFLATED))["w"].any()


def test_a_member_larger_than_it_says_is_refused(write, refusal):
    raw, more = npy(described(), FOUR), npy(described(shape="(8,)"), 2 * FOUR)
    path = write(("w.npy", more), method=zipfile.ZIP_DEFLATED)
    content = path.read_bytes().replace(struct.pack("<I", len(more)), struct.pack("<I", len(raw)))
    path.write_bytes(content.replace(b"(8,)", b"(4,)"))
    assert "doesn't have the bytes of its shape" in refusal(path)


@pytest.mark.parametrize("save", SAVES)
def test_an_archive_cut_anywhere_is_refused(save, tmp_path, refusal):
    path = tmp_path / "weights.npz"
    SAVES[save](path, a=KERNEL, b=KERNEL)
    raw = path.read_bytes()
    for length in range(1, len(raw), 11):
        path.unlink()
        path.write_bytes(raw[:length])
        refusal(path)


@pytest.mark.parametrize("save", SAVES)
def test_mutants_are_refused_or_equal(save, tmp_path, read_all):
    path = tmp_path / "weights.npz"
    SAVES[save](path, **ARRAYS)
    raw, rng, refused = path.read_bytes(), random.Random(save), 0
    for _ in range(MUTANTS):
        changed = bytearray(raw)
        changed[rng.randrange(len(raw))] = rng.randrange(256)
        path.unlink()
        path.write_bytes(changed)
        try:
            tensors = read_all(path)
        except CheckpointError:
            refused += 1
            continue
        assert list(tensors) == list(ARRAYS)
        assert all(np.array_equal(tensors[name], array) for name, array in ARRAYS.items())
    assert refused > MUTANTS / 3
