"""Bytes to upright pictures, and pictures to pixels: colour maps, overlays, contact sheets. numpy and Pillow only.

`decode` is the one door by which a picture enters; whatever is wrong with it becomes one BadFile (`reader`).
Arrays are (H, W) or (H, W, 3); heat and other maps are floats, "unit" means within 0..1 (`colours`, `pixels`).
"""

from .bands import SCALES, Bands, Picture, bands_of, content, copied, mirrored, shown
from .colours import BACKGROUND, COLORMAPS, VISIONS, colour, overlay, seen_as, to_bytes, unit_scale
from .cover import FILLS, cover
from .limits import FORMATS, MAX_BYTES, MAX_PIXELS
from .pixels import contact_sheet, draw_box, enlarge, outline, png, resize, sheet_size, thumbnail
from .reader import as_image, decode, from_array, unturned

__all__ = [
    "BACKGROUND",
    "COLORMAPS",
    "FILLS",
    "FORMATS",
    "MAX_BYTES",
    "MAX_PIXELS",
    "SCALES",
    "VISIONS",
    "Bands",
    "Picture",
    "as_image",
    "bands_of",
    "colour",
    "contact_sheet",
    "content",
    "copied",
    "cover",
    "decode",
    "draw_box",
    "enlarge",
    "from_array",
    "mirrored",
    "outline",
    "overlay",
    "png",
    "resize",
    "seen_as",
    "sheet_size",
    "shown",
    "thumbnail",
    "to_bytes",
    "unit_scale",
    "unturned",
]
