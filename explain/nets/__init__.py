"""The lectures' architectures, one file a family; NETS names them."""

from .lenet import lenet
from .mlp import mlp
from .registry import NETS

__all__ = ["NETS", "lenet", "mlp"]
