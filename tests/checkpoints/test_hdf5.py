"""Keras' weights, written by h5py as Keras writes them, and as nobody should."""

import random
import subprocess
import sys
import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest

from penult.checkpoints import open_checkpoint
from penult.checkpoints.hdf5_objects import MAX_DEPTH, MAX_METADATA
from penult.errors import CheckpointError

DEFAULTS = "save the weights again with h5py's default settings"
KERNEL = np.arange(216, dtype=np.float32).reshape(3, 3, 3, 8) / 8
LAYERS = {
    "conv1": {"conv1/kernel:0": KERNEL, "conv1/bias:0": KERNEL[0, 0, 0]},
    "relu": {},
    "bn": {"bn/gamma:0": np.ones(8, np.float32)},
}
NAMES = ["bn/gamma", "conv1/bias", "conv1/kernel"]


def keras2(group, layers=LAYERS, **options):
    group.attrs["layer_names"] = [name.encode() for name in layers]
    for layer, weights in layers.items():
        inside = group.create_group(layer)
        inside.attrs["weight_names"] = [name.encode() for name in weights]
        for name, value in weights.items():
            inside.create_dataset(name, data=value, **options)


def keras3(file, top="layers", count=3):
    for number in range(count):
        inside = file.create_group(f"{top}/dense_{number}/vars")
        inside["0"] = np.full((2, 3), number, np.float32)
        inside["1"] = np.zeros(3, np.float32)
    file.create_group("vars")


def refer_to_itself(file):
    file["a/b"] = KERNEL
    file["a/again"] = file["a"]


def link_twice(file):
    file["a"] = KERNEL
    file["b"] = file["a"]


def virtual(file):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "w", (4,))
    file.create_virtual_dataset("w", layout)


def commit_type(file):
    file["type"] = np.dtype("f4")
    file.create_dataset("w", data=KERNEL, dtype=file["type"])


def nest(file):
    file["/".join("g" * (MAX_DEPTH + 3))] = KERNEL


def typed(value, dtype=None):
    return lambda file: file.create_dataset("w", data=value, dtype=dtype)


def packed(value=KERNEL, **options):
    return lambda file: file.create_dataset("w", data=value, **options)


@pytest.fixture
def write(tmp_path):
    """Write an HDF5 file by a function."""

    def write_file(fill, **options):
        path = tmp_path / "weights.h5"
        path.unlink(missing_ok=True)
        with h5py.File(path, "w", **options) as file:
            fill(file)
        return path

    return write_file


@pytest.fixture
def write_raw(tmp_path):
    def write_bytes(raw):
        path = tmp_path / "weights.h5"
        path.unlink(missing_ok=True)
        path.write_bytes(raw)
        return path

    return write_bytes


@pytest.mark.parametrize("libver", ["earliest", "v108", "latest"])
def test_weights_have_the_names_that_keras_gave_them(libver, write):
    checkpoint = open_checkpoint(write(keras2, libver=libver))
    assert checkpoint.format == "Keras (HDF5)"
    assert sorted(checkpoint) == NAMES
    assert checkpoint.shapes["conv1/kernel"] == (3, 3, 3, 8)
    assert checkpoint.dtypes["conv1/kernel"] == "float32"
    assert np.array_equal(checkpoint["conv1/kernel"], KERNEL)


def test_a_whole_model_has_its_weights_and_the_optimizers_state(write):
    def fill(file):
        file.attrs["model_config"] = '{"class_name": "Lambda"}' * 5000
        keras2(file.create_group("model_weights"))
        state = file.create_group("optimizer_weights")
        state.attrs["weight_names"] = [b"Adam/iterations:0"]
        state["Adam/iterations:0"] = np.int64(7)

    checkpoint = open_checkpoint(write(fill))
    assert sorted(checkpoint) == [*NAMES, "optimizer_weights/Adam/iterations:0"]
    assert checkpoint["optimizer_weights/Adam/iterations:0"] == 7


