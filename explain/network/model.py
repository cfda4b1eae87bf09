"""A network with what it needs to be asked: preprocessing, class names, layers; threads share it under one lock."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from ..errors import BadValue, NotSupported, Unknown, shorten
from ..figure import versions
from ..images import as_image, unturned
from .exact import exact
from .layers import Layer, scan

__all__ = ["Box", "Layer", "Model", "Preprocess", "choose_device"]

Box = tuple[int, int, int, int]
"""y0, x0, y1, x1, half open."""

LARGEST_SIDE = 8192
LARGEST_INPUT = 1 << 26
_ADDRESS = re.compile(r"0x[0-9a-f]+")
_INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
}


@dataclass(frozen=True)
class Preprocess:
    """From an upright picture to a network's input: resize, centre crop, scale to 0..1, subtract mean, divide by std.

    `resize` is the length of the shorter side, or (height, width) where the aspect is not kept.
    A net with other than 1 or 3 channels gets the grey picture in each, or an array (H, W, channels) as it is.
    """

    size: tuple[int, int]
    resize: int | tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: int = 3
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        if self.interpolation not in _INTERPOLATIONS:
            raise Unknown("interpolation", self.interpolation, _INTERPOLATIONS)
        for name in ("mean", "std"):
            values = getattr(self, name)
            if len(values) not in (1, self.channels) or not all(np.isfinite(values)):
                raise BadValue(f"Preprocessing {name}={shorten(values)} needs {self.channels} finite numbers.")
        sides = self.resize if isinstance(self.resize, tuple) else (self.resize,) * 2
        whole = all(isinstance(n, int) and 1 <= n <= LARGEST_SIDE for n in (*self.size, *sides, self.channels))
        if not all(self.std) or not whole or (len(self.size), len(sides)) != (2, 2):
            raise BadValue(
                f"Preprocessing needs sides of 1 to {LARGEST_SIDE} and a std other than 0: {shorten(asdict(self))}."
            )
        if self.channels * self.size[0] * self.size[1] > LARGEST_INPUT:
            raise BadValue(f"Preprocessing to {self.channels} channels of {self.size} is too large an input.")

    def crop(self, image: Any) -> NDArray[np.uint8]:
        """The very pixels the net sees: (H, W, 3), or (H, W, channels) for an input that is no RGB or grey picture."""
        planes = [self._window(plane) for plane in self._planes(image)]
        if len(planes) > 1:
            return np.stack([np.asarray(plane) for plane in planes], -1)
        return np.asarray(planes[0].convert("RGB") if self.channels != 1 else planes[0].convert("L").convert("RGB"))

    def tensor(self, image: Any) -> Tensor:
        """The net's input (channels, H, W), float32."""
        return self.scaled(self.crop(image))

    def scaled(self, pixels: NDArray[np.uint8]) -> Tensor:
        """What `crop` gives as the net's input."""
        if self.channels not in (3, pixels.shape[-1]):
            pixels = np.asarray(Image.fromarray(pixels).convert("L"))[..., None].repeat(self.channels, -1)
        array = torch.from_numpy(np.array(pixels)).permute(2, 0, 1).contiguous().float().div(255)
        mean, std = (torch.tensor(values, dtype=torch.float32).view(-1, 1, 1) for values in (self.mean, self.std))
        return (array - mean) / std

    def source_box(self, box: Box, image: Any) -> Box:
        """The box of the input in the pixels of the picture's file, which need not be upright; as in `upright_box`."""
        if isinstance(image, np.ndarray):  # of any number of channels, and always upright
            return self.upright_box(box, (image.shape[1], image.shape[0]))
        picture = as_image(image)
        return unturned(self.upright_box(box, picture.size), picture.size, picture.info.get("orientation", 1))

    def upright_box(self, box: Box, size: tuple[int, int]) -> Box:
        """The box of the input as the smallest box of whole pixels in an upright picture of size (width, height)."""
        width, height = size
        scaled_width, scaled_height = self._scaled(width, height)
        top, left = _offset(scaled_height, self.size[0]), _offset(scaled_width, self.size[1])

        def back(low: int, high: int, offset: int, scaled: int, whole: int) -> tuple[int, int]:
            return (
                min(max(int(np.floor((low + offset) * whole / scaled)), 0), whole),
                min(max(int(np.ceil((high + offset) * whole / scaled)), 0), whole),
            )

        (y0, y1), (x0, x1) = (
            back(box[0], box[2], top, scaled_height, height),
            back(box[1], box[3], left, scaled_width, width),
        )
        return y0, x0, y1, x1

    def _planes(self, image: Any) -> list[Image.Image]:
        if isinstance(image, np.ndarray) and image.ndim == 3 and image.shape[2] == self.channels not in (1, 3):
            if image.dtype != np.uint8:
                raise BadValue(f"An array with {self.channels} channels must be uint8, not {image.dtype}.")
            return [Image.fromarray(np.ascontiguousarray(image[..., c])) for c in range(self.channels)]
        picture = as_image(image)
        return [picture.convert("L" if self.channels == 1 else "RGB")]

    def _window(self, picture: Image.Image) -> Image.Image:
        scaled = self._scaled(*picture.size)
        if scaled != picture.size:
            picture = picture.resize(scaled, _INTERPOLATIONS[self.interpolation])
        top, left = _offset(scaled[1], self.size[0]), _offset(scaled[0], self.size[1])
        return picture.crop((left, top, left + self.size[1], top + self.size[0]))

    def _scaled(self, width: int, height: int) -> tuple[int, int]:
        if not isinstance(self.resize, int):
            return self.resize[1], self.resize[0]
        if width <= height:
            return self.resize, max(int(self.resize * height / width), 1)
        return max(int(self.resize * width / height), 1), self.resize


