"""Training by recipe."""

from .augment import AUGMENTATIONS
from .fit import train
from .optimisers import OPTIMISERS
from .recipes import RECIPES, SETTINGS, Recipe, recipe
from .record import read_run
from .schedules import SCHEDULES

__all__ = [
    "AUGMENTATIONS",
    "OPTIMISERS",
    "RECIPES",
    "SCHEDULES",
    "SETTINGS",
    "Recipe",
    "read_run",
    "recipe",
    "train",
]
