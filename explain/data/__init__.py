"""Image sets: by name, folder, table or array."""

from .folders import EXTENSIONS, printable, without_arrays
from .image_sets import (
    BY_NAME,
    FASHION_CLASSES,
    ImageSet,
    from_arrays,
    is_here,
    is_set,
    known_as,
    list_images,
    load_images,
    named_images,
)
from .remote import fetched, is_remote

__all__ = [
    "BY_NAME",
    "EXTENSIONS",
    "FASHION_CLASSES",
    "ImageSet",
    "fetched",
    "from_arrays",
    "is_here",
    "is_remote",
    "is_set",
    "known_as",
    "list_images",
    "load_images",
    "named_images",
    "printable",
    "without_arrays",
]
