"""Where features alone decide: by a fixed cosine, or above what a table's neighbours have."""

import numpy as np
import pytest

from penult.analysis import thresholds

SHARED = "image_features"


def cone(count, cosine, seed=0):
    """Vectors that all lie near each other, as CLIP's: any two have about this cosine."""
    random = np.random.default_rng(seed)
    own = random.standard_normal((count, 256))
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    common = np.eye(256)[0] * np.sqrt(cosine)
    return {f"{row:04}": common + np.sqrt(1 - cosine) * each for row, each in enumerate(own)}


def test_networks_of_images_have_a_fixed_one(make_table):
    found = make_table(cone(50, 0.8)).duplicates(pixels=False)
    assert (found.threshold, found.neighbours, found.dropped) == (0.9, None, [])


def test_where_all_are_near_each_other_it_lies_higher(make_table):
    found = make_table(cone(300, 0.9), layer=SHARED).duplicates(pixels=False)
    assert found.neighbours == pytest.approx(0.915, abs=0.01)
    assert found.threshold == pytest.approx(
        found.neighbours + 0.8 * (1 - found.neighbours), abs=1e-3
    )
    assert found.dropped == []
    fixed = make_table(cone(300, 0.9), "fixed.lance", layer=SHARED)
    assert len(fixed.duplicates(0.9, pixels=False).dropped) > 100


def test_copies_are_found_above_it_and_do_not_move_it(make_table):
    vectors = cone(300, 0.9)
    plain = make_table(vectors, layer=SHARED).duplicates(pixels=False)
    near = {f"{key}_copy": vectors[key] + 0.0005 for key in list(vectors)[:40]}
    found = make_table(vectors | near, "copies.lance", layer=SHARED).duplicates(pixels=False)
    assert found.threshold == pytest.approx(plain.threshold, abs=0.002)
    assert {image.key.removesuffix("_copy") for image in found.dropped} == {*list(vectors)[:40]}


def test_where_they_are_far_from_each_other_it_is_the_fixed_one(make_table):
    found = make_table(cone(50, 0.0), layer=SHARED).duplicates(pixels=False)
    assert found.threshold == 0.9
    assert found.neighbours < 0.5


def test_one_said_is_taken(make_table):
    found = make_table(cone(50, 0.9), layer=SHARED).duplicates(0.95, pixels=False)
    assert (found.threshold, found.neighbours) == (0.95, None)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_images(make_table, count):
    assert 0.9 <= make_table(cone(count, 0.9), layer=SHARED).duplicates(pixels=False).threshold < 1


def test_large_tables_are_sampled(make_table, monkeypatch):
    monkeypatch.setattr(thresholds, "ASKED", 50)
    monkeypatch.setattr(thresholds, "AMONG", 200)
    found = make_table(cone(400, 0.9), layer=SHARED).duplicates(pixels=False)
    assert found.neighbours == pytest.approx(0.91, abs=0.01)
