"""A network of one's own as a Model: what is not given is found by passes, and said."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from ..errors import BadValue, NotSupported, shorten
from .model import Model, Preprocess, choose_device

__all__ = ["class_names", "first_channels", "wrap"]

GUESSED = "nothing"
SIZES = (224, 64, 32, 28, 96, 128, 256, 299, 384)
"""Sides of pictures that are tried where the preprocessing is not given, the first that the network takes is it."""


def wrap(
    net: nn.Module,
    classes: Sequence[str] | Mapping[int, str] | None = None,
    preprocess: Preprocess | None = None,
    output: str | int | None = None,
    name: str | None = None,
    device: str | None = None,
) -> Model:
    """A network of your own, which everything here can look into as into a shipped one. It is used, not copied.

    classes: names in the order of the scores, or a dict by number; by default their numbers.
    preprocess: how pictures become its input; by default what timm's configuration in it says, else pictures of a size
    that it takes, with values from 0 to 1, and the model's `about` says so.
    output: what its output means, as KIND, PATH or PATH:KIND. KIND is softmax, sigmoid, binary, probabilities, chances,
    regression or segmentation; PATH leads to a tensor in a tuple, dict or dataclass, such as logits, 0 or out.aux. What
    is not given is found from some passes: `model.head`.
    name: of figures and indexes; by default the class of the network.
    device: where it is moved; by default it stays where it is.

    Raises NotSupported for what takes no pictures or gives no scores, BadValue where something has to be chosen.
    """
    if not isinstance(net, nn.Module):
        hint = "load it with torch.load, or build the module and load its state dict" if isinstance(net, dict) else ""
        hint = "give a module whose forward calls it" if callable(net) else hint
        raise BadValue(f"{shorten(net)} is no torch.nn.Module{'; ' + hint if hint else ''}.")
    if device is not None:
        net.to(choose_device(device))
    about: dict[str, Any] = {"source": "wrapped", "architecture": type(net).__qualname__}
    about["preprocess_from"] = "what was given"
    name = name or getattr(net, "original_name", None)
    if preprocess is None:
        preprocess, about["preprocess_from"] = _preprocess(net)
        if about["preprocess_from"].startswith(GUESSED):
            about["guessed"] = _said_guessed(preprocess)
    names = class_names(classes)
    model = Model(_name(name or type(net).__name__), net, preprocess, names, about, output)
    if classes is None:
        return model.renamed(classes=tuple(map(str, range(model.outputs))))
    _ = model.head
    return model


def _said_guessed(preprocess: Preprocess) -> str:
    height, width = preprocess.size
    return (
        f"How pictures become its input was not given: {height} x {width} pixels and values from 0 to 1 are a guess; "
        "if it was trained otherwise, its answers are wrong."
    )


def class_names(classes: Any) -> tuple[str, ...]:
    """Names in the order of the scores, none for None; those that stand twice get their number. Raises BadValue."""
    if classes is None:
        return ()
    if isinstance(classes, Mapping):  # as id2label is in Hugging Face's configurations
        try:
            numbers = {int(number): str(text) for number, text in classes.items()}
        except (TypeError, ValueError):
            raise BadValue(f"classes={shorten(classes)} has keys that are no numbers.") from None
        if sorted(numbers) != list(range(len(numbers))):
            raise BadValue(f"classes={shorten(classes)} leaves numbers out; they go from 0 to {len(numbers) - 1}.")
        return tuple(numbers[k] for k in range(len(numbers)))
    if isinstance(classes, str):
        raise BadValue(f"classes={shorten(classes)} is one text; give a list of names.")
    names = tuple(map(str, classes))
    many = {name for name, count in Counter(names).items() if count > 1}  # as ImageNet's two cranes
    return tuple(f"{name} ({k})" if name in many else name for k, name in enumerate(names))


def _name(text: str) -> str:
    """Fit for files and URLs."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", str(text)).strip("-.")[:100] or "network"


def first_channels(net: nn.Module) -> int:
    """How many channels its pictures have, by its first convolution."""
    return next((one.in_channels for one in net.modules() if isinstance(one, nn.Conv2d)), 3)


def _preprocess(net: nn.Module) -> tuple[Preprocess, str]:
    """The preprocessing of a network that came without, and where it is from: the first that it takes."""
    channels, reason = first_channels(net), ""
    for preprocess, source in (*_configured(net, channels), *_guessed(channels)):
        try:
            Model("network", net, preprocess, ()).try_input()
        except NotSupported as error:
            reason = reason or str(error)
            continue
        return preprocess, source
    raise NotSupported(
        f"Give preprocess=explain.Preprocess(size, channels=...) of the pictures that it takes: {reason}"
    )


def _configured(net: nn.Module, channels: int) -> Iterator[tuple[Preprocess, str]]:
    """What timm's configuration in a network says, and the same with its own number of channels and size."""
    config = getattr(net, "pretrained_cfg", None) or getattr(net, "default_cfg", None)
    if not (isinstance(config, Mapping) and "input_size" in config and "mean" in config):
        return
    said, source = Preprocess.of_timm(config), "the network's own configuration"
    yield said, source
    size = getattr(getattr(net, "patch_embed", None), "img_size", None) or said.size
    mean, std = (tuple(sum(values) / len(values) for _ in range(channels)) for values in (said.mean, said.std))
    own = replace(said, size=tuple(size), resize=tuple(size))
    yield own, f"{source}, but for the size {tuple(size)}, which the network was built with"
    for one in (said, own):
        other = replace(one, channels=channels, mean=mean, std=std)
        yield other, f"{source}, but for {channels} channels, each with the average mean and deviation"


def _guessed(channels: int) -> Iterator[tuple[Preprocess, str]]:
    for side in SIZES:
        guess = f"{GUESSED}: pictures of {side} x {side} with values from 0 to 1 are a guess, as none was given"
        yield Preprocess((side, side), (side, side), (0.0,) * channels, (1.0,) * channels, channels), guess
