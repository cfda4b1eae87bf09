"""What is the same up to rounding: of positions and orders it is the values that count.

The same sum differs in its last digits between processors (AVX2, AVX-512), numbers of threads and loads. So the arg max
of a near-tie, and the order of two that are nearly equal, may differ where nothing is wrong. What copies, counts, draws
or selects is exact, and is compared exactly: not with these.
"""

import numpy as np
import torch

ROUNDING = 1e-5  # of the largest value: float32 sums of some thousands of terms


def plain(values):
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def close(values, rounding=ROUNDING):
    """How far apart two of these values may lie by rounding."""
    finite = plain(values)[np.isfinite(plain(values))]
    return rounding * float(np.abs(finite).max(initial=0))


def alike(one, other, rounding=ROUNDING):
    """Whether two arrays or tensors are the same up to rounding; `assert alike(...)` or `assert not alike(...)`."""
    one, other = plain(one), plain(other)
    return one.shape == other.shape and np.allclose(one, other, rtol=0, atol=close(other, rounding), equal_nan=True)


def is_peak(values, place, rounding=ROUNDING):
    """Whether `values` are greatest at `place`, up to rounding."""
    values = plain(values)
    return bool(values[place] >= values.max() - close(values, rounding))


def is_ranked(order, values, count=None, rounding=ROUNDING):
    """Whether `order` are the numbers of the `count` greatest of `values` (all of them), each once, greatest first."""
    order, values = plain(order), plain(values)
    wanted = np.sort(values)[::-1][:count]
    return len(set(order.tolist())) == len(order) == len(wanted) and bool(
        (np.abs(values[order] - wanted) <= close(values, rounding)).all()
    )
