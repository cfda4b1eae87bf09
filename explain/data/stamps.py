"""Photographs of things, cut out, with what they are: the stamps of Tux Paint, which Debian and Ubuntu package.

Under the GPL 2 or later, so that they are read where the package puts them and never shipped here.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["FOLDER", "KINDS", "PACKAGE", "are_here", "stamps"]

PACKAGE = "tuxpaint-stamps-default"
FOLDER = Path("/usr/share/tuxpaint/stamps")
KINDS = {
    "animals/mammals": "mammals",
    "animals/marsupials": "mammals",
    "animals/birds": "birds",
    "animals/fish": "fish",
    "animals/insects": "insects",
    "food/fruit": "fruit",
    "food/vegetables": "vegetables",
    "food/nuts": "nuts",
    "plants/flowers": "flowers",
    "plants/trees": "trees",
    "plants/mushrooms": "mushrooms",
    "hobbies/music": "instruments",
    "household": "household",
    "sports": "sports",
    "vehicles": "vehicles",
    "military/vehicles": "vehicles",
    "space/planets": "planets",
}
"""Folders whose stamps are photographs, and what those show."""
DRAWN = {"cartoon", "toys", "plastic"}  # sub-folders of drawings, and of things that are made to look like others


def are_here() -> bool:
    """Whether the package is installed."""
    return any((FOLDER / place).is_dir() for place in KINDS)


def stamps() -> list[tuple[str, str]]:
    """File and kind of each, kinds in their order, files of one name once; none where the package is not installed."""
    found: dict[str, tuple[str, str]] = {}
    for place, kind in KINDS.items():
        for file in sorted((FOLDER / place).rglob("*.png")):
            if DRAWN.isdisjoint(file.relative_to(FOLDER).parts):
                found.setdefault(file.name, (str(file), kind))
    return list(found.values())
