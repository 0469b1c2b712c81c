"""Measures of similarity are those of the papers, by values made once with naive formulas."""

import json
from pathlib import Path

import numpy as np
import pytest

from penult.analysis import similarity
from penult.analysis.similarity import permuted

CASES = json.loads((Path(__file__).parents[1] / "reference/compare/values.json").read_text("utf-8"))
MEASURES = ["cka", "rsa", "knn", "procrustes"]


def layers(n, d1, d2, seed):
    random = np.random.default_rng(seed)
    seen = random.standard_normal((n, 6))
    x = seen @ random.standard_normal((6, d1)) + random.standard_normal((n, d1)) + 3
    y = np.maximum(seen @ random.standard_normal((6, d2)) + random.standard_normal((n, d2)), 0)
    return x, y


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['n']}x{case['d1']}x{case['d2']}")
def test_measures_are_those_of_the_papers(case, measure):
    x, y = layers(case["n"], case["d1"], case["d2"], case["seed"])
    found = getattr(similarity, measure)(x, y)
    assert found == pytest.approx(case["values"][measure], abs=1e-9)


@pytest.mark.parametrize("measure", MEASURES)
def test_the_same_features_are_1_and_turned_and_scaled_too_except_for_rsa(measure):
    x, _ = layers(30, 8, 8, 0)
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((8, 8)))[0]
    other = x if measure == "rsa" else 3 * x @ turn
    assert getattr(similarity, measure)(x, other) == pytest.approx(1)


def test_unbiased_cka_of_unrelated_wide_features_is_about_0():
    random = np.random.default_rng(0)
    x, y = random.standard_normal((2, 100, 1000))
    assert abs(similarity.cka(x, y)) < 0.05


def test_equal_dissimilarities_share_their_rank():
    assert similarity._ranks(np.array([2.0, 1.0, 2.0])).tolist() == [2.5, 1.0, 2.5]


@pytest.mark.parametrize("measure", MEASURES)
def test_what_permutations_compare_grows_with_the_measure(measure):
    x, y = layers(30, 8, 12, 0)
    statistic = getattr(similarity, f"{measure}_of_order")(x, y)
    orders = [np.random.default_rng(seed).permutation(30) for seed in range(8)]
    by_statistic = sorted(range(8), key=lambda i: statistic(orders[i]))
    values = [getattr(similarity, measure)(x, y[orders[i]]) for i in by_statistic]
    assert values == sorted(values)


def test_p_counts_the_true_order_among_the_others():
    x, y = layers(30, 8, 12, 0)
    assert permuted(similarity.cka_of_order(x, y), 30, 99, seed=0) == 1 / 100
    assert permuted(lambda order: 0.0, 30, 99, seed=0) == 1


def test_p_of_unrelated_features_is_even():
    random = np.random.default_rng(0)
    ps = [
        permuted(similarity.rsa_of_order(*random.standard_normal((2, 20, 5))), 20, 39, seed=seed)
        for seed in range(60)
    ]
    assert 0.35 < np.mean(ps) < 0.65
