"""From an upright picture to a network's input, and back from a box of the input to the picture's file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..errors import BadValue, Unknown, shorten
from ..images import as_image, unturned

__all__ = ["Box", "Preprocess"]

Box = tuple[int, int, int, int]
"""y0, x0, y1, x1, half open."""

LARGEST_SIDE = 8192
LARGEST_INPUT = 1 << 26
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
    resize: int | tuple[int, int] = None  # type: ignore[assignment]  # the whole picture, squeezed into the size
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    channels: int = 3
    interpolation: str = "bilinear"

    @classmethod
    def of_timm(cls, config: Mapping[str, Any]) -> Preprocess:
        """As timm's configuration of a network says."""
        channels, height, width = config["input_size"]
        fraction, way = config.get("crop_pct") or 1.0, config.get("interpolation", "bilinear")
        return cls(
            size=(height, width),
            resize=int(height / fraction) if height == width else (height, width),
            mean=tuple(config["mean"]),
            std=tuple(config["std"]),
            channels=channels,
            interpolation=way if way in _INTERPOLATIONS else "bilinear",
        )

    def __post_init__(self) -> None:
        size = (self.size,) * 2 if isinstance(self.size, int) else self.size
        resize = size if self.resize is None else self.resize
        given = {"size": size, "resize": resize, "mean": self.mean, "std": self.std}
        for name, value in given.items():  # lists, as they come out of files, are tuples here
            object.__setattr__(self, name, tuple(value) if isinstance(value, (list, tuple)) else value)
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

    @property
    def summary(self) -> str:
        """What it does, in words."""
        height, width = self.size
        if isinstance(self.resize, int):
            way = f"shorter side {self.resize}, cut to {width} x {height}"
        elif self.resize == self.size:
            way = f"squeezed into {width} x {height}"
        else:
            way = f"scaled to {self.resize[1]} x {self.resize[0]}, cut to {width} x {height}"
        mean, std = (", ".join(f"{value:.3g}" for value in values) for values in (self.mean, self.std))
        plain = set(self.mean) == {0.0} and set(self.std) == {1.0}
        values = "values 0 to 1" if plain else f"mean {mean}, std {std}"
        n = self.channels
        bands = (
            "" if n in (1, 3) else f"; grey in each of {n} channels, but for arrays (H, W, {n}), whose bands they are"
        )
        return f"{way} ({self.interpolation}), {values}{bands}"

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
