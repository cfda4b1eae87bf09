"""Training by recipe."""

from .fit import train
from .recipes import RECIPES, Recipe

__all__ = ["RECIPES", "Recipe", "train"]
