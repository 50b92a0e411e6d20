"""Student's t and the binomial distribution, from one function: the regularized incomplete beta function.

SciPy has both. It is a hundred megabytes with NumPy, which a board must hold and every report must import.
"""

from __future__ import annotations

import math
from functools import cache

_TINY = 1e-300
_MOST_STEPS = 10_000


def incomplete_beta(a: float, b: float, x: float) -> float:
    """I_x(a, b) for a, b > 0 and x in 0..1: by its continued fraction (DLMF 8.17.22), to about 14 digits."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, 1 - x)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    return front / a / _continued_fraction(a, b, x)


def _continued_fraction(a: float, b: float, x: float) -> float:
    """1 + d1/(1 + d2/(1 + ...)) by Lentz's method."""
    value, c, d = 1.0, 1.0, 0.0
    for step in range(1, _MOST_STEPS):
        m = step // 2
        if step % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / ((1 + term * d) or _TINY)
        c = (1 + term / c) or _TINY
        value *= c * d
        if abs(c * d - 1) < 1e-16:
            break
    return value


@cache
def t_quantile(degrees: float, level: float) -> float:
    """What Student's t exceeds in size with probability 1 - level."""
    low, high = 0.0, 1.0
    while _t_tails(degrees, high) > 1 - level:
        low, high = high, 2 * high
    while (middle := (low + high) / 2) not in (low, high):
        if _t_tails(degrees, middle) > 1 - level:
            low = middle
        else:
            high = middle
    return high


def _t_tails(degrees: float, t: float) -> float:
    """How probable it is that Student's t exceeds t in size."""
    return incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t))


def binomial_at_most(k: int, n: int, p: float) -> float:
    """How probable at most k of n independent successes are, each of probability p."""
    return 1.0 if k >= n else incomplete_beta(n - k, k + 1, 1 - p)
