import onnx
import pytest

from penult.graph.protobuf import message, varint


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**31, 2**63 - 1])
def test_fields_are_read_by_protobuf_itself(value):
    encoded = message((1, value), (1, 2), (2, 1), (8, "naïve"), (9, b"\0\xff"), (4, b""))
    tensor = onnx.TensorProto.FromString(encoded)
    assert list(tensor.dims) == [value, 2]
    assert (tensor.data_type, tensor.name, tensor.raw_data) == (1, "naïve", b"\0\xff")


def test_messages_within():
    inner = message((1, "axis"), (3, 1), (20, 2))
    node = onnx.NodeProto.FromString(message((5, inner), (5, inner)))
    assert [(a.name, a.i) for a in node.attribute] == [("axis", 1)] * 2


def test_varint_bytes():
    assert varint(300) == b"\xac\x02"
