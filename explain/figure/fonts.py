"""Fonts: which one of this machine draws a character that a figure's own font lacks.

A character is drawn by the first font that has it, in an order that depends on the machine alone. Text is shaped by
matplotlib (HarfBuzz and FriBidi, from 3.11 on): ligatures, marks and what runs from right to left are right.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["OWN", "families", "font", "ink", "unseen"]

OWN = "DejaVu Sans"  # matplotlib brings it along
_USUAL = (OWN, "sans-serif")
_WIDE = ("color", "colour", "lastresort", "blank")  # fonts of bitmaps, of boxes and of nothing
_PLAIN = ("italic", "oblique", "mono", "serif", "narrow", "condensed", "light", "thin", "black")  # taken last
_UNSEEN = ("Cc", "Cf", "Cs", "Mn", "Zs", "Zl", "Zp")  # categories that need no glyph


# That a family has no bold face is no news to who asked for a figure.
logging.getLogger("matplotlib.font_manager").addFilter(lambda record: "font weight" not in record.getMessage())


class _Face(NamedTuple):
    family: str
    path: str
    has: NDArray[np.uint32]  # characters, in order


def families(text: str) -> tuple[str, ...]:
    """The families that draw a text together, each character by the first one that has it."""
    needed = {face.family for character in set(text) if (face := _fallback(character))}
    return (OWN, *(face.family for face in _faces() if face.family in needed), "sans-serif") if needed else _USUAL


def font(character: str, weight: str = "normal") -> Any:
    """The font, as matplotlib has it, that draws this character; None where it would be a box."""
    from matplotlib import font_manager

    face = None if _own(character, weight) else _fallback(character)
    if face is None and not _own(character, weight):
        return None
    family = face.family if face else OWN
    found = font_manager.findfont(font_manager.FontProperties(family=family, weight=weight), fallback_to_default=False)
    drawing = font_manager.get_font(found)
    if face and not drawing.get_char_index(ord(character)):  # bold faces often have fewer
        drawing = font_manager.get_font(face.path)
    return drawing


def unseen(texts: Iterable[str]) -> str:
    """What the texts have that no font here can draw, in a sentence; empty where there is nothing."""
    met = {character for text in texts for character in text if ink(character)}
    boxes = sorted(character for character in met if not (_own(character, "normal") or _fallback(character)))
    if not boxes:
        return ""
    scripts = ", ".join(list(dict.fromkeys(map(_script, boxes)))[:5])
    return (
        f"No font of this machine has {len(boxes)} characters of this figure ({scripts}; U+{ord(boxes[0]):04X} first): "
        "they are boxes here. The Noto fonts have them; SVG and HTML are shown by their reader's fonts."
    )


def _script(character: str) -> str:
    """As Unicode's names begin: Hangul, Devanagari, Cjk."""
    if unicodedata.category(character) in ("So", "Sk"):
        return "emoji and signs"
    return unicodedata.name(character, "unnamed").split()[0].title().replace("Cjk", "Chinese")


def ink(character: str) -> bool:
    """Whether it needs a glyph."""
    return unicodedata.category(character) not in _UNSEEN


@lru_cache(8192)
def _own(character: str, weight: str) -> bool:
    from matplotlib import font_manager

    found = font_manager.findfont(font_manager.FontProperties(family=OWN, weight=weight))
    return bool(font_manager.get_font(found).get_char_index(ord(character)))


@lru_cache(8192)
def _fallback(character: str) -> _Face | None:
    """The first of the machine's fonts that has it; none where the figure's own has, or none has."""
    if _own(character, "normal") or not ink(character):
        return None
    code = ord(character)
    return next((face for face in _faces() if _holds(face.has, code)), None)


def _holds(has: NDArray[np.uint32], code: int) -> bool:
    at = int(np.searchsorted(has, code))
    return at < len(has) and int(has[at]) == code


@lru_cache(1)
def _faces() -> tuple[_Face, ...]:
    """The machine's fonts, one face of each family, those like the figure's own first; all are made known to
    matplotlib, whose own list may be older than they."""
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    found: list[tuple[tuple[Any, ...], _Face]] = []
    for path in sorted(font_manager.findSystemFonts()):
        try:
            face = FT2Font(path)
            family, style = face.family_name, face.style_name.lower()
            if not face.scalable or any(word in family.lower().replace(" ", "") for word in _WIDE):
                continue
            if path not in known:
                font_manager.fontManager.addfont(path)
            has = np.array(sorted(face.get_charmap()), np.uint32)
        except (OSError, RuntimeError, ValueError, UnicodeError):  # damaged, or of a kind that FreeType cannot read
            continue
        name = f"{family} {style}".lower()
        odd = sum(word in name for word in _PLAIN) - 2 * ("sans" in name)
        found.append(((family, "bold" in style, odd, path), _Face(family, path, has)))
    first = {face.family: (order[2], face) for order, face in sorted(found, reverse=True, key=lambda one: one[0])}
    ranked = sorted(first.values(), key=lambda one: (one[0], one[1].family))
    return tuple(face for _, face in ranked if face.family != OWN)
