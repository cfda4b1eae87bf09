"""Recipes are data: every setting of a training run, readable and changeable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..errors import BadValue, Unknown, shorten

__all__ = ["RECIPES", "Recipe", "recipe"]


@dataclass(frozen=True)
class Recipe:
    """Plain stochastic gradient descent with cross entropy, Xavier-uniform weights, inputs in 0 to 1."""

    name: str
    architecture: str
    data: str
    source: str
    epochs: int = 10
    batch_size: int = 256
    learning_rate: float = 0.1
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    def changed(self, **changes: Any) -> Recipe:
        """A copy with some settings changed. Raises Unknown for a setting it has not, BadValue for a bad one."""
        valid = [f.name for f in fields(self) if f.name not in ("name", "source")]
        for key, value in changes.items():
            if key not in valid:
                raise Unknown("setting of a recipe", key, valid)
            if key in ("epochs", "batch_size") and not (isinstance(value, int) and value >= 1):
                raise BadValue(f"Setting {key}={shorten(value)} is not a whole number of at least 1.")
            if key == "seed" and not (isinstance(value, int) and 0 <= value < 2**63):
                raise BadValue(f"Setting seed={shorten(value)} is not a whole number from 0 to 2**63 - 1.")
            if key == "learning_rate" and not (isinstance(value, (int, float)) and 0 < value < 1e6):
                raise BadValue(f"Setting learning_rate={shorten(value)} is not a number above 0.")
        return replace(self, **changes)


RECIPES = {
    r.name: r
    for r in [
        Recipe(
            name="lenet-fashion-mnist",
            architecture="lenet",
            data="fashion-mnist-train",
            source="lecture exercise X01: d2l.ai classic, LeNet, batch size 256, learning rate 0.9, 10 epochs",
            learning_rate=0.9,
        )
    ]
}


def recipe(name: str | Recipe) -> Recipe:
    if isinstance(name, Recipe):
        return name
    if name not in RECIPES:
        raise Unknown("recipe", name, RECIPES)
    return RECIPES[name]
