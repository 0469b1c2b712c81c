"""Archives and tables of images that tests write."""

import io
import tarfile
import zipfile

import lance
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import feather

TABLES = (".parquet", ".arrow", ".lance")


def tar(path, members, form=tarfile.PAX_FORMAT):
    """Write a tar archive of (name or TarInfo, bytes), compressed as its name says."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=form) as archive:
        for name, data in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = info.size if info.islnk() or info.issym() else len(data)
            archive.addfile(info, io.BytesIO(data))
    how = {".gz": "gzip", ".tgz": "gzip", ".zst": "zstd", ".bz2": "bz2"}.get(path.suffix)
    if how is None:
        path.write_bytes(raw.getvalue())
        return path
    with pa.CompressedOutputStream(str(path), how) as stream:
        stream.write(raw.getvalue())
    return path


def info(name, **values):
    """A tar member's header."""
    made = tarfile.TarInfo(name)
    for field, value in values.items():
        setattr(made, field, value)
    return made


def zipped(path, members, how=zipfile.ZIP_DEFLATED):
    """Write a zip archive of (name, bytes)."""
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def pack(path, files):
    """Write files (name -> bytes) as the kind that the path names, tables three rows a group."""
    if path.suffix not in TABLES:
        return (zipped if path.suffix == ".zip" else tar)(path, files.items())
    table = pa.table({"name": [*files], "image": [{"bytes": each} for each in files.values()]})
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=3)
    elif path.suffix == ".arrow":
        feather.write_feather(table, str(path), chunksize=3)
    else:
        lance.write_dataset(table, path)
    return path
