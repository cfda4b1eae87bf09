"""Class activation maps: a layer's maps, weighted by what each does for the class, at the layer's size."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import NotSupported
from ..network.features import head
from ..network.trace import inputs, record
from ..options import Choices
from .gradients import REDUCE, reduced
from .passes import slope
from .rectifiers import run_back
from .registry import METHODS, InputRange

__all__ = ["POSITIVE", "maps_of"]

POSITIVE = Annotated[bool, Choices(True, False, help="keep only evidence for the class, as in the paper")]


@METHODS.register(label="CAM")
def cam(
    net: nn.Module, _layer: str, batch: Tensor, target: Tensor, _input_range: InputRange, *, positive: POSITIVE = False
) -> Tensor:
    """Where the maps behind the classifier speak for the class, weighted by the classifier itself (Zhou et al. 2016).

    Exact, but only for networks that average their last maps and end in one linear layer.
    """
    name, maps = _pooled(net, batch)
    layer: Any = net.get_submodule(name)  # whose weight may be computed
    weight = layer.weight[target.to(batch.device)].flatten(1)
    return _signed(torch.einsum("nc,nchw->nhw", weight.to(maps), maps), positive)


@METHODS.register(label="Grad-CAM")
def grad_cam(
    net: nn.Module, layer: str, batch: Tensor, target: Tensor, _input_range: InputRange, *, positive: POSITIVE = True
) -> Tensor:
    """Where a layer's maps speak for the class: maps weighted by their mean gradient (Selvaraju et al. 2017).

    The mean mixes places: in early layers it can mark what the class never used. Coarse in late ones.
    """
    maps, slopes = _maps_and_slopes(net, layer, batch, target)
    return _signed((slopes.mean((2, 3), keepdim=True) * maps).sum(1), positive)


@METHODS.register(label="Grad-CAM++")
def grad_cam_plus_plus(
    net: nn.Module, layer: str, batch: Tensor, target: Tensor, _input_range: InputRange, *, positive: POSITIVE = True
) -> Tensor:
    """Grad-CAM that gives several objects of a class the same weight (Chattopadhay et al. 2018).

    Needs maps that are not negative, as behind a ReLU: there no weight is negative, so it cannot show evidence against
    a class, and often marks the likely object whichever class is asked for. Elsewhere weights can be negative and huge.
    """
    maps, slopes = _maps_and_slopes(net, layer, batch, target)
    # The paper explains exp(score); its higher derivatives are powers of the score's slope, of which two cancel.
    below = 2 + maps.sum((2, 3), keepdim=True) * slopes
    share = torch.where(below == 0, 0.0, 1 / below)
    return _signed(((share * slopes.relu()).sum((2, 3), keepdim=True) * maps).sum(1), positive)


@METHODS.register(label="HiResCAM")
def hires_cam(
    net: nn.Module, layer: str, batch: Tensor, target: Tensor, _input_range: InputRange, *, positive: POSITIVE = True
) -> Tensor:
    """Maps times their gradient, place by place: no place without influence is marked (Draelos and Carin 2020).

    Faithful where one linear layer follows the maps; elsewhere a first-order estimate, and noisy in early layers.
    """
    maps, slopes = _maps_and_slopes(net, layer, batch, target)
    return _signed((slopes * maps).sum(1), positive)


@METHODS.register(label="LayerCAM")
def layer_cam(
    net: nn.Module, layer: str, batch: Tensor, target: Tensor, _input_range: InputRange, *, positive: POSITIVE = True
) -> Tensor:
    """Maps times the positive part of their gradient, also usable in early layers (Jiang et al. 2021).

    Evidence against the class is left out, so its map can be full where the score is low.
    """
    maps, slopes = _maps_and_slopes(net, layer, batch, target)
    return _signed((slopes.relu() * maps).sum(1), positive)


@METHODS.register(label="XGrad-CAM")
def xgrad_cam(
    net: nn.Module, layer: str, batch: Tensor, target: Tensor, _input_range: InputRange, *, positive: POSITIVE = True
) -> Tensor:
    """Grad-CAM with gradients averaged where the map is active, so that maps add up better (Fu et al. 2020).

    Needs maps that are not negative, as behind a ReLU; a map whose values cancel to nothing gets no weight.
    """
    maps, slopes = _maps_and_slopes(net, layer, batch, target)
    total, size = (values.sum((2, 3), keepdim=True) for values in (maps, maps.abs()))
    weights = torch.where(total.abs() > 1e-7 * size, (slopes * maps).sum((2, 3), keepdim=True) / total, 0.0)
    return _signed((weights * maps).sum(1), positive)


@METHODS.register(label="Eigen-CAM")
def eigen_cam(
    net: nn.Module, layer: str, batch: Tensor, _target: Tensor, _input_range: InputRange, *, positive: POSITIVE = True
) -> Tensor:
    """What a layer's maps have in common: their first principal component over positions (Muhammad and Yeasin 2020).

    It knows nothing of the class: the map is the same for all.
    """
    maps = maps_of(net, layer, batch)
    centred = maps.flatten(2).mT
    centred = centred - centred.mean(1, keepdim=True)
    _, _, directions = torch.linalg.svd(centred.cpu().double(), full_matrices=False)
    heat = (centred.cpu().double() @ directions[:, 0, :, None])[..., 0]
    # A component has no sign of its own: where the maps are strongest it is positive.
    strength = maps.flatten(2).cpu().double().norm(dim=1)
    strength = strength - strength.mean(1, keepdim=True)
    heat = heat * torch.where((heat * strength).sum(1, keepdim=True) < 0, -1.0, 1.0)
    return _signed(heat.view(len(maps), *maps.shape[2:]).to(maps), positive)


@METHODS.register(label="Guided Grad-CAM")
def guided_grad_cam(
    net: nn.Module, layer: str, batch: Tensor, target: Tensor, _input_range: InputRange, *, reduce: REDUCE = "max"
) -> Tensor:
    """Guided backprop within what Grad-CAM marks: fine and for a class (Selvaraju et al. 2017).

    Its fine lines are the picture's edges as in guided backprop; only the choice among them is the class's.
    """
    maps, slopes = _maps_and_slopes(net, layer, batch, target)
    coarse = (slopes.mean((2, 3), keepdim=True) * maps).sum(1, keepdim=True).relu()
    size = tuple(batch.shape[-2:])
    marked = torch.nn.functional.interpolate(coarse, size, mode="bilinear", align_corners=False)
    return reduced(run_back(net, batch, target, "guided") * marked, reduce)


def maps_of(net: nn.Module, layer: str, batch: Tensor) -> Tensor:
    """A layer's maps (N, C, h, w). Raises NotSupported for a layer that gives something else."""
    return _checked(record(net, batch, [layer])[1][layer], layer)


