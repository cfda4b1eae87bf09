"""Image sets: by name, folder, table or array."""

from .folders import EXTENSIONS, printable, without_arrays
from .image_sets import (
    BY_NAME,
    FASHION_CLASSES,
    ImageSet,
    from_arrays,
    is_here,
    known_as,
    list_images,
    load_images,
    named_images,
)

__all__ = [
    "BY_NAME",
    "EXTENSIONS",
    "FASHION_CLASSES",
    "ImageSet",
    "from_arrays",
    "is_here",
    "known_as",
    "list_images",
    "load_images",
    "named_images",
    "printable",
    "without_arrays",
]