def test_long_lists_of_names_are_in_parts(write):
    def fill(file):
        group = file.create_group("conv1")
        group.attrs["weight_names0"] = [b"kernel:0"]
        group.attrs["weight_names1"] = [b"bias:0"]
        group["kernel:0"] = KERNEL
        group["bias:0"] = KERNEL

    assert sorted(open_checkpoint(write(fill))) == ["bias", "kernel"]


@pytest.mark.parametrize("inside", ["", "model_weights"])
def test_names_that_two_layers_use_begin_with_the_layer(inside, write):
    layers = {"a": {"kernel:0": KERNEL, "bias:0": KERNEL}, "b": {"kernel:0": KERNEL + 1}}
    path = write(lambda file: keras2(file.create_group(inside) if inside else file, layers))
    checkpoint = open_checkpoint(path)
    assert sorted(checkpoint) == ["a/kernel", "b/kernel", "bias"]
    assert np.array_equal(checkpoint["b/kernel"], KERNEL + 1)


def test_two_weights_of_one_name_are_refused(write, refusal):
    path = write(lambda file: keras2(file, {"a": {"w:0": KERNEL, "w": KERNEL}}))
    assert "two tensors of one name, in one layer" in refusal(path)


@pytest.mark.parametrize("top", ["layers", "_layer_checkpoint_dependencies"])
def test_weights_of_keras_3_have_their_paths(top, write):
    checkpoint = open_checkpoint(write(lambda file: keras3(file, top, count=40)))
    assert len(checkpoint) == 80
    assert checkpoint[f"{top}/dense_39/vars/0"].tolist() == [[39.0] * 3] * 2


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_archive_of_keras_3_is_read(method, tmp_path, write):
    weights = write(keras3)
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", '{"class_name": "Lambda"}')
        archive.write(weights, "model.weights.h5")
    checkpoint, plain = open_checkpoint(path), open_checkpoint(weights)
    assert checkpoint.format == "Keras (.keras)"
    assert checkpoint.shapes == plain.shapes
    assert all(np.array_equal(checkpoint[name], plain[name]) for name in plain)


def test_a_flipped_bit_in_an_archive_is_found(tmp_path, write, refusal):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(write(keras3), "model.weights.h5")
    raw = bytearray(path.read_bytes())
    raw[3000] ^= 1
    path.write_bytes(raw)
    assert "record 'model.weights.h5' doesn't match its checksum" in refusal(path)


@pytest.mark.parametrize(
    "dtype", ["<f2", "<f4", ">f4", "<f8", ">f8", "i1", "<i2", ">i4", "<i8", "u1", ">u2", "<u8"]
)
def test_numbers_of_all_kinds_are_read(dtype, write):
    values = np.arange(12).astype(dtype).reshape(3, 4)
    array = open_checkpoint(write(typed(values)))["w"]
    assert array.dtype == np.dtype(dtype).newbyteorder("=")
    assert np.array_equal(array, values)
    assert not array.flags.writeable


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (2, 2, 3, 5)},
        {"compression": "gzip"},
        {"compression": "gzip", "shuffle": True, "fletcher32": True, "chunks": (2, 3, 2, 3)},
        {"fletcher32": True, "chunks": (3, 3, 3, 1)},
        {"shuffle": True, "maxshape": (None,) * 4, "chunks": (5, 2, 2, 2)},
    ],
)
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "i1"])
def test_chunks_are_put_together(options, dtype, write):
    values = KERNEL.astype(dtype)
    assert np.array_equal(open_checkpoint(write(packed(values, **options)))["w"], values)


def test_scalars_and_empty_tensors_are_read(write):
    def fill(file):
        file["scalar"] = np.float32(2.5)
        file["empty"] = np.zeros((0, 3))
        file.create_dataset("empty_chunks", (0, 3), "f4", maxshape=(None, 3))

    checkpoint = open_checkpoint(write(fill))
    assert checkpoint["scalar"].shape == ()
    assert checkpoint["scalar"] == 2.5
    assert checkpoint["empty"].shape == checkpoint["empty_chunks"].shape == (0, 3)


def test_values_in_the_header_are_read(write):
    def fill(file):
        create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        create.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple((4,))
        data = h5py.h5d.create(file.id, b"w", h5py.h5t.IEEE_F32LE, space, create)
        data.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(4, dtype=np.float32))

    assert open_checkpoint(write(fill))["w"].tolist() == [0, 1, 2, 3]


