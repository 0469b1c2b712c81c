"""Where one picture lies in another."""

import numpy as np
import pytest

from penult.analysis.alignment import PART, WHOLE, Coarse, place

ROOM = WHOLE - PART + 1


@pytest.fixture
def pictures():
    return np.random.default_rng(0).normal(128, 30, (3, 2, WHOLE, WHOLE)).astype(np.float32)


@pytest.mark.parametrize(("y", "x"), [*np.ndindex(ROOM, ROOM)])
def test_a_part_is_found_where_it_was_cut(pictures, y, x):
    whole = Coarse.of(pictures)
    noise = np.random.default_rng(1).normal(128, 30, pictures.shape).astype(np.float32)
    part = Coarse(noise, 2 * pictures[:, :, y : y + PART, x : x + PART] - 100)
    found, maps = place(whole, part)
    np.testing.assert_allclose(found, 1, rtol=1e-5)
    scale = PART / WHOLE
    np.testing.assert_allclose(maps, np.tile([[scale, y / WHOLE], [scale, x / WHOLE]], (3, 1, 1)))
    found, maps = place(part, whole)
    np.testing.assert_allclose(found, 1, rtol=1e-5)
    expected = [[1 / scale, -y / PART], [1 / scale, -x / PART]]
    np.testing.assert_allclose(maps, np.tile(expected, (3, 1, 1)), rtol=1e-6)


def test_the_whole_is_compared_by_the_correlation_of_its_edges(pictures):
    def edges(picture):
        differences = (np.diff(picture, axis=1)[..., :-1], np.diff(picture, axis=2)[:, :-1])
        return np.concatenate(differences, axis=None)

    some = pictures + np.flip(pictures, axis=(0, 2))
    parts = np.zeros((3, 2, PART, PART), np.float32)
    found, maps = place(Coarse(pictures, parts), Coarse(some, parts))
    expected = [
        np.corrcoef(edges(one), edges(other))[0, 1]
        for one, other in zip(pictures, some, strict=True)
    ]
    assert min(expected) > 0.5
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    np.testing.assert_array_equal(maps, np.tile([[1, 0], [1, 0]], (3, 1, 1)))


def test_pictures_without_edges_are_like_none(pictures):
    found, _ = place(Coarse.of(np.full_like(pictures, 200)), Coarse.of(pictures))
    np.testing.assert_allclose(found, 0, atol=1e-5)