def _offset(scaled: int, cropped: int) -> int:
    """Where a centre crop begins, as torchvision rounds it; negative where the picture is padded with black."""
    return round((scaled - cropped) / 2.0) if scaled >= cropped else -((cropped - scaled) // 2)


@dataclass(frozen=True, eq=False)
class Model:
    """A network behind a lock, with its preprocessing and class names. `about` holds recipe, weights, accuracy, source.

    The net is reached only through `exclusive()`; it is left as it was found.
    """

    name: str
    _net: nn.Module = field(repr=False)
    preprocess: Preprocess
    classes: tuple[str, ...] = field(repr=False)
    about: Mapping[str, Any] = field(default_factory=dict, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False, init=False)

    @contextmanager
    def exclusive(self) -> Iterator[nn.Module]:
        """The net for one thread at a time, in eval mode with its weights frozen, in full float32; modes, gradients,
        hooks and requires_grad are put back afterwards, also after an exception."""
        with self._lock, exact(_device_of(self._net)):
            modules, parameters = list(self._net.modules()), list(self._net.parameters())
            training = [module.training for module in modules]
            hooks = [[(table, dict(table)) for table in _hook_tables(module)] for module in modules]
            wants = [(parameter.requires_grad, parameter.grad) for parameter in parameters]
            try:
                self._net.eval()
                for parameter in parameters:
                    parameter.requires_grad_(False)
                yield self._net
            finally:
                for module, mode, tables in zip(modules, training, hooks, strict=True):
                    module.training = mode
                    for table, before in tables:
                        if table != before:
                            table.clear()
                            table.update(before)
                for parameter, (requires_grad, grad) in zip(parameters, wants, strict=True):
                    parameter.requires_grad_(requires_grad)
                    parameter.grad = grad

    @cached_property
    def device(self) -> torch.device:
        return _device_of(self._net)

    @cached_property
    def digest(self) -> str:
        """sha256 of weights, kinds and settings of layers, preprocessing and class names."""
        digest = hashlib.sha256(json.dumps([asdict(self.preprocess), self.classes]).encode())
        with self.exclusive() as net:
            for name, module in net.named_modules():  # two nets with other activations may share all weights
                settings = _ADDRESS.sub("", module.extra_repr())
                digest.update(f"{name} {type(module).__qualname__}({settings})".encode())
            for name, tensor in net.state_dict().items():
                digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
                digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    @cached_property
    def input_range(self) -> tuple[Tensor, Tensor]:
        """Black and white as the net's input takes them, each (1, C, 1, 1)."""
        black, white = (np.full((1, 1, self.preprocess.channels), value, np.uint8) for value in (0, 255))
        scaled = self.preprocess.scaled
        return scaled(black)[None].to(self.device), scaled(white)[None].to(self.device)

    @cached_property
    def scanned(self) -> tuple[Layer, ...]:
        """Layers and blocks, in execution order."""
        height, width = self.preprocess.size
        with self.exclusive() as net:
            return scan(net, torch.zeros(1, self.preprocess.channels, height, width, device=self.device))

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """One row per layer call, in execution order."""
        return tuple(layer for layer in self.scanned if not layer.block)

    @cached_property
    def blocks(self) -> tuple[Layer, ...]:
        """Layers that are made of layers, such as a residual block; they can be looked into as well."""
        return tuple(layer for layer in self.scanned if layer.block)

    def layer(self, name: str) -> Layer:
        """The layer or block of that name. Raises Unknown, also where a name stands for several calls."""
        for layer in self.scanned:
            if layer.name == name:
                return layer
        calls = [layer.name for layer in self.scanned if layer.name.rpartition(":")[0] == name]
        if calls:
            raise Unknown("layer", name, calls, f"It is called {len(calls)} times; choose one call.")
        raise Unknown("layer", name, [layer.name for layer in self.layers])

    @cached_property
    def last_maps(self) -> Layer:
        """The last layer or block with maps as fine as the last convolution's: what class activation maps use."""
        convolutions = [layer for layer in self.scanned if "Conv" in layer.kind and layer.spatial]
        if not convolutions:
            raise NotSupported(f"Model {self.name!r} has no convolution with maps (C, H, W).")
        size = convolutions[-1].shape[1:]
        return [layer for layer in self.scanned if layer.spatial and layer.shape[1:] == size][-1]

    def batch(self, images: Any) -> Tensor:
        """Pictures (one, or a sequence) as the net's input (N, C, H, W) on its device."""
        many = images if isinstance(images, Sequence) and not isinstance(images, (str, bytes)) else [images]
        if not len(many):
            raise BadValue("There are no pictures; give at least one.")
        return torch.stack([self.preprocess.tensor(image) for image in many]).to(self.device)

    def scores(self, images: Any) -> Tensor:
        """Class scores (N, classes) before the softmax, float32 on the CPU."""
        return self.ask(self.batch(images))

    def ask(self, batch: Tensor) -> Tensor:
        """The same of a batch that is the net's input already. Raises NotSupported where they are not finite."""
        with self.exclusive() as net, torch.inference_mode(False), torch.no_grad():
            scores = check_scores(net(batch), self.name).float().cpu()
        if not scores.isfinite().all():
            raise NotSupported(
                f"Model {self.name!r} gives scores that are not finite: its weights or its input hold NaN or infinity, "
                "or numbers too large for it."
            )
        return scores

    def predict(self, images: Any, k: int = 5) -> list[list[tuple[str, float]]]:
        """The k likeliest classes of each picture with their probabilities, likeliest first."""
        if not isinstance(k, int) or k < 1:
            raise BadValue(f"k={shorten(k)} is not a whole number of at least 1.")
        probabilities = self.scores(images).softmax(1)
        top = probabilities.topk(min(k, probabilities.shape[1]))
        return [
            [(self.classes[i], p) for i, p in zip(indices, values, strict=True)]
            for indices, values in zip(top.indices.tolist(), top.values.tolist(), strict=True)
        ]

    def target(self, target: int | str | None, image: Any) -> int:
        """A class by number or name; None is the predicted one. Raises Unknown."""
        if target is None or target == "":
            return int(self.scores(image).argmax())
        if isinstance(target, str) and target in self.classes:
            return self.classes.index(target)
        try:
            index = int(target)
            if 0 <= index < len(self.classes) and index == float(target):
                return index
        except (TypeError, ValueError, OverflowError):
            pass
        raise Unknown("class", target, self.classes, f"Or a number from 0 to {len(self.classes) - 1}.")

    def facts(self, **more: Any) -> dict[str, Any]:
        """What a figure needs so that it can be traced back and redrawn."""
        return {"model": self.name, "model_digest": self.digest, **more, "versions": versions()}


def check_scores(output: Any, name: str) -> Tensor:
    """The output as class scores (N, K). Raises NotSupported for nets that give something else."""
    if not isinstance(output, Tensor):
        raise NotSupported(
            f"Model {name!r} gives a {type(output).__name__}, not one tensor of class scores; "
            "wrap it in a module that returns the scores."
        )
    if output.dim() != 2:
        raise NotSupported(f"Model {name!r} gives shape {tuple(output.shape)}; class scores are (N, classes).")
    return output


def choose_device(device: str | torch.device = "auto") -> torch.device:
    """auto is CUDA where there is one, else MPS, else the CPU."""
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
        if place.type not in ("cpu", "cuda", "mps"):
            raise TypeError
    except (RuntimeError, AssertionError, TypeError):
        valid = ["auto", "cpu"] + ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()
        raise Unknown("device", str(device), valid) from None
    return place


def _device_of(net: nn.Module) -> torch.device:
    return next(net.parameters(), torch.empty(0)).device


def _hook_tables(module: nn.Module) -> list[dict[int, Any]]:
    return [table for name, table in vars(module).items() if name.endswith("_hooks") and isinstance(table, dict)]
