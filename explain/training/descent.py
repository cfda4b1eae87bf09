"""Optimisers on surfaces that one can see: paths in the plane by torch's own steps, by Newton's and by BFGS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import BadValue
from .optimisers import OPTIMISERS

__all__ = [
    "RULES",
    "SURFACES",
    "Descent",
    "Rule",
    "bowl",
    "condition_number",
    "descend",
    "follow",
    "hessian",
    "newton",
    "quasi_newton",
]

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


class Rule(NamedTuple):
    """An optimiser of OPTIMISERS as the lectures name it. noise: share of the noise of one picture's gradient."""

    label: str
    optimiser: str
    rate: float
    noise: float = 0.0
    momentum: bool = False


RULES = {
    "gd": Rule("gradient descent", "sgd", 0.05),
    "mini_batch": Rule("mini-batches of 16", "sgd", 0.05, noise=0.25),  # the mean of 16 has a quarter of the deviation
    "sgd": Rule("one picture a step", "sgd", 0.05, noise=1.0),
    "momentum": Rule("momentum", "sgd", 0.05, momentum=True),
    "adagrad": Rule("AdaGrad", "adagrad", 0.3),
    "rmsprop": Rule("RMSProp", "rmsprop", 0.02),
    "adam": Rule("Adam", "adam", 0.05),
}
"""What a path can be drawn of, with a rate that suits the surfaces here."""
FAR = 1e6  # from the origin: whoever is there does not come back


class Descent(NamedTuple):
    """path: (steps + 1, 2), shorter where it leads away without end. squares: (2,), the sum or running mean of squared
    gradients that the optimiser holds at the end, where it holds one."""

    path: Path
    squares: Path | None


def bowl(condition: float) -> Surface:
    """The quadratic with curvature 10 along the first axis, and along the second as many times less."""
    return lambda p: 5 * p[0] ** 2 + 5 / condition * p[1] ** 2


def descend(
    surface: Surface, optimiser: str, start: tuple[float, float], rate: float, steps: int, **options: Any
) -> Path:
    """The points (steps + 1, 2) that an optimiser of OPTIMISERS goes through, in float64."""
    return follow(surface, optimiser, start, rate, steps, **options).path


def follow(
    surface: Surface,
    optimiser: str,
    start: tuple[float, float],
    rate: float,
    steps: int,
    *,
    noise: float = 0.0,
    seed: int = 0,
    **options: Any,
) -> Descent:
    """The same, with what the optimiser holds at its end; noise is the deviation added to each gradient."""
    point = torch.tensor(start, dtype=torch.double, requires_grad=True)
    made, path = OPTIMISERS[optimiser]([point], rate, **options), [point.detach().clone()]
    chance = torch.Generator().manual_seed(seed)

    def closure() -> Tensor:
        made.zero_grad()
        value = surface(point)
        value.backward()  # type: ignore[no-untyped-call]
        if noise and point.grad is not None:
            point.grad += noise * torch.randn(2, generator=chance, dtype=torch.double)
        return value

    for _ in range(steps):
        made.step(closure)
        if not bool((point.abs() < FAR).all()):
            break
        path.append(point.detach().clone())
    held = made.state[point]
    squares = next((held[name] for name in ("sum", "square_avg", "exp_avg_sq") if name in held), None)
    return Descent(torch.stack(path).numpy(), None if squares is None else squares.detach().numpy())


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
