"""Labels by folders, within archives too."""

import pytest

from penult.analysis.labels import labels_of


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("cats/1.jpg", "cats"),
        ("a/cats/1.jpg", "cats"),
        ("1.jpg", None),
        ("s-0001.tar#cats/1.jpg", "cats"),
        ("d/s.zip#a/cats/1.jpg", "cats"),
        ("d/s.zip#1.jpg", None),
        ("d/t.parquet#image/17", None),
    ],
)
def test_parent_is_the_folder_that_an_image_lies_in(key, label):
    assert labels_of("parent", [key]).get(key) == label
