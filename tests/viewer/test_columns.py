"""What columns become on their way to the page."""

import numpy as np
import pyarrow as pa
import pytest

from penult.viewer.columns import column


@pytest.mark.parametrize(
    ("values", "array", "kind"),
    [
        (pa.array([1, 2], "int32"), "Int32Array", "<i4"),
        (pa.array([1, 2**40], "int64"), "Float64Array", "<f8"),
        (pa.array([0.5, 0.25], "float32"), "Float32Array", "<f4"),
    ],
)
def test_numbers_keep_their_kind_where_the_browser_has_it(values, array, kind):
    made = column(values)
    assert (made.array, made.words) == (array, None)
    assert np.frombuffer(made.data, kind).tolist() == values.to_pylist()


@pytest.mark.parametrize(("kind", "numpy"), [("int32", "<f8"), ("float32", "<f4")])
def test_rows_without_a_number_have_none(kind, numpy):
    numbers = np.frombuffer(column(pa.array([3, None], kind)).data, numpy)
    np.testing.assert_array_equal(numbers, [3, np.nan])


def test_times_are_seconds():
    made = column(pa.array([1_500_000_000], "timestamp[ns]"))
    assert (made.array, np.frombuffer(made.data, "<f8").tolist()) == ("Float64Array", [1.5])


def test_words_come_once_and_none_is_the_first():
    made = column(pa.array(["b", None, "a", "b"]))
    assert made.words == [None, "b", "a"]
    assert np.frombuffer(made.data, "<i4").tolist() == [1, 0, 2, 1]
