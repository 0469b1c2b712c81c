import pytest

import onnx
from penult.util.protobuf import MalformedError, Message, encode, encode_varint, opening


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**31, 2**63 - 1])
def test_fields_are_read_by_protobuf_itself(value):
    encoded = encode((1, value), (1, 2), (2, 1), (8, "naïve"), (9, b"\0\xff"), (4, b""))
    tensor = onnx.TensorProto.FromString(encoded)
    assert list(tensor.dims) == [value, 2]
    assert (tensor.data_type, tensor.name, tensor.raw_data) == (1, "naïve", b"\0\xff")


def test_messages_within():
    inner = encode((1, "axis"), (3, 1), (20, 2))
    node = onnx.NodeProto.FromString(encode((5, inner), (5, inner)))
    assert [(a.name, a.i) for a in node.attribute] == [("axis", 1)] * 2


def test_varint_bytes():
    assert encode_varint(300) == b"\xac\x02"


def test_a_field_can_be_written_in_pieces():
    assert opening(9, 300) + bytes(300) == encode((9, bytes(300)))


def test_numbers_are_read_one_by_one_and_packed():
    packed = encode_varint(3) + encode_varint(2**64 - 1)
    message = Message(memoryview(encode((1, 300), (1, packed), (2, 5))))
    assert message.numbers(1) == [300, 3, -1]
    assert message.numbers(7) == []


def test_names_are_read_and_limited():
    assert Message(memoryview(encode((1, "a"), (1, "é")))).names(1) == ["a", "é"]
    with pytest.raises(MalformedError, match="a name of 4097 bytes"):
        Message(memoryview(encode((1, "x" * 4097)))).names(1)
    with pytest.raises(MalformedError, match="a name that isn't UTF-8"):
        Message(memoryview(encode((1, b"\xff")))).names(1)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x0a\x05abc", "a field of 5 bytes where 3 are left"),
        (b"\x08", "a number that doesn't end"),
        (b"\x08" + b"\xff" * 10, "a number that doesn't end"),
        (b"\x0b", "wire type 3, which isn't used"),
        (b"\x0d\0\0", "a field of 4 bytes where 2 are left"),
    ],
)
def test_lengths_are_checked_before_they_are_believed(data, reason):
    with pytest.raises(MalformedError, match=reason):
        Message(memoryview(data))


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (lambda m: m.number(2), "field 2 isn't a number"),
        (lambda m: m.content(1), "field 1 isn't bytes"),
        (lambda m: m.contents(1), "field 1 isn't bytes"),
        (lambda m: m.number(3), "field 3 more than once"),
    ],
)
def test_fields_of_another_kind_are_refused(ask, reason):
    with pytest.raises(MalformedError, match=reason):
        ask(Message(memoryview(encode((1, 5), (2, "text"), (3, 1), (3, 1)))))
