"""How alike two sets of features of the same images are, whatever their widths and axes.

Each measure takes two matrices, a row an image, and is 1 for features that are the same up to a
rotation and a scale (RSA: up to what leaves correlations as they are).

- `cka`: linear centered kernel alignment (Kornblith et al. 2019, arXiv:1905.00414) with the
  unbiased estimate of HSIC (Song et al. 2012, eq. 5) that Nguyen et al. 2021, arXiv:2010.15327,
  use. For features that have nothing in common it is about 0, and may be below.
- `rsa`: Spearman's correlation of the two dissimilarity matrices, 1 - Pearson's correlation of two
  images' features (Kriegeskorte et al. 2008, doi:10.3389/neuro.06.004.2008).
- `knn`: the share of an image's k nearest others by cosine that both have (Huh et al. 2024,
  arXiv:2405.07987).
- `procrustes`: 1 - d / 2 of the orthogonal Procrustes distance d, between 0 and 2, of the centred
  matrices made of length 1 (Ding et al. 2021, arXiv:2108.01661).

Tests put one side's images in other orders (for RSA Mantel 1967, for Procrustes Jackson 1995).
Images drawn at random from all do as well: if features had nothing in common, all orders of these
would be as likely too, so p is as right, and only what is little is missed more often. Of simulated
features, 64 wide, with nothing in common, 256 images give p ≤ 0.05 in 3 to 6 % of tests; with a CKA
or RSA of 0.02, p ≤ 0.01 in 9 of 10, and from 0.04 on in all. Orders of near-duplicates aren't as
likely as each other: they make p too small.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.float64]

BLOCK = 1024  # rows that are compared with all others at a time
MAX_K = 10  # neighbours, as Huh et al. take


def cka(x: Matrix, y: Matrix) -> float:
    """Debiased linear CKA of at least 4 rows."""
    x, y = compact(x), compact(y)
    return float(hsic(x, y) / np.sqrt(hsic(x, x) * hsic(y, y)))


def hsic(x: Matrix, y: Matrix) -> float:
    """The unbiased HSIC of centred rows, times n (n - 3), in O(n d²)."""
    return hsic_of(float(np.sum((x.T @ y) ** 2)), _squares(x), _squares(y))


def hsic_of(cross: float, x_squares: Matrix, y_squares: Matrix) -> float:
    """The same of what can be summed up block by block.

    Rows of a centred matrix's Gram matrix add up to 0, so without the diagonal they add up to minus
    it: of the estimate's three terms only the diagonals remain, and the cross product.

    Args:
        cross: The squared Frobenius norm of XᵀY.
        x_squares: The squared length of each row of X.
        y_squares: The squared length of each row of Y.
    """
    n = len(x_squares)
    both = float(x_squares @ y_squares)
    return cross - both * n / (n - 2) + float(x_squares.sum() * y_squares.sum()) / (n - 1) / (n - 2)


def rsa(x: Matrix, y: Matrix) -> float:
    """Spearman's correlation of the dissimilarities of all pairs of rows."""
    above = np.triu_indices(len(x), 1)
    first, second = (_ranks(dissimilarity(rows)[above]) for rows in (x, y))
    return float(np.corrcoef(first, second)[0, 1])


def dissimilarity(x: Matrix) -> Matrix:
    """1 - Pearson's correlation of each two rows; a row without variance correlates with none."""
    unit = _unit(x - x.mean(axis=1, keepdims=True))
    matrix = 1 - unit @ unit.T
    np.fill_diagonal(matrix, 0)
    return matrix


def knn(x: Matrix, y: Matrix, k: int = MAX_K) -> float:
    """The mean share of the k nearest others that both have."""
    first, second = nearest(x, k), nearest(y, k)
    return float((first[:, :, None] == second[:, None, :]).sum() / first.size)


def nearest(x: Matrix, k: int) -> NDArray[np.intp]:
    """The k nearest others of each row by cosine: (rows, k)."""
    unit = _unit(x)
    found = np.empty((len(x), k), np.intp)
    for start in range(0, len(x), BLOCK):
        cosines = unit[start : start + BLOCK] @ unit.T
        rows = np.arange(len(cosines))
        cosines[rows, start + rows] = -np.inf  # a row isn't its own neighbour
        found[start + rows] = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
    return found


