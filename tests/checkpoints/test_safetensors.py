"""The rules of safetensors, a file against each."""

import json
import struct

import numpy as np
import pytest

from penult.checkpoints import open_checkpoint
from penult.checkpoints.safetensors import MAX_HEADER

FOUR = struct.pack("<4f", 1, 2, 3, 4)


def entry(begin=0, end=16, dtype="F32", shape=(4,)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def test_tensors_are_read(write_safetensors, read_all):
    path = write_safetensors({"w": entry(shape=(2, 2))}, FOUR)
    assert read_all(path)["w"].tolist() == [[1, 2], [3, 4]]


def test_a_file_may_have_no_tensors(write_safetensors):
    assert len(open_checkpoint(write_safetensors({}))) == 0


def test_the_header_may_be_padded(write_safetensors, read_all):
    header = json.dumps({"w": entry()}).encode() + b" " * 7
    assert list(read_all(write_safetensors(header, FOUR))) == ["w"]


def test_tensors_may_be_empty_or_without_dimensions(write_safetensors, read_all):
    header = {"e": entry(0, 0, shape=(3, 0)), "s": entry(0, 4, shape=())}
    header["last"] = entry(4, 4, shape=(0,))
    tensors = read_all(write_safetensors(header, FOUR[:4]))
    assert tensors["e"].shape == (3, 0)
    assert tensors["s"] == np.float32(1)


def test_tensors_may_be_in_any_order(write_safetensors, read_all):
    header = {"b": entry(8, 16, shape=(2,)), "a": entry(0, 8, shape=(2,))}
    assert read_all(write_safetensors(header, FOUR))["b"].tolist() == [3, 4]


def test_metadata_are_texts(write_safetensors):
    header = {"__metadata__": {"format": "pt"}, "w": entry()}
    assert open_checkpoint(write_safetensors(header, FOUR)).metadata == {"format": "pt"}


@pytest.mark.parametrize("metadata", [{"epoch": 3}, {"a": None}, {"a": {}}, [], "text", None])
def test_other_metadata_are_refused(metadata, write_safetensors, refusal):
    path = write_safetensors({"__metadata__": metadata, "w": entry()}, FOUR)
    assert "__metadata__ is not a dict of texts" in refusal(path)


def test_a_header_above_the_limit_is_refused(write_safetensors, refusal):
    path = write_safetensors({"w": entry()}, FOUR, length=MAX_HEADER + 1)
    assert f"header of {MAX_HEADER + 1} bytes, at most {MAX_HEADER} expected" in refusal(path)


@pytest.mark.parametrize("length", [2**63, 2**64 - 1])
def test_a_header_of_an_absurd_length_is_refused(length, write_safetensors, refusal):
    path = write_safetensors({"w": entry()}, FOUR, length=length)
    assert f"header of {length} bytes, at most {MAX_HEADER} expected" in refusal(path)


def test_a_header_beyond_the_file_is_refused(write_safetensors, refusal):
    path = write_safetensors({"w": entry()}, FOUR, length=1000)
    assert "header of 1000 bytes in a file of" in refusal(path)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"{", "Expecting property name"),
        (b'{"a": 1', "Expecting ',' delimiter"),
        (b"{}x", "Extra data"),
        (b"{} {}", "Extra data"),
        (b'{"\xff": 1}', "can't decode byte 0xff"),
        (b'{"a": NaN}', "NaN is no number"),
        (b'{"a": -Infinity}', "-Infinity is no number"),
        (b'{"a": ' + b"9" * 5000 + b"}", "Exceeds the limit"),
        (b'{"a": ' + b"[" * 100_000, "recursion"),
        (b'{"w": 1, "w": 1}', "the same key twice"),
        (b'{"__metadata__": {"a": "1", "a": "2"}}', "the same key twice"),
    ],
)
def test_a_header_that_is_no_proper_json_is_refused(header, reason, write_safetensors, refusal):
    message = refusal(write_safetensors(header))
    assert "header that isn't proper JSON" in message
    assert reason in message


