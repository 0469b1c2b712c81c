"""Headers of tar archives, against Python's tarfile and against those who mean harm."""

import io
import tarfile
from time import monotonic

import pytest

from penult.images.tar import MAX_EXTRA, TarError, headers


class Stream:
    def __init__(self, data):
        self.data, self.at = data, 0

    def read(self, size):
        assert 0 <= size <= MAX_EXTRA
        piece = self.data[self.at : self.at + size]
        self.at += len(piece)
        return piece

    def skip(self, size):
        assert size >= 0
        self.at += size
        if self.at > len(self.data):
            raise EOFError

    def tell(self):
        return self.at


def written(members, form):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=form, errors="surrogateescape") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return raw.getvalue()


def member(name="a.jpg", size=0, **values):
    info = tarfile.TarInfo(name)
    info.size = size
    for field, value in values.items():
        setattr(info, field, value)
    return info


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_are_those_of_tarfile(form):
    names = ["a.jpg", "d/é#1.jpg", "x" * 90 + "/" + "y" * 60 + ".jpg", "b/../c.jpg", "/root.jpg"]
    if form != tarfile.USTAR_FORMAT:
        names += ["n/" * 200 + "deep.jpg", "d/" + "\udcff" * 3 + ".jpg", "line\nbreak.jpg"]
    members = [(member(name, 700 + n), bytes([n]) * (700 + n)) for n, name in enumerate(names)]
    members += [
        (member("folder", type=tarfile.DIRTYPE), b""),
        (member("soft.jpg", type=tarfile.SYMTYPE, linkname="a.jpg"), b""),
        (member("hard.jpg", type=tarfile.LNKTYPE, linkname="l/" * 90 + "a.jpg"), b"")
        if form != tarfile.USTAR_FORMAT
        else (member("hard.jpg", type=tarfile.LNKTYPE, linkname="a.jpg"), b""),
        (member("null", type=tarfile.CHRTYPE), b""),
        (member("last.jpg", 3, mtime=1e9 + 0.5), b"end"),
    ]
    data = written(members, form)
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as archive:
        expected = [(each.name, each.offset_data, each.size, each.linkname) for each in archive]
    found = [*headers(Stream(data))]
    assert [(each.name.rstrip("/"), each.at, each.size) for each in found] == [
        each[:3] for each in expected
    ]
    kinds = {each.name: each.kind for each in found}
    assert kinds["a.jpg"] == kinds["last.jpg"] == "file"
    assert (kinds["hard.jpg"], kinds["soft.jpg"], kinds["null"]) == ("hardlink", "other", "other")
    assert [each.link for each in found if each.kind == "hardlink"] == [
        each[3] for each in expected if each[0] == "hard.jpg"
    ]


def test_a_size_beyond_the_octal_digits():
    info = member("a.jpg", 10 * 2**33)
    data = info.tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(EOFError):
        [*headers(Stream(data))]
    assert next(headers(Stream(data))).size == 10 * 2**33
    pax = info.tobuf(tarfile.PAX_FORMAT)
    assert next(headers(Stream(pax))).size == 10 * 2**33


def altered(**fields):
    """A header with fields written over, and a sum that agrees."""
    places = {"size": (124, 12), "type": (156, 1), "sum": (148, 8)}
    block = bytearray(member("a.jpg", 5).tobuf(tarfile.USTAR_FORMAT))
    for name, value in fields.items():
        at, width = places[name]
        block[at : at + width] = value.ljust(width, b"\0")
    if "sum" not in fields:
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (altered(size=b"\xff" * 12), "no header"),  # negative: tarfile hangs, CVE-2025-8194
        (altered(size=b"-1"), "no header"),
        (altered(size=b"99"), "no header"),
        (altered(sum=b"17\0"), "no header"),
        (altered(type=b"x", size=b"%o" % 2**30), "a header of 1073741824 bytes"),
        (altered(type=b"L", size=b"%o" % 2**30), "a header of 1073741824 bytes"),
        (altered(type=b"L").ljust(1024, b"x") * 99, "too many headers"),
        (altered(type=b"L").ljust(1024, b"x") + bytes(512), "a name without a member"),
        (altered(type=b"x", size=b"10") + b"0 path=".ljust(512, b"\0"), "a damaged pax header"),
        (altered(type=b"x", size=b"10") + b"99 a=b\n".ljust(512, b"\0"), "a damaged pax header"),
        (
            altered(type=b"x", size=b"14") + b"12 size=-99\n".ljust(512, b"\0") + altered(),
            "a size that is no number",
        ),
    ],
)
def test_a_broken_header_ends_the_list(data, message):
    with pytest.raises(TarError, match=message):
        [*headers(Stream(data + bytes(1024)))]


def test_digits_without_end_take_no_time():
    """`tarfile` looks for `hdrcharset` from each digit anew, CVE-2024-6232."""
    body = b"1" * MAX_EXTRA
    data = altered(type=b"x", size=b"%o" % MAX_EXTRA) + body
    began = monotonic()
    with pytest.raises(TarError):
        [*headers(Stream(data))]
    assert monotonic() - began < 1


@pytest.mark.parametrize("cut", [0, 100, 600, 1024, 1100])
def test_a_cut_archive_is_told(cut):
    data = written([(member("a.jpg", 512), bytes(512)), (member("b.jpg"), b"")], tarfile.GNU_FORMAT)
    found = []
    with pytest.raises(EOFError):
        found.extend(each.name for each in headers(Stream(data[:cut])))
