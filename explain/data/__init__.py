"""Image sets: by name, folder, table or array."""

from .image_sets import (
    EXTENSIONS,
    FASHION_CLASSES,
    ImageSet,
    from_arrays,
    is_here,
    known_as,
    list_images,
    load_images,
    without_arrays,
)

__all__ = [
    "EXTENSIONS",
    "FASHION_CLASSES",
    "ImageSet",
    "from_arrays",
    "is_here",
    "known_as",
    "list_images",
    "load_images",
    "without_arrays",
]
