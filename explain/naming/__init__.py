"""What a channel goes with: labels and attributes of pictures, withheld where chance would do as well."""

from .precision import Fits, average_precisions, fits
from .responses import peaks

__all__ = ["Fits", "average_precisions", "fits", "peaks"]
