"""Bytes to upright pictures, and pictures to pixels: colour maps, overlays, contact sheets. numpy and Pillow only.

`decode` is the one door by which a picture enters; whatever is wrong with it becomes one BadFile (`reader`).
Arrays are (H, W) or (H, W, 3); heat and other maps are floats, "unit" means within 0..1 (`colours`, `pixels`).
"""

from .colours import BACKGROUND, COLORMAPS, VISIONS, colour, overlay, seen_as, to_bytes, unit_scale
from .cover import FILLS, cover
from .pixels import contact_sheet, draw_box, enlarge, outline, png, resize, sheet_size
from .reader import FORMATS, MAX_BYTES, MAX_PIXELS, as_image, decode, from_array, unturned

__all__ = [
    "BACKGROUND",
    "COLORMAPS",
    "FILLS",
    "FORMATS",
    "MAX_BYTES",
    "MAX_PIXELS",
    "VISIONS",
    "as_image",
    "colour",
    "contact_sheet",
    "cover",
    "decode",
    "draw_box",
    "enlarge",
    "from_array",
    "outline",
    "overlay",
    "png",
    "resize",
    "seen_as",
    "sheet_size",
    "to_bytes",
    "unit_scale",
    "unturned",
]
