"""Element types that NumPy doesn't have, and bytes that it shouldn't have."""

import numpy as np
import pytest

# Of the formats' tables: largest, smallest normal, largest and smallest subnormal, and others.
E4M3 = {
    0x7E: 448.0,
    0x08: 2.0**-6,
    0x07: 0.875 * 2.0**-6,
    0x01: 2.0**-9,
    0x38: 1.0,
    0xB8: -1.0,
    0x00: 0.0,
}
E5M2 = {
    0x7B: 57344.0,
    0x04: 2.0**-14,
    0x03: 0.75 * 2.0**-14,
    0x01: 2.0**-16,
    0x3C: 1.0,
    0x7C: np.inf,
}


@pytest.fixture
def read(write_safetensors, read_all):
    """The bytes of a tensor, as an array."""

    def read_as(dtype, raw, count):
        entry = {"dtype": dtype, "shape": [count], "data_offsets": [0, len(raw)]}
        return read_all(write_safetensors({"w": entry}, raw))["w"]

    return read_as


@pytest.mark.parametrize(("byte", "value"), E4M3.items())
def test_float8_e4m3_is_widened(byte, value, read):
    assert read("F8_E4M3", bytes([byte]), 1) == np.float32(value)


@pytest.mark.parametrize(("byte", "value"), E5M2.items())
def test_float8_e5m2_is_widened(byte, value, read):
    assert read("F8_E5M2", bytes([byte]), 1) == np.float32(value)


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2"])
def test_float8_has_signed_zeros_and_nan(dtype, read):
    zeros_and_nan = read(dtype, b"\x00\x80\x7f\xff", 4)
    assert zeros_and_nan[:2].tolist() == [0, 0]
    assert np.signbit(zeros_and_nan).tolist() == [False, True, False, True]
    assert np.isnan(zeros_and_nan[2:]).all()


def test_bfloat16_is_widened_bit_by_bit(read):
    raw = np.arange(65536, dtype="<u2")
    widened = read("BF16", raw.tobytes(), 65536)
    assert widened.dtype == np.float32
    assert np.array_equal(widened.view(np.uint32), raw.astype(np.uint32) << 16)


def test_any_byte_but_zero_is_true(read):
    truth = read("BOOL", b"\x00\x01\x02\xff", 4)
    assert truth.dtype == bool
    assert truth.tobytes() == b"\x00\x01\x01\x01"
