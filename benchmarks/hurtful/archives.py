"""Archives of one count that grows: headers, members, zeros."""

import gzip
import tarfile
from pathlib import Path

from hurtful.base import Kind, put


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """The header of a member of a tar archive."""
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def member(name: str, content: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A member of a tar archive."""
    return header(name, len(content), kind) + content + bytes(-len(content) % 512)


def tar_gz(folder: Path, *members: bytes) -> Path:
    """An archive."""
    return put(folder / "net.tar.gz", gzip.compress(b"".join(members) + bytes(1024), 1))


def pax_digits(folder: Path, count: int) -> Path:
    """A header of nothing but digits."""
    return tar_gz(folder, member("x", b"1" * count, tarfile.XHDTYPE), member("a.ckpt", b"x"))


def pax_records(folder: Path, count: int) -> Path:
    """Records that each say that they are of two bytes."""
    records = b"2 " * count + b"a=b\n"
    return tar_gz(folder, member("x", records, tarfile.XHDTYPE), member("a.ckpt", b"x"))


def pax_headers(folder: Path, count: int) -> Path:
    """Headers of digits, each as short as they come, one for each member."""
    digits = member("x", b"1" * 512, tarfile.XHDTYPE)
    return tar_gz(folder, *(digits + member(f"{n}", b"x") for n in range(count)))


def tar_members(folder: Path, count: int) -> Path:
    """Members of nothing."""
    return tar_gz(folder, *(header(f"{n}", 0) for n in range(count)))


def tar_zeros(folder: Path, count: int) -> Path:
    """A member that shrinks to a thousandth."""
    return tar_gz(folder, header("a.ckpt", count), bytes(count + -count % 512))


def gzip_members(folder: Path, count: int) -> Path:
    """An archive in pieces of nothing."""
    archive = gzip.compress(member("a.ckpt", b"x") + bytes(1024))
    return put(folder / "net.tar.gz", archive, gzip.compress(b"") * count)


KINDS = {
    "tar: digits in a header": Kind(pax_digits, 2_000_000),
    "tar: records in a header": Kind(pax_records, 2_000_000),
    "tar: headers": Kind(pax_headers, 10_000),
    "tar: members": Kind(tar_members, 50_000),
    "tar: zeros": Kind(tar_zeros, 200_000_000),
    "gzip: members": Kind(gzip_members, 1_000_000),
}
