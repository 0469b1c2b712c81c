import pickle
import re

import pytest

from penult import errors


def test_image_errors_cross_processes():
    error = pickle.loads(pickle.dumps(errors.ImageError("empty", "zero bytes")))
    assert (error.code, error.detail, str(error)) == ("empty", "zero bytes", "empty: zero bytes")


def test_the_tree_in_the_docstring_is_the_tree():
    drawn = re.findall(r"── (\w+)", errors.__doc__)
    classes = [
        e for e in vars(errors).values() if isinstance(e, type) and e.__module__ == "penult.errors"
    ]
    assert sorted(["PenultError", *drawn]) == sorted(each.__name__ for each in classes)
    assert all(issubclass(each, errors.PenultError) for each in classes)


def test_a_missing_extra_says_how_to_get_it():
    message = re.escape("to_pandas needs an optional package: pip install 'penult[pandas]'")
    with pytest.raises(errors.UsageError, match=message):
        raise errors.MissingExtraError("to_pandas", "pandas")
