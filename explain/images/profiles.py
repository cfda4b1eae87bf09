"""Colours by the profile that a file carries, as every picture here is of sRGB: what networks were trained on."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import ImageCms
from PIL.Image import Image, fromarray

__all__ = ["to_srgb"]

_SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK"}
_ROUNDING = 1  # levels by which another profile of the same colours differs
_KEPT = 16
_MOST_BYTES = 4 << 20
_MOST_NAME = 40


class _Profile(NamedTuple):
    """What is to be done; `name` as the profile calls itself."""

    name: str
    way: ImageCms.ImageCmsTransform | None
    mode: str = ""  # of the picture that it takes
    problem: str = ""


def to_srgb(image: Image, profile: bytes) -> tuple[Image, tuple[str, ...]]:
    """A picture of mode RGB, L or CMYK in sRGB (L stays L, CMYK becomes RGB), and what was done, in words.

    One that says sRGB, in whatever words, is left as it is; so is one whose profile is damaged, or of another kind of
    picture, and that is said.
    """
    found = _profile(profile, image.mode) if len(profile) <= _MOST_BYTES else _Profile("", None, problem="is too large")
    if found.problem:
        return image, (f"its colour profile {found.problem}: shown as if it had none",)
    if found.way is None:
        return image, ()
    seen = ImageCms.applyTransform(image.convert(found.mode), found.way)
    if seen is None:  # only when it was to be done in place
        return image, ()
    return seen.getchannel("G") if image.mode == "L" else seen, (f"colours converted from {found.name} to sRGB",)


@lru_cache(maxsize=_KEPT)
def _profile(content: bytes, mode: str) -> _Profile:
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(content))
        space = opened.profile.xcolor_space
        mode = "RGB" if (mode, space) == ("L", _SPACES["RGB"]) else mode  # grey as a photograph's program saved it
        if space != _SPACES[mode]:
            return _Profile("", None, problem=f"is one of {space.strip()}")
        said = "".join(c for c in ImageCms.getProfileDescription(opened) if c.isprintable()).strip()[:_MOST_NAME]
        way = ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), mode, "RGB")
        if mode != "CMYK" and _changes_nothing(way, mode):
            return _Profile(said, None)
    except Exception:  # of a damaged one, of several kinds
        return _Profile("", None, problem="cannot be read")
    return _Profile(f"its profile {said}" if said else "its own profile", way, mode)


def _changes_nothing(way: ImageCms.ImageCmsTransform, mode: str) -> bool:
    steps = np.arange(0, 256, 5, dtype=np.uint8)
    values = np.stack(np.meshgrid(*[steps[::3]] * 3), -1).reshape(1, -1, 3) if mode == "RGB" else steps[None]
    probe = fromarray(values)
    seen = ImageCms.applyTransform(probe, way)
    if seen is None:
        return False
    return bool(np.abs(np.asarray(seen, int) - np.asarray(probe.convert("RGB"), int)).max() <= _ROUNDING)