def _maps_and_slopes(net: nn.Module, layer: str, batch: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """A layer's maps and the gradient of the score with respect to them, both (N, C, h, w)."""
    output, held = record(net, batch.detach(), [layer], gradients=True, leaves=True)
    maps = _checked(held[layer], layer)
    return maps.detach(), slope(output, target, maps)


def _checked(maps: Tensor, layer: str) -> Tensor:
    if maps.dim() != 4:
        raise NotSupported(
            f"Class activation maps need a layer with maps (C, H, W); {layer!r} gives {tuple(maps.shape[1:])}."
        )
    return maps


def _signed(heat: Tensor, positive: bool) -> Tensor:
    return heat.relu() if positive else heat


class _Averaging(TorchFunctionMode):
    """While open, keeps the maps that are averaged over their positions, as modules and functions do it."""

    def __init__(self) -> None:
        super().__init__()
        self.maps: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in ("adaptive_avg_pool2d", "avg_pool2d", "mean") and args and args[0].dim() == 4:
            self.maps.append(args[0])
        return func(*args, **(kwargs or {}))


def _pooled(net: nn.Module, batch: Tensor) -> tuple[str, Tensor]:
    """The name of the last linear layer and the maps (N, C, h, w) whose plain average is its input.

    Raises NotSupported where there are none: the average is checked by its values, however the net takes it.
    """
    name = head(net, batch)
    taken: list[Tensor] = []
    with torch.inference_mode(False), torch.no_grad(), _Averaging() as averaging, inputs(net, name, taken.append):
        net(batch.clone())
    features = taken[-1].flatten(1)
    for maps in reversed(averaging.maps):
        average = maps.mean((2, 3))
        if average.shape == features.shape and (average - features).abs().max() <= 1e-4 * features.abs().max():
            return name, maps
    raise NotSupported(
        "CAM needs a network that averages its last maps and ends in one linear layer, and this one does not; "
        "choose 'grad_cam', which needs neither."
    )
