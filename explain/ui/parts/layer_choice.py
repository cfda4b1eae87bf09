"""Which layer is shown where none was chosen: one in the middle, after its rectifier, whose maps say most."""

from collections.abc import Sequence

from explain.index.build import default_layers
from explain.network.model import Layer, Model

__all__ = ["RECTIFIERS", "after_rectifiers", "indexed_layer", "middle_layer"]

RECTIFIERS = {
    "CELU", "ELU", "GELU", "GELUTanh", "HardSwish", "Hardswish", "LeakyReLU", "Mish", "PReLU", "QuickGELU", "ReLU",
    "ReLU6", "SELU", "SiLU", "Sigmoid", "Softplus", "Swish", "Tanh",
}  # fmt: skip


def after_rectifiers(layers: Sequence[Layer]) -> list[Layer]:
    """Layers with maps that stand after a rectifier; all with maps where none does, all where there are no maps."""
    maps = [one for one in layers if len(one.shape) == 3 and not one.block]
    return [one for one in maps if one.kind in RECTIFIERS] or maps or list(layers)


def middle_layer(layers: Sequence[Layer]) -> str:
    """Its name."""
    found = after_rectifiers(layers)
    return found[len(found) // 2].name


def indexed_layer(model: Model) -> str:
    """One in the middle that an index speaks of, else as above."""
    known = set(default_layers(model))
    found = [one.name for one in model.layers if one.name in known and len(one.shape) == 3]
    return found[len(found) // 2] if found else middle_layer(model.layers)