REFUSED = {
    "soft_link": (lambda f: f.__setitem__("w", h5py.SoftLink("/v")), "a soft link, which isn't"),
    "external_link": (
        lambda f: f.__setitem__("w", h5py.ExternalLink("/etc/passwd", "/v")),
        "a link into another file, which isn't supported; " + DEFAULTS,
    ),
    "external_storage": (
        lambda f: f.create_dataset("w", (4,), "f4", external=[("/etc/passwd", 0, 16)]),
        "a dataset whose values are in another file, which isn't supported; " + DEFAULTS,
    ),
    "virtual": (virtual, "'w' has its values in other datasets, which isn't supported"),
    "two_names": (link_twice, "'b' is another name of an object; " + DEFAULTS),
    "circle": (refer_to_itself, "'a/again' is another name of an object; " + DEFAULTS),
    "deep": (nest, f"groups deeper than {MAX_DEPTH}"),
    "long_path": (lambda f: f.__setitem__("n" * 1030, KERNEL), "a path of more than 1024 char"),
    "lzf": (packed(compression="lzf"), "'w' is packed by filter 32000, or twice by one, which"),
    "scaled": (packed(scaleoffset=2), "'w' is packed by filter 6, or twice by one, which isn't"),
    "texts": (typed(np.array([b"abc"])), "'w' has elements that are no numbers but texts, which"),
    "any_length": (typed("abc"), "'w' has elements that are no numbers but lists or texts of any"),
    "records": (typed(np.zeros(2, "i4,f4")), "'w' has elements that are no numbers but records"),
    "opaque": (typed(np.zeros(2, "V2")), "'w' has elements that are no numbers but opaque, which"),
    "truth": (typed(np.zeros(2, bool)), "'w' has elements that are no numbers but an enumeration"),
    "references": (
        lambda f: f.create_dataset("w", data=f.ref, dtype=h5py.ref_dtype),
        "'w' has elements that are no numbers but references, which isn't supported",
    ),
    "committed": (commit_type, "neither a group nor a dataset; " + DEFAULTS),
    "null": (lambda f: f.__setitem__("w", h5py.Empty("f4")), "'w' has no shape, which isn't"),
    "unwritten": (
        lambda f: f.create_dataset("w", (4,), "f4"),
        "16 bytes expected at 18446744073709551615, the file ends at 1400; damaged or forged",
    ),
    "unwritten_chunks": (
        lambda f: f.create_dataset("w", (4,), "f4", chunks=(2,)),
        "'w' should have 2 chunks, and has 0, or not in their places; damaged or forged",
    ),
    "no_tensors": (lambda f: f.create_group("g"), "no tensors in this file; save the model's w"),
    "bomb": (
        packed(np.zeros(80 << 20, "u1"), compression="gzip", chunks=(80 << 20,)),
        "bytes in chunks; save the weights again without compression",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_read_is_said(case, write, refusal):
    fill, reason = REFUSED[case]
    assert reason in refusal(write(fill))


def test_the_latest_layouts_are_refused(write, refusal):
    path = write(lambda file: keras3(file, count=9), libver="latest")
    assert "a group whose links are in a heap, as HDF5's latest layout has it" in refusal(path)
    path = write(packed(chunks=(1, 1, 1, 8)), libver=("v110", "v110"))
    assert "'w' is laid out by version 4 of the format, which isn't supported" in refusal(path)


def test_a_block_before_the_files_own_is_no_weights_file(write, refusal):
    assert "isn't a weights file" in refusal(write(keras2, userblock_size=512))


@pytest.mark.parametrize("options", [{}, {"libver": "latest"}])
def test_a_file_cut_anywhere_is_refused(options, write, write_raw, refusal):
    raw = write(keras2, **options).read_bytes()
    for length in range(1, len(raw), 37):
        refusal(write_raw(raw[:length]))


@pytest.mark.parametrize("filters", [{"compression": "gzip"}, {"fletcher32": True}])
def test_a_spoilt_chunk_is_named(filters, write, write_raw, refusal):
    path = write(packed(chunks=KERNEL.shape, **filters))
    with h5py.File(path) as file:
        place = file["w"].id.get_chunk_info(0).byte_offset
    raw = bytearray(path.read_bytes())
    raw[place + 9] ^= 0xFF
    message = refusal(write_raw(bytes(raw)))
    assert f"byte {place}: a chunk of 'w' can't be unpacked, or isn't what was writ" in message


def test_tensors_that_share_bytes_are_refused(write, write_raw, refusal):
    def fill(file):
        file["a"] = KERNEL
        file["b"] = KERNEL

    path = write(fill)
    with h5py.File(path) as file:
        first, second = (file[name].id.get_offset().to_bytes(8, "little") for name in "ab")
    raw = path.read_bytes()
    assert raw.count(second) == 1
    assert "'b' overlaps another tensor" in refusal(write_raw(raw.replace(second, first)))


def test_a_header_that_goes_on_for_ever_is_given_up(write, write_raw, refusal):
    raw = bytearray(write(keras2).read_bytes())
    root = int.from_bytes(raw[64:72], "little")
    raw[root + 8 : root + 12] = (MAX_METADATA + 1).to_bytes(4, "little")
    raw += bytes(2 * MAX_METADATA)
    raw[40:48] = len(raw).to_bytes(8, "little")
    message = refusal(write_raw(bytes(raw)))
    assert f"more than {MAX_METADATA} bytes about the tensors; damaged or forged" in message


def mutant(raw, rng):
    """A copy with a bit flipped, or a stretch lost, doubled, moved, zeroed or made the highest."""
    at, length, other = rng.randrange(len(raw)), rng.choice([1, 2, 4, 8, 30]), rng.choice([8, 99])
    piece = raw[at : at + length]
    flipped = bytes([piece[0] ^ 1 << rng.randrange(8)]) + piece[1:]
    new = [flipped, b"", piece * 2, raw[at - other :][:length], bytes(length), b"\xff" * length]
    return raw[:at] + rng.choice(new) + raw[at + length :]


FORMS = {
    "old": (None, {}),
    "new": ("latest", {}),
    "gzip": (None, {"compression": "gzip", "shuffle": True, "chunks": True}),
    "checksum": (None, {"fletcher32": True, "chunks": True}),
}


def outcome(read_all, path):
    """The tensors of a file, or the message with which it is refused."""
    try:
        return read_all(path), ""
    except CheckpointError as exc:
        return {}, str(exc)


@pytest.mark.parametrize("form", FORMS)
def test_mutants_end_in_one_error_or_in_arrays(form, write, write_raw, read_all):
    libver, options = FORMS[form]
    raw = write(lambda file: keras2(file, **options), libver=libver).read_bytes()
    rng, read = random.Random(form), 0
    for _ in range(250):
        tensors, message = outcome(read_all, write_raw(mutant(mutant(raw, rng), rng)))
        assert message.isprintable()
        assert len(message) <= 300
        assert all(array.nbytes <= 1 << 20 for array in tensors.values())
        read += not message
    assert 0 < read < 250


CHILD = """
import sys
from penult.checkpoints import open_checkpoint

sys.modules["h5py"] = None  # to import it would be an error
opened = []
sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" else None)
checkpoint = open_checkpoint(sys.argv[1])
print(len([checkpoint[name] for name in checkpoint]), *opened)
"""


def test_nothing_but_the_file_is_opened(write):
    path = write(keras2)
    child = [sys.executable, "-c", CHILD, path]
    result = subprocess.run(child, capture_output=True, text=True, check=True)
    assert result.stdout == f"3 {path}\n"


def test_a_tensor_is_read_when_it_is_asked_for(write):
    tracemalloc.start()
    path = write(typed(KERNEL.repeat(9999)))
    try:
        before = tracemalloc.get_traced_memory()[0]
        array = open_checkpoint(path)["w"]
        assert array.nbytes > 8 << 20
        assert tracemalloc.get_traced_memory()[0] - before < 1 << 20
    finally:
        tracemalloc.stop()