def procrustes(x: Matrix, y: Matrix) -> float:
    """1 - d / 2: the sum of the singular values of XᵀY, both centred and of Frobenius norm 1."""
    x, y = compact(x), compact(y)
    singular = np.linalg.svd(x.T @ y, compute_uv=False)
    return float(singular.sum() / np.linalg.norm(x) / np.linalg.norm(y))


def compact(x: Matrix) -> Matrix:
    """Centred rows, turned so that there are at most as many columns as rows."""
    centred = x - x.mean(axis=0)
    rows, columns = x.shape
    return centred if columns <= rows else np.linalg.qr(centred.T)[1].T


Statistic: TypeAlias = Callable[[NDArray[np.intp]], float]


def cka_of_order(x: Matrix, y: Matrix) -> Statistic:
    """What grows with `cka` when the rows of `y` are put in another order."""
    x, y = compact(x), compact(y)
    return _of_pairs(_without_means(x @ x.T), _without_means(y @ y.T))


def rsa_of_order(x: Matrix, y: Matrix) -> Statistic:
    """What grows with `rsa` when the rows of `y` are put in another order."""
    return _of_pairs(_rank_matrix(x), _rank_matrix(y))


def knn_of_order(x: Matrix, y: Matrix, k: int = MAX_K) -> Statistic:
    """What grows with `knn` when the rows of `y` are put in another order."""
    return _of_pairs(_neighbour_matrix(x, k), _neighbour_matrix(y, k))


def procrustes_of_order(x: Matrix, y: Matrix) -> Statistic:
    """What grows with `procrustes` when the rows of `y` are put in another order."""
    x, y = compact(x), compact(y)

    def statistic(order: NDArray[np.intp]) -> float:
        cross = x.T @ y[order]
        # the roots of the eigenvalues are the singular values, in half the time
        return float(np.sqrt(np.maximum(np.linalg.eigvalsh(cross @ cross.T), 0)).sum())

    return statistic


def permuted(statistic: Statistic, rows: int, permutations: int, seed: int) -> float:
    """The p of a permutation test: the share of orders, the true one among them, that reach it."""
    random = np.random.default_rng(seed)
    true = statistic(np.arange(rows))
    limit = true - 1e-9 * abs(true)  # of rounding: an order that changes nothing counts
    reached = sum(statistic(random.permutation(rows)) >= limit for _ in range(permutations))
    return (1 + reached) / (1 + permutations)


def _of_pairs(first: Matrix, second: Matrix) -> Statistic:
    return lambda order: float(np.vdot(first, second[np.ix_(order, order)]))


def _without_means(gram: Matrix) -> Matrix:
    """The Gram matrix of centred rows, U-centred (Székely & Rizzo 2014): its rows add up to 0."""
    n, diagonal = len(gram), gram.diagonal()
    means = diagonal / (n - 2)
    centred = gram + means[:, None] + means - diagonal.sum() / (n - 1) / (n - 2)
    np.fill_diagonal(centred, 0)
    return np.asarray(centred, np.float64)


def _rank_matrix(x: Matrix) -> Matrix:
    above = np.triu_indices(len(x), 1)
    ranks = _ranks(dissimilarity(x)[above])
    matrix = np.zeros((len(x), len(x)))
    matrix[above] = ranks - ranks.mean()
    return matrix + matrix.T


def _neighbour_matrix(x: Matrix, k: int) -> Matrix:
    matrix = np.zeros((len(x), len(x)))
    np.put_along_axis(matrix, nearest(x, k), 1, axis=1)
    return matrix


def _ranks(values: Matrix) -> Matrix:
    """Ranks from 1; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place], np.float64)


def _squares(x: Matrix) -> Matrix:
    return np.asarray(np.einsum("ij,ij->i", x, x))


def _unit(x: Matrix) -> Matrix:
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(x / np.where(lengths, lengths, 1))
