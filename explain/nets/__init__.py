"""The lectures' architectures, one file a family; NETS names them."""

from .lenet import lenet
from .registry import NETS

__all__ = ["NETS", "lenet"]
