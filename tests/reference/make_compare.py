"""Measures of similarity as their papers print them, pair by pair in float64, and their values.

Nothing here is Penult's. Run it from the repository's root to write `compare/values.json`, which
the tests compare with. SciPy's own Procrustes analysis and Spearman's correlation check it.
"""

import json
from pathlib import Path

import numpy as np
from scipy.spatial import procrustes as scipy_procrustes
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr


def features(n, d1, d2, seed):
    """Two layers that share some of what they see; the tests make the same."""
    random = np.random.default_rng(seed)
    seen = random.standard_normal((n, 6))
    x = seen @ random.standard_normal((6, d1)) + random.standard_normal((n, d1)) + 3
    y = np.maximum(seen @ random.standard_normal((6, d2)) + random.standard_normal((n, d2)), 0)
    return x, y


def hsic1(k, m):
    """Song et al. 2012, equation 5."""
    n = len(k)
    k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    one = np.ones(n)
    first = np.trace(k @ m)
    second = (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
    third = 2 / (n - 2) * (one @ k @ m @ one)
    return (first + second - third) / (n * (n - 3))


def cka(x, y):
    """Nguyen et al. 2021, equations 1 and 2, of all images in one batch."""
    k, m = x @ x.T, y @ y.T
    return hsic1(k, m) / np.sqrt(hsic1(k, k) * hsic1(m, m))


def rsa(x, y):
    """Kriegeskorte et al. 2008: upper triangles of 1 - Pearson, by rank."""
    return spearmanr(pdist(x, "correlation"), pdist(y, "correlation"))[0]


def knn(x, y, k):
    """Huh et al. 2024, appendix A: the mean intersection of neighbour sets, over k."""
    shared = 0
    for i in range(len(x)):
        sets = []
        for rows in (x, y):
            unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
            order = sorted((j for j in range(len(x)) if j != i), key=lambda j: -(unit[i] @ unit[j]))
            sets.append(set(order[:k]))
        shared += len(sets[0] & sets[1])
    return shared / (k * len(x))


def procrustes(x, y):
    """Ding et al. 2021, section 3: 1 - d / 2 of ‖A‖² + ‖B‖² - 2‖AᵀB‖, the last the nuclear norm."""
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    distance = 1 + 1 - 2 * np.linalg.svd(a.T @ b, compute_uv=False).sum()
    width = max(x.shape[1], y.shape[1])
    padded = [np.pad(rows, ((0, 0), (0, width - rows.shape[1]))) for rows in (x, y)]
    disparity = scipy_procrustes(*padded)[2]  # 1 - ‖AᵀB‖²
    assert np.isclose((1 - distance / 2) ** 2, 1 - disparity)
    return 1 - distance / 2


if __name__ == "__main__":
    cases = []
    for n, d1, d2, seed in ((60, 8, 20, 0), (40, 90, 13, 1), (25, 50, 120, 2)):
        x, y = features(n, d1, d2, seed)
        values = {"cka": cka(x, y), "rsa": rsa(x, y), "knn": knn(x, y, 10)}
        values["procrustes"] = procrustes(x, y)
        cases.append({"n": n, "d1": d1, "d2": d2, "seed": seed, "values": values})
    out = Path(__file__).with_name("compare") / "values.json"
    out.write_text(json.dumps(cases, indent=1) + "\n", "utf-8")