@pytest.mark.parametrize("header", [b' {"w": 1}', b"[]", b"\xef\xbb\xbf{}"])
def test_a_header_begins_with_a_brace(header, write_safetensors, refusal):
    assert "isn't a weights file" in refusal(write_safetensors(header))


@pytest.mark.parametrize(
    "value",
    [
        1,
        None,
        [],
        {},
        {"dtype": "F32", "shape": [4]},
        {"dtype": "F32", "shape": [4], "data_offsets": [0, 16], "stride": [1]},
    ],
)
def test_an_entry_has_three_keys(value, write_safetensors, refusal):
    message = refusal(write_safetensors({"w": value}, FOUR))
    assert "tensor 'w' has other keys than dtype, shape, data_offsets" in message


@pytest.mark.parametrize("dtype", ["F4", "F8_E8M0", "f32", "", 32, None, ["F32"]])
def test_an_unknown_dtype_is_named(dtype, write_safetensors, refusal):
    message = refusal(write_safetensors({"w": entry(dtype=dtype)}, FOUR))
    assert f"tensor 'w' is of dtype '{dtype}', which isn't supported" in message


@pytest.mark.parametrize(
    "change",
    [
        {"shape": 4},
        {"shape": [-4]},
        {"shape": [4.0]},
        {"shape": ["4"]},
        {"shape": [True]},
        {"shape": [2**63]},
        {"data_offsets": [0]},
        {"data_offsets": [0, 8, 16]},
        {"data_offsets": [-16, 0]},
        {"data_offsets": [0.0, 16.0]},
        {"data_offsets": {"begin": 0, "end": 16}},
    ],
)
def test_shape_and_offsets_are_lists_of_sizes(change, write_safetensors, refusal):
    message = refusal(write_safetensors({"w": entry() | change}, FOUR))
    assert "tensor 'w' has no proper shape or data_offsets" in message


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [3]},
        {"shape": [5]},
        {"shape": [2**62, 2**62, 0]},
        {"shape": [2**62, 4]},
        {"shape": [1] * 65},
        {"dtype": "F64"},
        {"data_offsets": [16, 0]},
        {"data_offsets": [0, 2**60]},
    ],
)
def test_a_tensor_has_the_bytes_of_its_shape_and_dtype(change, write_safetensors, refusal):
    message = refusal(write_safetensors({"w": entry() | change}, FOUR))
    assert "tensor 'w' doesn't have the bytes of its shape and dtype" in message


@pytest.mark.parametrize("begins", [(0, 12), (0, 4), (4, 20)])
def test_there_are_no_holes_and_no_overlaps(begins, write_safetensors, refusal):
    header = {name: entry(at, at + 8, shape=(2,)) for name, at in zip("ab", begins, strict=True)}
    message = refusal(write_safetensors(header, FOUR))
    assert "a hole or an overlap before tensor" in message


@pytest.mark.parametrize("content", [b"", FOUR[:-1], FOUR + b"\0", FOUR * 2])
def test_the_tensors_end_where_the_file_ends(content, write_safetensors, refusal):
    message = refusal(write_safetensors({"w": entry()}, content))
    assert "but the tensors end at" in message


def test_a_name_is_not_longer_than_the_limit(write_safetensors, refusal):
    path = write_safetensors({"n" * 2000: entry()}, FOUR)
    assert "of more than 1024 characters" in refusal(path)


def test_a_name_is_text(write_safetensors, refusal):
    path = write_safetensors(b'{"\\ud800": ' + json.dumps(entry()).encode() + b"}", FOUR)
    assert r"tensor name '\ud800' isn't Unicode text" in refusal(path)


def test_metadata_can_be_written(write_safetensors):
    path = write_safetensors(b'{"__metadata__": {"a\\ud800": "\\udfff"}}')
    assert open_checkpoint(path).metadata == {r"a\ud800": r"\udfff"}
