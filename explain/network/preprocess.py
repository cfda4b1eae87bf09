"""From an upright picture to a network's input, and back from a box of the input to the picture's file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..errors import BadFile, BadValue, Unknown, shorten
from ..images import SCALES, Bands, as_image, bands_of, shown, unturned

__all__ = ["Box", "Preprocess", "completed"]

Box = tuple[int, int, int, int]
"""y0, x0, y1, x1, half open."""

LARGEST_SIDE = 8192
LARGEST_INPUT = 1 << 26
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos", "box"]
_INTERPOLATIONS: dict[str, Image.Resampling] = {
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
    A picture of as many bands as the net has channels goes in band by band: of 16 bits divided by 65535, floats as they
    are, so that mean and std are in their own units. Into other than 1 or 3 channels RGB and grey go as grey in each.
    `bands`: the three that are shown as red, green and blue, counted from 0; by default the first.
    """

    size: tuple[int, int]
    resize: int | tuple[int, int] = None  # type: ignore[assignment]  # the whole picture, squeezed into the size
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    channels: int = 3
    interpolation: Interpolation = "bilinear"
    bands: tuple[int, int, int] | None = None

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
        given = {"size": size, "resize": resize, "mean": self.mean, "std": self.std, "bands": self.bands}
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
        if self.bands is not None and not (
            isinstance(self.bands, tuple)
            and len(self.bands) == 3
            and all(isinstance(n, int) and 0 <= n < self.channels for n in self.bands)
        ):
            last = self.channels - 1
            raise BadValue(f"Preprocessing bands={shorten(self.bands)} are not three numbers from 0 to {last}.")

    @property
    def fields(self) -> dict[str, Any]:
        """What it is, for cards and digests: those of networks without bands are as they were before there were any."""
        return {name: value for name, value in asdict(self).items() if name != "bands" or value is not None}

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
        bands = "" if n in (1, 3) else f"; grey in each of {n} channels, but for pictures of {n} bands, whose they are"
        chosen = "; bands {}, {} and {} shown as red, green and blue".format(*self.bands) if self.bands else ""
        return f"{way} ({self.interpolation}), {values}{bands}{chosen}"

    def crop(self, image: Any) -> NDArray[Any]:
        """The very pixels the net sees: of an RGB or grey picture (H, W, 3) uint8, else of the picture's own kind
        (H, W, channels). Raises BadFile for a picture of another number of bands."""
        picture = as_image(image)
        bands = bands_of(picture)
        if bands is not None and bands.count == self.channels:
            return self._cropped(bands.values)
        if not isinstance(picture, Bands):
            return np.asarray(self._window(picture.convert("L" if self.channels == 1 else "RGB")).convert("RGB"))
        if (picture.count, self.channels) == (1, 3):  # grey, as any other
            return self._cropped(picture.values).repeat(3, -1)
        hint = "; arrays are (H, W, bands)" if isinstance(image, np.ndarray) else ""
        raise BadFile(f"A picture of {picture.count} bands does not fit a network of {self.channels} channels{hint}.")

    def shown(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        """What `crop` gives, to look at (H, W, 3)."""
        plain = pixels.shape[-1] == 3 and pixels.dtype == np.uint8
        return pixels if plain and (self.bands is None or self.channels != 3) else shown(pixels, self.bands)

    def tensor(self, image: Any) -> Tensor:
        """The net's input (channels, H, W), float32."""
        return self.scaled(self.crop(image))

    def planes(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """What `crop` gives with a plane for each of the net's channels (H, W, channels)."""
        if self.channels in (3, pixels.shape[-1]):
            return pixels
        return np.asarray(Image.fromarray(pixels).convert("L"))[..., None].repeat(self.channels, -1)

    def scaled(self, pixels: NDArray[Any]) -> Tensor:
        """What `crop` gives as the net's input."""
        pixels = self.planes(pixels)
        array = torch.from_numpy(np.array(pixels)).permute(2, 0, 1).contiguous().float().div(SCALES[pixels.dtype.name])
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

    def _cropped(self, values: NDArray[Any]) -> NDArray[Any]:
        """Each band on its own, of 16 bits as a float until it is rounded to 16 again."""
        kind = values.dtype
        planes = (
            np.ascontiguousarray(values[..., c], kind if kind == np.uint8 else np.float32)
            for c in range(values.shape[2])
        )
        found = np.stack([np.asarray(self._window(Image.fromarray(plane))) for plane in planes], -1)
        return np.clip(np.rint(found), 0, SCALES[kind.name]).astype(kind) if kind == np.uint16 else found

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


def completed(preprocess: Any, usual: Preprocess | None) -> Preprocess | None:
    """The preprocessing that was given: whole, or some of it in the place of the usual."""
    if preprocess is None or isinstance(preprocess, Preprocess):
        return preprocess
    try:
        some = dict(preprocess)
        if "size" in some:
            some.setdefault("resize", None)
        if "mean" in some and "channels" not in some and usual is not None and len(some["mean"]) > 1:
            some["channels"] = len(some["mean"])
        return replace(usual, **some) if usual is not None else Preprocess(**some)
    except (TypeError, ValueError) as error:
        known = [one.name for one in fields(Preprocess)]
        raise BadValue(f"preprocess={shorten(preprocess)} is no Preprocess, nor some of {known}: {error}.") from None
