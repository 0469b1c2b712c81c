"""Intervals and tests are those of their authors."""

import numpy as np
import pytest

from penult.analysis import statistics


def test_wilson_is_as_published():
    assert statistics.wilson(0, 10) == pytest.approx((0, 0, 0.277533), abs=1e-5)
    assert statistics.wilson(81, 263) == pytest.approx((0.307985, 0.255300, 0.366235), abs=1e-4)


def test_mcnemar_is_a_binomial_of_what_differs():
    one, other = np.zeros((2, 20), bool)
    assert statistics.mcnemar(one, other) == 1
    one[:8], other[8:9] = True, True
    assert statistics.mcnemar(one, other) == pytest.approx(2 * (1 + 9) / 2**9)


def test_the_bootstrap_stays_within_0_and_1():
    assert statistics.bootstrap(np.array([5, 5]), np.array([5, 5])) == (1, 1, 1)
    value, low, high = statistics.bootstrap(np.array([50, 80]), np.array([100, 100]))
    assert value == 0.65
    assert (low, high) == pytest.approx((0.588, 0.712), abs=0.01)


def test_holm_is_as_published():
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.5, 0.9]) == [1, 1]
    assert statistics.holm([]) == []


def test_the_best_of_many_alike_is_expected_to_be_as_good_as_they_are():
    right = np.random.default_rng(0).random((20, 400)) < 0.8
    value, low, high = statistics.expected(right)
    assert right.mean(axis=1).max() > 0.84
    assert low < 0.8 < high
    assert value == pytest.approx(0.8, abs=0.02)


def test_a_single_result_is_expected_to_be_as_good_as_it_is():
    right = np.arange(400)[None] < 300
    assert statistics.expected(right).value == pytest.approx(0.75, abs=0.005)


def test_of_two_images_those_that_are_all_drawn_are_passed_over():
    assert statistics.expected(np.array([[True, True]])) == (1, 1, 1)
