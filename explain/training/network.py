"""The network that a recipe trains: a new one, or a trained one with a new last layer."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..data import ImageSet
from ..errors import BadValue, NotSupported
from ..nets import NETS
from ..network.features import head
from ..network.model import Model, Preprocess
from ..network.size import laid_out, making_room
from ..network.sources import plain
from ..network.trace import calls
from ..network.zoo import load_model
from .chance import generator
from .recipes import Recipe

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # as torchvision's weights take it

COPIES = 4  # of the weights in training: themselves, their gradients, and two moments of an optimiser

__all__ = ["Begun", "begin", "initialise", "outputs"]


class Begun(NamedTuple):
    """A network before its training; `head` is the name of its last layer where only that is trained, `alone` whether
    nothing comes behind that."""

    net: nn.Module
    preprocess: Preprocess
    about: dict[str, Any]
    head: str = ""
    alone: bool = False


def begin(plan: Recipe, images: ImageSet, start: Model | None = None) -> Begun:
    """Raises ExplainError for options that do not fit the pictures, and networks without a last layer to replace."""
    classes = len(images.classes)
    if start is not None or plan.start:
        return _transferred(plan, classes, start or load_model(plan.start, device="cpu"))
    entry, given = NETS[plan.architecture], dict(plan.options)
    if given.setdefault("classes", classes) != classes:
        raise BadValue(f"Recipe {plan.name!r} is for {given['classes']} classes; {images.name!r} has {classes}.")
    if images.array is not None:
        channels = 1 if images.array.ndim == 3 else images.array.shape[3]
        given.setdefault("channels", channels)
        given.setdefault("size", images.array.shape[1])
    options = entry.check(given)
    blank = laid_out(lambda: entry(**options))
    size = (options["channels"], options["size"], options["size"])
    with making_room(plan.architecture, blank, size, copies=COPIES), torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)  # layers draw weights of their own, from the generator that all share
        net = entry(**options)
    initialise(net, torch.Generator().manual_seed(plan.seed), plan.initial)
    about = {"architecture": plan.architecture, "options": options}
    return Begun(net, _preprocess(plan, options["channels"], options["size"]), about)


def _preprocess(plan: Recipe, channels: int, size: int) -> Preprocess:
    """Square pictures, normalised as the recipe says. Raises BadValue for colours that are not there."""
    square = plain(channels, size)
    if plan.normalise == "none":
        return square
    if channels != 3:
        raise BadValue(f"Setting normalise={plan.normalise!r} is for 3 colours; the pictures have {channels}.")
    return replace(square, mean=IMAGENET_MEAN, std=IMAGENET_STD)


def initialise(net: nn.Module, chance: torch.Generator, how: str = "xavier") -> None:
    """Weights of convolutions and linear layers: Xavier-uniform as in d2l, He-normal, or zero; biases as torch draws
    them, or zero with zero weights."""
    if how == "default":
        return
    for module in net.modules():
        if not isinstance(module, nn.Conv2d | nn.Linear):
            continue
        fan_in = module.weight[0].numel()
        weight = torch.empty(module.weight.shape)
        if how == "xavier":
            nn.init.xavier_uniform_(weight, generator=chance)
        elif how == "he":
            nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=chance)
        else:
            nn.init.zeros_(weight)
        with torch.no_grad():
            module.weight.copy_(weight)
            if module.bias is not None:
                bound = 0.0 if how == "zero" else 1 / math.sqrt(fan_in)
                module.bias.copy_(torch.empty(module.bias.shape).uniform_(-bound, bound, generator=chance))


def _transferred(plan: Recipe, classes: int, start: Model) -> Begun:
    """A copy of a trained network whose last layer is new; what is frozen asks for no gradient."""
    height, width = start.preprocess.size
    with start.exclusive() as original:
        blank = torch.zeros(1, start.preprocess.channels, height, width, device=start.device)
        last = head(original, blank)
        net = copy.deepcopy(original).cpu()
    old = net.get_submodule(last)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if isinstance(old, nn.Linear):
            new: nn.Module = nn.Linear(old.in_features, classes)
        elif isinstance(old, nn.Conv2d) and old.kernel_size == (1, 1):
            new = nn.Conv2d(old.in_channels, classes, 1)
        else:
            raise NotSupported(
                f"The last layer {last!r} of {start.name!r} is a {type(old).__name__}, not a linear one."
            )
    initialise(new, generator(plan.seed, "head"), "xavier")
    net.set_submodule(last, new)
    for parameter in net.parameters():
        parameter.requires_grad_(not plan.freeze)
    for parameter in new.parameters():
        parameter.requires_grad_(True)
    known = start.about.get("architecture", "")
    options = dict(start.about.get("options", {})) | {"classes": classes}
    about = {"architecture": known, "options": options, "start": {"name": start.name, "digest": start.digest}}
    return Begun(net, start.preprocess, about, last if plan.freeze else "", plan.freeze and _ends_in(net, last, blank))


def _ends_in(net: nn.Module, last: str, blank: Tensor) -> bool:
    """Whether the scores are what this layer gives."""
    given: list[Any] = []
    with torch.no_grad(), calls(net.eval(), [last], lambda _name, _call, output: given.append(output)):
        scores = net(blank.cpu())
    return scores is given[-1]


def outputs(net: nn.Module, batch: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Class scores, and those of auxiliary heads."""
    given = net(batch)
    return (given, ()) if isinstance(given, Tensor) else (given[0], tuple(given[1:]))
