"""Training by recipe.

Names are loaded when they are first used: who only looks for trainings needs no torch.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .augment import AUGMENTATIONS as AUGMENTATIONS
    from .fit import train as train
    from .optimisers import OPTIMISERS as OPTIMISERS
    from .recipes import RECIPES as RECIPES
    from .recipes import SETTINGS as SETTINGS
    from .recipes import Recipe as Recipe
    from .recipes import recipe as recipe
    from .record import read_run as read_run
    from .schedules import SCHEDULES as SCHEDULES

RUN_FILE = "run.json"
"""In the folder of each training: how it went."""
LISTED = Path(__file__).with_name("recipes.json")
"""RECIPES with all their settings, to be looked at without the networks; written by scripts/stubs.py."""

_HOMES = {
    "AUGMENTATIONS": "augment",
    "OPTIMISERS": "optimisers",
    "SCHEDULES": "schedules",
    "read_run": "record",
    "train": "fit",
} | dict.fromkeys(("RECIPES", "SETTINGS", "Recipe", "recipe"), "recipes")
__all__ = ["LISTED", "RUN_FILE", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
