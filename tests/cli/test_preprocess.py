"""`--preprocess` on the command line: words, and the files of other libraries."""

import json

import pytest

import penult

WORDS = "resize 40 bicubic, crop 32, bgr, scale 1, mean 104 117 124"
SAID = "squash 32 bilinear, scale 1/255, mean 0.5 0.5 0.5, std 1 1 1"


@pytest.fixture
def extract(run, photos):
    """Extract features of one photo of 32 pixels."""
    photo = photos / "cat_chelsea.jpg"
    return lambda preprocess: run(
        *("extract", photo, "-o", "t.lance", "--size", 32, "--preprocess", preprocess)
    )


@pytest.mark.parametrize(("asked", "said"), [(WORDS, WORDS), ("preprocessor_config.json", SAID)])
def test_a_table_says_how_its_images_were_prepared(asked, said, extract, tmp_path):
    config = {"image_processor_type": "ViTImageProcessor", "image_std": 1}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(config), "utf-8")
    result = extract(asked)
    assert (result.returncode, result.stdout) == (0, "")
    assert penult.open(tmp_path / "t.lance").provenance["preprocessing"] == said
    assert "0 computed, " in extract(said).stderr  # the same features, so there is nothing to do


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("squash 32 smooth", "preprocess squash must be by one of tf1_bilinear, bilinear, "),
        ("none.json", "'none.json' can't be read: No such file or directory"),
        ("clip", "preprocess must be one of efficientnet, inception, "),
    ],
)
def test_what_is_not_understood_is_one_line(asked, message, extract):
    result = extract(asked)
    assert result.returncode > 0
    assert result.stderr.startswith(f"penult: {message}")
    assert result.stderr.count("\n") == 1
