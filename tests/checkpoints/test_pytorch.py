"""Both layouts of PyTorch, and storages in them that aren't what the pickle says."""

import struct
import tarfile
import zipfile

import pytest

from penult.checkpoints.unpickle import MAX_PICKLES
from penult.errors import UnsafeError

FOUR = struct.pack("<4f", 1, 2, 3, 4)


def change(path, old, new, *, nth=0):
    """Replace the nth occurrence of some bytes in a file by others."""
    raw = path.read_bytes()
    at = -1
    for _ in range(nth + 1):
        at = raw.index(old, at + 1)
    path.write_bytes(raw[:at] + new + raw[at + len(old) :])
    return path


def directory_entry(path, name, offset, new):
    """Change bytes of a record's entry in the directory."""
    raw = bytearray(path.read_bytes())
    at = raw.rindex(b"archive/" + name) - 46 + offset
    raw[at : at + len(new)] = new
    path.write_bytes(raw)
    return path


# Legacy


def test_a_legacy_file_is_read(op, write_legacy, read_all):
    tensors = read_all(write_legacy(op.state(), [("0", 4, FOUR)]))
    assert tensors["w"].tolist() == [1, 2, 3, 4]


def test_a_storage_may_be_part_of_another(op, write_legacy, read_all):
    """As PyTorch of 2018 and before wrote it."""
    view = op.tuple(op.text("1"), op.number(1), op.number(2))
    pickle = op.state(storage=op.storage(view=view), shape=(2,))
    assert read_all(write_legacy(pickle, [("0", 4, FOUR)]))["w"].tolist() == [2, 3]


@pytest.mark.parametrize(("first", "count"), [(3, 2), (5, 0), (-1, 2), (2**62, 2**62)])
def test_a_part_lies_within_its_storage(first, count, op, write_legacy, refusal):
    view = op.tuple(op.text("1"), op.number(first), op.number(count))
    pickle = op.state(storage=op.storage(view=view), shape=(1,))
    assert "a view that reaches beyond its storage" in refusal(write_legacy(pickle))


def test_a_part_is_described_by_three_values(op, write_legacy, refusal):
    pickle = op.state(storage=op.storage(view=op.tuple(op.number(1))))
    assert "a storage's view that isn't (key, first, count)" in refusal(write_legacy(pickle))


@pytest.mark.parametrize("count", [3, 5, -1, 2**62])
def test_a_storage_has_the_announced_number_of_elements(count, op, write_legacy, refusal):
    message = refusal(write_legacy(op.state(), [("0", count, bytes(16))]))
    assert "elements where 4 were announced" in message


@pytest.mark.parametrize("size", [0, 15, 17, 100])
def test_the_storages_end_where_the_file_ends(size, op, write_legacy, refusal):
    message = refusal(write_legacy(op.state(), [("0", 4, bytes(size))]))
    assert "but the storages end at" in message


@pytest.mark.parametrize("keys", [[], ["1"], ["0", "0"], ["0", "1"]])
def test_the_storages_are_those_of_the_tensors(keys, op, write_legacy, refusal):
    message = refusal(write_legacy(op.state(), keys=keys))
    assert "other storages than the tensors are made of" in message


def test_storage_keys_are_texts(op, write_legacy, refusal):
    path = change(write_legacy(op.state()), b"](X\1\0\0\0" + b"0e", b"](J\1\0\0\0" + b"Ne")
    assert "storage keys that aren't texts" in refusal(path)


def test_legacy_files_of_big_endian_machines_are_refused(op, write_legacy, refusal):
    message = refusal(write_legacy(op.state(), little_endian=b"\x89"))
    assert "not little-endian, which isn't supported; load it with PyTorch" in message


def test_another_version_of_the_legacy_layout_is_refused(op, write_legacy, refusal):
    path = change(write_legacy(op.state()), b"M\xe9\x03.", b"M\xea\x03.")
    assert "not the magic number, version and machine" in refusal(path)


def test_module_sources_of_whole_models_are_refused(op, write_legacy, refusal):
    module = op.tuple(op.text("module"), op.name("nets", "Net"), op.text("f"), op.text("s")) + b"Q"
    assert "'nets.Net'" in refusal(write_legacy(op.pickle(module)), UnsafeError)


