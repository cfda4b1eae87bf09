"""Photographs of things, cut out, with what they are: the stamps of Tux Paint, where its installers put them.

Under the GPL 2 or later, so that they are read where they were installed and never shipped here.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["FOLDERS", "KINDS", "PACKAGE", "are_here", "stamps"]

PACKAGE = "tuxpaint-stamps-default"
FOLDERS = (
    Path("/usr/share/tuxpaint/stamps"),
    Path("/usr/local/share/tuxpaint/stamps"),
    Path("/Library/Application Support/TuxPaint/stamps"),
    Path("/Applications/Tux Paint.app/Contents/Resources/stamps"),
    Path("C:/Program Files/TuxPaint/data/stamps"),
)
"""Where they are on Debian, Ubuntu and Fedora, built by hand, on macOS and on Windows, by Tux Paint's documentation."""
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
    """Whether they are installed."""
    return _folder() is not None


def stamps() -> list[tuple[str, str]]:
    """File and kind of each, kinds in their order, files of one name once; none where they are not installed."""
    found: dict[str, tuple[str, str]] = {}
    folder = _folder()
    if folder is None:
        return []
    for place, kind in KINDS.items():
        for file in sorted((folder / place).rglob("*.png")):
            if DRAWN.isdisjoint(file.relative_to(folder).parts):
                found.setdefault(file.name, (str(file), kind))
    return list(found.values())


def _folder() -> Path | None:
    return next((one for one in FOLDERS if any((one / place).is_dir() for place in KINDS)), None)
