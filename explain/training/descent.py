"""Optimisers on surfaces that one can see: paths in the plane by torch's own steps, by Newton's and by BFGS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import BadValue
from .optimisers import OPTIMISERS

__all__ = ["SURFACES", "condition_number", "descend", "hessian", "newton", "quasi_newton"]

Surface = Callable[[Tensor], Tensor]
Path = NDArray[np.float64]

SURFACES: dict[str, Surface] = {
    "bowl": lambda p: 5 * p[0] ** 2 + p[1] ** 2 / 4,
    "saddle": lambda p: 5 * p[0] ** 2 - p[1] ** 2,
    "monkey saddle": lambda p: p[0] ** 3 - 3 * p[0] * p[1] ** 2,
    # A shallow well before a deep one, along the first axis.
    "two wells": lambda p: p[0] ** 4 / 4 - 0.3 * p[0] ** 3 - p[0] ** 2 / 2 + p[1] ** 2,
}
"""Functions of a point (2,), each with what it is known for in the lectures."""


def descend(
    surface: Surface, optimiser: str, start: tuple[float, float], rate: float, steps: int, **options: Any
) -> Path:
    """The points (steps + 1, 2) that an optimiser of OPTIMISERS goes through, in float64."""
    point = torch.tensor(start, dtype=torch.double, requires_grad=True)
    made, path = OPTIMISERS[optimiser]([point], rate, **options), [point.detach().clone()]

    def closure() -> Tensor:
        made.zero_grad()
        value = surface(point)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    for _ in range(steps):
        made.step(closure)
        path.append(point.detach().clone())
    return torch.stack(path).numpy()


def newton(surface: Surface, start: tuple[float, float], steps: int) -> Path:
    """Newton's method: each step goes where the quadratic through the point is level, be that a minimum or not."""
    point = torch.tensor(start, dtype=torch.double)
    path = [point]
    for _ in range(steps):
        slope = torch.autograd.functional.jacobian(surface, point)  # type: ignore[no-untyped-call]
        try:
            point = point - torch.linalg.solve(hessian(surface, point), slope)
        except RuntimeError:  # torch.linalg.LinAlgError
            raise BadValue(f"The surface is flat at {tuple(point.tolist())}: Newton's step has no length.") from None
        path.append(point)
    return torch.stack(path).numpy()


def quasi_newton(surface: Surface, start: tuple[float, float]) -> Path:
    """BFGS by SciPy, to its end: the curvature is estimated from the slopes along the way, by rank-two updates."""
    from scipy.optimize import minimize

    path = [np.array(start, float)]

    def value(p: Path) -> float:
        return float(surface(torch.from_numpy(p)))

    def slope(p: Path) -> Path:
        found: Tensor = torch.autograd.functional.jacobian(surface, torch.from_numpy(p))  # type: ignore[no-untyped-call]
        return found.numpy()

    minimize(value, path[0], jac=slope, method="BFGS", callback=lambda p: path.append(p.copy()))
    return np.stack(path)


def hessian(surface: Surface, at: Tensor) -> Tensor:
    """The second derivatives (2, 2)."""
    found: Tensor = torch.autograd.functional.hessian(surface, at)  # type: ignore[no-untyped-call]
    return found


def condition_number(surface: Surface, at: tuple[float, float]) -> float:
    """The largest curvature through the smallest, by size; infinite where one is zero."""
    values = torch.linalg.eigvalsh(hessian(surface, torch.tensor(at, dtype=torch.double))).abs()
    return float(values.max() / values.min()) if values.min() else float("inf")