def test_the_tar_layout_is_refused_by_name(tmp_path, refusal):
    path = tmp_path / "old.pth"
    with tarfile.open(path, "w") as archive:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            archive.addfile(tarfile.TarInfo(name))
    assert "PyTorch's tar layout, before 2017, isn't supported" in refusal(path)


def test_a_pickle_without_end_is_not_read_to_the_end(op, write_legacy, refusal):
    path = write_legacy(b"\x80\x02" + b"N" * (MAX_PICKLES + 10))
    assert "steps" in refusal(path)


# Zip


def test_a_zip_file_is_read(op, write_zip, read_all):
    assert read_all(write_zip(op.state(), data__0=FOUR))["w"].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("raw", [None, b"", bytes(15), bytes(17), bytes(160)])
def test_a_record_has_the_bytes_of_its_storage(raw, op, write_zip, refusal):
    message = refusal(write_zip(op.state(), data__0=raw))
    assert "storage '0' doesn't have its 16 bytes" in message


@pytest.mark.parametrize("count", [5, 2**40, 2**62])
def test_a_storage_is_not_larger_than_its_record(count, op, write_zip, refusal):
    """CVE-2026-24747: the pickle's number of elements was believed."""
    pickle = op.state(storage=op.storage(count=count))
    assert f"storage '0' doesn't have its {count * 4} bytes" in refusal(write_zip(pickle))


def test_a_storage_key_is_no_path(op, write_zip, refusal):
    pickle = op.state(storage=op.storage(key="../../secret"))
    assert "storage '../../secret' doesn't have" in refusal(write_zip(pickle))


def test_one_key_means_one_storage(op, write_zip, refusal):
    other = op.tensor(storage=op.storage(kind="ByteStorage", count=16))
    pickle = op.pickle(op.dict(a=op.tensor(), b=other))
    assert "two storages of one key" in refusal(write_zip(pickle))


def test_a_flipped_bit_in_a_tensor_is_found(op, write_zip, refusal):
    path = change(write_zip(op.state(), data__0=FOUR), FOUR, FOUR[:-1] + b"\x41")
    assert "record 'data/0' doesn't match its checksum" in refusal(path)


def test_a_flipped_bit_in_the_pickle_is_found(op, write_zip, refusal):
    path = change(write_zip(op.state()), b"wctorch", b"vctorch")
    assert "record 'data.pkl' doesn't match its checksum" in refusal(path)


def test_an_archive_of_other_things_is_not_pytorchs(tmp_path, refusal):
    path = tmp_path / "book.epub"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
    assert "a zip archive, but not PyTorch's: it has no data.pkl" in refusal(path)


def test_compressed_records_are_refused(op, tmp_path, refusal):
    path = tmp_path / "compressed.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", op.state())
        archive.writestr("archive/data/0", bytes(16))
    message = refusal(path)
    assert (
        "record 'archive/data.pkl' is compressed or encrypted, as PyTorch never has it" in message
    )


def test_encrypted_records_are_refused(op, write_zip, refusal):
    path = directory_entry(write_zip(op.state()), b"data/0", 8, b"\1\0")
    assert "record 'archive/data/0' is compressed or encrypted" in refusal(path)


def test_a_name_is_there_once(op, write_zip, refusal):
    path = write_zip(op.state(), data__1=bytes(16))
    path.write_bytes(path.read_bytes().replace(b"data/1", b"data/0"))
    assert "a record twice or outside the folder of data.pkl" in refusal(path)


def test_all_records_are_in_one_folder(op, write_zip, refusal):
    path = change(write_zip(op.state()), b"archive/data/0", b"brchive/data/0", nth=1)
    assert "a record twice or outside the folder of data.pkl" in refusal(path)


@pytest.mark.parametrize(
    ("offset", "raw"),
    [
        (6, b"\1\0"),  # flags
        (8, b"\x08\0"),  # method
        (14, b"\1\1\1\1"),  # checksum
        (18, b"\1\0\0\0"),  # compressed size
        (22, b"\1\0\0\0"),  # size
        (26, b"\x0d\0"),  # length of the name
        (30, b"b"),  # name
        (0, b"PK\1\2"),
    ],
)
def test_the_header_before_a_record_agrees_with_the_directory(offset, raw, op, write_zip, refusal):
    path = write_zip(op.state())
    header = path.read_bytes().index(b"archive/data/0") - 30
    content = bytearray(path.read_bytes())
    content[header + offset : header + offset + len(raw)] = raw
    path.write_bytes(content)
    assert "record 'archive/data/0' differs between header and directory" in refusal(path)


