"""Files of Keras' and NumPy's of one count that grows."""

import io
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import h5py
import numpy as np

from hurtful.base import Kind


def hdf5(folder: Path, fill: Callable[[h5py.File], object]) -> Path:
    """A file of Keras'."""
    path = folder / "net.h5"
    with h5py.File(path, "w") as file:
        fill(file)
    return path


def hdf5_chunks(folder: Path, count: int) -> Path:
    """Chunks of one number."""

    def fill(file: h5py.File) -> None:
        dataset = file.create_dataset("w", (count,), "f4", chunks=(1,))
        for number in range(count):
            dataset.id.write_direct_chunk((number,), bytes(4))

    return hdf5(folder, fill)


def hdf5_datasets(folder: Path, count: int) -> Path:
    """Tensors of nothing."""
    return hdf5(
        folder, lambda file: [file.create_dataset(f"{n}", (0,), "f4") for n in range(count)]
    )


def hdf5_groups(folder: Path, count: int) -> Path:
    """Groups of nothing."""
    return hdf5(folder, lambda file: [file.create_group(f"{n}") for n in range(count)])


def hdf5_zeros(folder: Path, count: int) -> Path:
    """A tensor that shrinks to a thousandth."""
    options = {"compression": "gzip", "chunks": (min(count, 1 << 20),)}
    return hdf5(
        folder, lambda file: file.create_dataset("w", data=np.zeros(count, "u1"), **options)
    )


def keras_zeros(folder: Path, count: int) -> Path:
    """The same beside as many zeros, packed once more."""
    inner = hdf5_zeros(folder, count).read_bytes()
    (folder / "net.h5").unlink()
    path = folder / "net.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", inner + bytes(count))
    return path


def npz(folder: Path, arrays: Iterable[tuple[str, bytes]]) -> Path:
    """A file of NumPy's, deflated."""
    path = folder / "net.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in arrays:
            archive.writestr(f"{name}.npy", content)
    return path


def npy(count: int) -> bytes:
    """An array of zeros."""
    stream = io.BytesIO()
    np.save(stream, np.zeros(count, "u1"))
    return stream.getvalue()


def npz_arrays(folder: Path, count: int) -> Path:
    """Arrays of nothing."""
    content = npy(0)
    return npz(folder, ((f"{n}", content) for n in range(count)))


def npz_zeros(folder: Path, count: int) -> Path:
    """Arrays of a megabyte that shrink to a thousandth."""
    content = npy(1 << 20)
    return npz(folder, ((f"{n}", content) for n in range(-(-count // (1 << 20)))))


def npz_zero(folder: Path, count: int) -> Path:
    """An array that shrinks to a thousandth."""
    return npz(folder, [("w", npy(count))])


KINDS = {
    "HDF5: chunks": Kind(hdf5_chunks, 200_000),
    "HDF5: tensors": Kind(hdf5_datasets, 30_000),
    "HDF5: groups": Kind(hdf5_groups, 50_000),
    "HDF5: zeros": Kind(hdf5_zeros, 300_000_000),
    "Keras: zeros in zeros": Kind(keras_zeros, 200_000_000),
    "NumPy: arrays": Kind(npz_arrays, 40_000),
    "NumPy: zeros in one": Kind(npz_zero, 300_000_000),
    "NumPy: zeros in many": Kind(npz_zeros, 300_000_000),
}
