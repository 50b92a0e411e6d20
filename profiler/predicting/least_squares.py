"""Least squares with costs that are never negative.

Method: C. L. Lawson and R. J. Hanson, Solving Least Squares Problems (1974), chapter 23.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
SMALLEST = 1e-12


def costs(rows: Sequence[Mapping[str, float]], seconds: Sequence[float]) -> dict[str, float]:
    """The cost of one unit of each term, in seconds, that explains `seconds` best, relative errors counting alike."""
    names = sorted({name for row in rows for name in row})
    weights = 1 / np.asarray(seconds, np.float64)
    amounts = np.array([[row.get(name, 0.0) for name in names] for row in rows], np.float64)
    relative = amounts * weights[:, None]
    scale = np.linalg.norm(relative, axis=0)
    scale[scale == 0] = 1
    found = non_negative(relative / scale, np.ones(len(rows))) / scale
    return dict(zip(names, map(float, found), strict=True))


def non_negative(matrix: Matrix, wanted: Matrix) -> Matrix:
    """The x >= 0 that makes |matrix x - wanted| smallest."""
    columns = matrix.shape[1]
    solution, used = np.zeros(columns), np.zeros(columns, bool)
    for _ in range(3 * columns):
        gradient = matrix.T @ (wanted - matrix @ solution)
        gradient[used] = -np.inf
        best = int(np.argmax(gradient))
        if gradient[best] <= SMALLEST:
            break
        used[best] = True
        solution = _feasible(matrix, wanted, solution, used)
    return solution


def _feasible(matrix: Matrix, wanted: Matrix, solution: Matrix, used: npt.NDArray[np.bool_]) -> Matrix:
    """The unbounded solution in the columns used, going back to the bound wherever it would be crossed."""
    while True:
        free = np.zeros_like(solution)
        free[used] = np.linalg.lstsq(matrix[:, used], wanted, rcond=None)[0]
        crossed = used & (free <= SMALLEST)
        if not crossed.any():
            return free
        steps = solution[crossed] / (solution[crossed] - free[crossed])
        solution = solution + float(steps.min()) * (free - solution)
        used &= solution > SMALLEST
        solution[~used] = 0