@pytest.mark.parametrize("offset", [2**31, 2**32 - 2])
def test_a_record_is_inside_the_file(offset, op, write_zip, refusal):
    path = directory_entry(write_zip(op.state()), b"data/0", 42, struct.pack("<I", offset))
    assert "record 'archive/data/0' is outside the file" in refusal(path)


def test_records_do_not_overlap(op, write_zip, refusal):
    """The bytes of `data/0` hold the header and the bytes of another record."""
    name = b"archive/data/1"
    inner = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, 4, 4, len(name), 0) + name
    path = write_zip(op.state(), data__0=inner + bytes(4), data__1=bytes(4))
    outer = path.read_bytes().index(inner)
    directory_entry(path, b"data/1", 42, struct.pack("<I", outer))
    crc = path.read_bytes()[outer + 14 : outer + 18]
    directory_entry(path, b"data/1", 16, crc)
    assert "record 'data/0' overlaps what follows" in refusal(path)


def test_nothing_stands_before_the_first_record(op, write_zip, refusal):
    path = write_zip(op.state())
    path.write_bytes(b"PK\3\4 something" + path.read_bytes())
    assert "something before the first record" in refusal(path)


def test_nothing_stands_after_the_directory(op, write_zip, refusal):
    path = write_zip(op.state())
    path.write_bytes(path.read_bytes() + b"something")
    assert "zip archive that doesn't end with its directory" in refusal(path)


def test_the_directory_is_inside_the_file(op, write_zip, refusal):
    path = write_zip(op.state())
    raw = path.read_bytes()
    path.write_bytes(raw[:-10] + b"\xff\xff\xff\x7f" + raw[-6:])
    assert "zip archive with a broken directory" in refusal(path)


def test_a_directory_of_many_records_is_not_read(op, tmp_path, refusal):
    path = tmp_path / "many.pth"
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", *[0] * 6, 0, 0, 0, 1, *[0] * 6) + b"a"
    directory = entry * 50_000
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0, 0, len(directory), 4, 0)
    path.write_bytes(b"PK\3\4" + directory + end)
    assert "directory of more than 2097152 bytes" in refusal(path)


def test_sizes_may_have_64_bits(op, tmp_path, read_all):
    path = tmp_path / "zip64.pth"
    with zipfile.ZipFile(path, "w") as archive:
        for name, raw in (("data.pkl", op.state()), ("data/0", FOUR)):
            with archive.open(f"archive/{name}", "w", force_zip64=True) as record:
                record.write(raw)
    assert read_all(path)["w"].tolist() == [1, 2, 3, 4]


def test_repacked_archives_are_read(op, write_zip, read_all):
    with zipfile.ZipFile(write_zip(op.state()), "a") as archive:
        archive.writestr("archive/data/", b"")
        path = archive.filename
    assert list(read_all(path)) == ["w"]


def test_zip_files_of_big_endian_machines_are_refused(op, write_zip, refusal):
    message = refusal(write_zip(op.state(), byteorder=b"big"))
    assert "not little-endian, which isn't supported; load it with PyTorch" in message


def test_the_byte_order_is_little_where_none_is_named(op, write_zip, read_all):
    assert list(read_all(write_zip(op.state(), byteorder=None))) == ["w"]


@pytest.mark.parametrize("version", [b"11\n", b"0", b"-1", b"9" * 5000, b"three", b""])
def test_later_versions_of_the_layout_are_refused(version, op, write_zip, refusal):
    message = refusal(write_zip(op.state(), version=version))
    assert "of the layout isn't supported; load it with PyTorch" in message


def test_nothing_follows_the_pickle(op, write_zip, refusal):
    assert "data.pkl goes on after its end" in refusal(write_zip(op.state() + b"\x80\x02N."))


def test_the_pickle_has_a_sane_size(op, write_zip, refusal):
    message = refusal(write_zip(op.state() + bytes(MAX_PICKLES)))
    assert f"at most {MAX_PICKLES} are; save the state_dict alone" in message
