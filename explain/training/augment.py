"""Augmentations: a batch of pictures changed by chance, on the device, each picture by a draw of its own.

    plan = check_plan(["flip", ("crop", {"padding": 2})])
    batch, labels = augmented(batch, labels, plan, torch.Generator().manual_seed(0))

An augmentation is a registered function of a batch (N, C, H, W) of floats in 0..1, labels (N, K) whose rows sum to 1,
and a generator on the CPU; it returns new ones of the same size. Chance is drawn on the CPU and then moved, so that a
seed gives the same draws on every device.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from ..errors import BadValue, NotSupported, shorten
from ..options import Choices, Range
from ..registry import Registry

__all__ = ["AUGMENTATIONS", "Plan", "augmented", "check_plan"]

AUGMENTATIONS = Registry("augmentation")
MOST = 20  # of a plan: it may come out of a file

Pair = tuple[Tensor, Tensor]
Plan = tuple[tuple[str, dict[str, Any]], ...]


def check_plan(plan: Sequence[Any]) -> Plan:
    """Names, or names with options, as (name, all options checked), in their order. Raises Unknown or BadValue."""
    if isinstance(plan, str) or not isinstance(plan, Sequence) or len(plan) > MOST:
        raise BadValue(
            f"Augmentations {shorten(plan)} are not a list of at most {MOST} names, each with options or not."
        )
    return tuple(_step(step) for step in plan)


def _step(step: Any) -> tuple[str, dict[str, Any]]:
    pair = (step, {}) if isinstance(step, str) else step
    if not isinstance(pair, list | tuple) or len(pair) != 2 or not isinstance(pair[1], Mapping):
        raise BadValue(f"{shorten(step)} is not the name of an augmentation, nor a name with options.")
    return pair[0], AUGMENTATIONS[pair[0]].check(pair[1])


def augmented(batch: Tensor, labels: Tensor, plan: Plan, chance: Generator) -> Pair:
    """The batch after each step of the plan, in its order; an empty batch or plan changes nothing."""
    for name, options in plan if len(batch) else ():
        batch, labels = AUGMENTATIONS[name](batch, labels, chance, **options)
    return batch, labels


# Draws ---------------------------------------------------------------------------------------------------------------


def _uniform(batch: Tensor, chance: Generator, low: float = 0.0, high: float = 1.0) -> Tensor:
    """A number for each picture, (N, 1, 1, 1), on the batch's device."""
    return (low + (high - low) * torch.rand(len(batch), 1, 1, 1, generator=chance)).to(batch)


def _whole(batch: Tensor, chance: Generator, count: int) -> Tensor:
    """A whole number from 0 to count - 1 for each picture, (N,)."""
    return torch.randint(count, (len(batch),), generator=chance).to(batch.device)


def _beta(batch: Tensor, chance: Generator, alpha: float) -> Tensor:
    """A number of Beta(alpha, alpha) for each picture, (N, 1, 1, 1); torch has only the global generator."""
    seed = int(torch.randint(2**62, (), generator=chance))
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, (len(batch), 1, 1, 1))).to(batch)


# Place ---------------------------------------------------------------------------------------------------------------


@AUGMENTATIONS.register
def flip(
    batch: Tensor,
    labels: Tensor,
    chance: Generator,
    *,
    probability: Annotated[float, Range(0, 1, help="share of the pictures that are flipped")] = 0.5,
) -> Pair:
    """Mirrored left to right, as in AlexNet (Krizhevsky et al. 2012).

    Harms where sides mean something: letters, digits, road signs, left and right hands.
    """
    return torch.where(_uniform(batch, chance) < probability, batch.flip(-1), batch), labels


@AUGMENTATIONS.register(label="Vertical flip")
def vertical_flip(
    batch: Tensor,
    labels: Tensor,
    chance: Generator,
    *,
    probability: Annotated[float, Range(0, 1, help="share of the pictures turned upside down")] = 0.5,
) -> Pair:
    """Mirrored top to bottom, for pictures without an up: from a satellite or a microscope.

    In no recipe by default, because it changes the meaning: a 6 turns into something like a 9, and photographed things
    stand on their feet.
    """
    return torch.where(_uniform(batch, chance) < probability, batch.flip(-2), batch), labels


@AUGMENTATIONS.register(label="Random crop")
def crop(
    batch: Tensor,
    labels: Tensor,
    chance: Generator,
    *,
    padding: Annotated[int, Range(0, 64, help="pixels added on each side before a window of the old size is cut")] = 4,
    fill: Annotated[str, Choices("zero", "reflect", help="what is added: black, or the picture mirrored")] = "zero",
) -> Pair:
    """A window of the picture's size out of the padded picture, as for CIFAR-10 (He et al. 2016).

    Harms where the padding is wide: what tells the class may be cut off.
    """
    _check_reach("padding", padding, batch, (-2, -1))
    mode = {"zero": "constant", "reflect": "reflect"}[fill]
    padded = F.pad(batch, (padding,) * 4, mode=mode)
    top, left = (_whole(batch, chance, 2 * padding + 1) for _ in range(2))
    return _windows(padded, top, left, batch), labels


@AUGMENTATIONS.register
def shift(
    batch: Tensor,
    labels: Tensor,
    chance: Generator,
    *,
    vertical: Annotated[int, Range(0, 64, help="most whole pixels up or down")] = 2,
    horizontal: Annotated[int, Range(0, 64, help="most whole pixels to the left or right")] = 2,
) -> Pair:
    """Moved by whole pixels (LeCun et al. 1998); where the picture has left, it is filled with zeros (black).

    Helps little where a network pools over all places anyway; on a bright ground the black edge tells the shift.
    """
    _check_reach("vertical", vertical, batch, (-2,))
    _check_reach("horizontal", horizontal, batch, (-1,))
    padded = F.pad(batch, (horizontal, horizontal, vertical, vertical))
    top, left = (_whole(batch, chance, 2 * most + 1) for most in (vertical, horizontal))
    return _windows(padded, top, left, batch), labels


def _check_reach(name: str, pixels: int, batch: Tensor, sides: tuple[int, ...]) -> None:
    side = min(batch.shape[k] for k in sides)
    if pixels >= side:
        raise BadValue(f"Option {name}={pixels} is not below {side}, the side of the pictures.")


def _windows(padded: Tensor, top: Tensor, left: Tensor, like: Tensor) -> Tensor:
    """The window (h, w) of each picture at its own place: one indexing of a view of all windows, without copies."""
    height, width = like.shape[-2:]
    every = padded.unfold(2, height, 1).unfold(3, width, 1)
    return every[torch.arange(len(padded), device=padded.device), :, top, left]


@AUGMENTATIONS.register(label="Random resized crop")
def resized_crop(
    batch: Tensor,
    labels: Tensor,
    chance: Generator,
    *,
    area: Annotated[float, Range(0.05, 1, help="smallest window, as a share of the picture's area")] = 0.5,
    ratio: Annotated[float, Range(1, 4, help="most that a window's shape is stretched")] = 4 / 3,
) -> Pair:
    """A window of random size and shape, enlarged to the picture's size (Szegedy et al. 2015).

    Harms where size matters or the thing is small: the window may miss it. Inception's area of 0.08 is for photos.
    """
    height, width = batch.shape[-2:]
    share = _uniform(batch, chance, area, 1).sqrt()
    stretch = (_uniform(batch, chance, -1, 1) * (math.log(ratio) / 2)).exp()
    tall, wide = (
        (share * side).round().clamp(1, n) for side, n in ((stretch * height, height), (width / stretch, width))
    )
    top, left = (
        (_uniform(batch, chance) * (n - side + 1)).floor().clamp(max=n - side)
        for n, side in ((height, tall), (width, wide))
    )
    return _sampled(batch, _stretched(top, tall, height), _stretched(left, wide, width), "border"), labels


def _stretched(first: Tensor, length: Tensor, count: int) -> Tensor:
    """Where each of `count` new pixels lies among those of a window, (N, count); never between it and its outside."""
    at = torch.arange(count, device=first.device, dtype=first.dtype) + 0.5
    first, length = first.flatten(1), length.flatten(1)
    return first + (at * length / count - 0.5).clamp(min=0).minimum(length - 1)


def _sampled(batch: Tensor, y: Tensor, x: Tensor, outside: str) -> Tensor:
    """Pixels between pixels, at rows y and columns x: (N, H) and (N, W), or (N, H, W) each."""
    height, width = batch.shape[-2:]
    if y.dim() == 2:
        y, x = y[:, :, None].expand(-1, -1, width), x[:, None, :].expand(-1, height, -1)
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)
    return F.grid_sample(batch, grid, padding_mode=outside, align_corners=False).clamp_(0, 1)


@AUGMENTATIONS.register
def affine(
    batch: Tensor,
    labels: Tensor,
    chance: Generator,
    *,
    rotation: Annotated[float, Range(0, 180, help="most degrees, either way")] = 10.0,
    translation: Annotated[float, Range(0, 0.5, help="most that it moves, as a share of each side")] = 0.1,
    scale: Annotated[float, Range(0, 0.9, help="most that it grows or shrinks, as a share of its size")] = 0.1,
    shear: Annotated[float, Range(0, 60, help="most degrees, either way")] = 0.0,
) -> Pair:
    """Rotated, enlarged, sheared and moved about its centre; outside it is filled with zeros (black).

    Harms where angle or size mean something, and each change blurs: pixels are mixed out of their neighbours.
    """
    height, width = batch.shape[-2:]
    degrees, slant = _uniform(batch, chance, -rotation, rotation), _uniform(batch, chance, -shear, shear)
    size = _uniform(batch, chance, 1 - scale, 1 + scale)
    down, right = (n * _uniform(batch, chance, -translation, translation) for n in (height, width))
    return _moved(batch, degrees, size, slant, down, right), labels


def _moved(batch: Tensor, degrees: Tensor, size: Tensor, slant: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Each picture by its own numbers (N, 1, 1, 1): clockwise degrees, factor, degrees of shear, pixels."""
    height, width = batch.shape[-2:]
    kept = (degrees == 0) & (size == 1) & (slant == 0) & (down == 0) & (right == 0)
    rows = torch.arange(height, device=batch.device, dtype=batch.dtype)[:, None] - (height - 1) / 2
    columns = torch.arange(width, device=batch.device, dtype=batch.dtype) - (width - 1) / 2
    degrees, size, slant, down, right = (value.reshape(-1, 1, 1) for value in (degrees, size, slant, down, right))
    # Back from the new pixel to the old one: move, turn, shrink, and shear along the rows.
    y, x = rows - down, columns - right
    cosine, sine = degrees.deg2rad().cos() / size, degrees.deg2rad().sin() / size
    y, x = cosine * y - sine * x, cosine * x + sine * y
    x = x + slant.deg2rad().tan() * y
    moved = _sampled(batch, y + (height - 1) / 2, x + (width - 1) / 2, "zeros")
    return torch.where(kept, batch, moved)  # sampling at the very pixels would still round


# Colour --------------------------------------------------------------------------------------------------------------

GREY = (0.2989, 0.587, 0.114)  # ITU-R 601, as torchvision has it


@AUGMENTATIONS.register(label="Colour jitter")
def jitter(
    batch: Tensor,
    labels: Tensor,
    chance: Generator,
    *,
    brightness: Annotated[float, Range(0, 1, help="most that brightness changes, as a share")] = 0.2,
    contrast: Annotated[float, Range(0, 1, help="most that contrast changes, as a share")] = 0.2,
    saturation: Annotated[float, Range(0, 1, help="most that saturation changes, as a share")] = 0.2,
    hue: Annotated[float, Range(0, 0.5, help="most that hue turns, as a share of the colour wheel")] = 0.0,
) -> Pair:
    """Brightness, contrast, saturation and hue changed, in this order; grey pictures take the first two only.

    Harms where colour tells the class: ripe from unripe, one bird from another.
    """
    factors = [_uniform(batch, chance, 1 - most, 1 + most) for most in (brightness, contrast, saturation)]
    turn = _uniform(batch, chance, -hue, hue)  # drawn for grey pictures too, so that later draws do not depend on it
    batch = (batch * factors[0]).clamp(0, 1)
    batch = _between(_grey(batch).mean((1, 2, 3), keepdim=True), batch, factors[1])
    if batch.shape[1] == 3:
        batch = _between(_grey(batch), batch, factors[2])
        batch = torch.where(turn == 0, batch, _turned(batch, turn))
    return batch, labels


def _between(low: Tensor, batch: Tensor, factor: Tensor) -> Tensor:
    """0 is `low`, 1 the batch, more is beyond it."""
    return (factor * batch + (1 - factor) * low).clamp(0, 1)


def _grey(batch: Tensor) -> Tensor:
    if batch.shape[1] != 3:
        return batch.mean(1, keepdim=True)
    return (batch * batch.new_tensor(GREY).view(3, 1, 1)).sum(1, keepdim=True)


def _turned(batch: Tensor, turn: Tensor) -> Tensor:
    """Hue turned by a share of the wheel; value and saturation of the HSV model stay."""
    red, green, blue = batch.unbind(1)
    value, which = batch.max(1)
    chroma = value - batch.amin(1)
    safe = torch.where(chroma > 0, chroma, 1)
    sixths = torch.stack([(green - blue) / safe, 2 + (blue - red) / safe, 4 + (red - green) / safe])
    hue = sixths.gather(0, which[None])[0] + 6 * turn[:, 0]
    distance = [(hue + n).remainder(6) for n in (5, 3, 1)]
    return torch.stack([value - chroma * k.minimum(4 - k).clamp(0, 1) for k in distance], 1)


# The colour axes of ImageNet that came with fb.resnet.torch and that most recipes use since.
IMAGENET_VALUES = (0.2175, 0.0188, 0.0045)
IMAGENET_VECTORS = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))


@AUGMENTATIONS.register(label="PCA colour")
def pca_colour(
    batch: Tensor,
    labels: Tensor,
    chance: Generator,
    *,
    alpha: Annotated[float, Range(0, 10, help="standard deviation of the factors of the eigenvalues")] = 0.1,
    axes: Annotated[str, Choices("batch", "imagenet", help="whose pixels the eigenvectors are of")] = "batch",
) -> Pair:
    """Alpha times eigenvalue added along the eigenvectors of the pixels' RGB covariance (Krizhevsky et al. 2012).

    It imitates the colour of light; it harms where colour tells the class. A batch's axes depend on its pictures.
    """
    if batch.shape[1] != 3:
        raise NotSupported(f"PCA colour needs pictures with 3 channels, not {batch.shape[1]}: grey has no colour axes.")
    values, vectors = _colour_axes(batch) if axes == "batch" else _imagenet_axes()
    drawn = alpha * torch.randn(len(batch), 3, generator=chance).double()
    added = (drawn * values) @ vectors.T
    return (batch + added.to(batch)[:, :, None, None]).clamp(0, 1), labels


def _colour_axes(batch: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (3,) and eigenvectors, the columns of (3, 3), of the covariance of all pixels; on the CPU."""
    pixels = batch.transpose(0, 1).flatten(1)
    centred = pixels - pixels.mean(1, keepdim=True)
    covariance = (centred @ centred.T).cpu().double() / max(1, pixels.shape[1])
    values, vectors = torch.linalg.eigh(covariance)
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    return values.clamp(min=0), vectors * largest.sign()  # else the sign is a matter of the solver


def _imagenet_axes() -> tuple[Tensor, Tensor]:
    return torch.tensor(IMAGENET_VALUES).double(), torch.tensor(IMAGENET_VECTORS).double()


@AUGMENTATIONS.register(label="Gaussian noise")
def noise(
    batch: Tensor,
    labels: Tensor,
    chance: Generator,
    *,
    deviation: Annotated[float, Range(0, 1, help="standard deviation, where white is 1")] = 0.05,
) -> Pair:
    """Gaussian noise added to each value (Sietsma and Dow 1991).

    Harms where fine texture tells the class. Each value is drawn on the CPU: slow for large pictures on a GPU.
    """
    return (batch + deviation * torch.randn(batch.shape, generator=chance).to(batch)).clamp_(0, 1), labels


@AUGMENTATIONS.register(label="Random erasing")
def erase(
    batch: Tensor,
    labels: Tensor,
    chance: Generator,
    *,
    probability: Annotated[float, Range(0, 1, help="share of the pictures with something erased")] = 0.5,
    area: Annotated[float, Range(0.02, 1, help="largest box, as a share of the picture; the smallest is 0.02")] = 0.33,
    fill: Annotated[
        str, Choices("zero", "noise", help="what the box is filled with: black, or random values")
    ] = "zero",
) -> Pair:
    """A box at a random place erased (Zhong et al. 2020).

    Harms where the class is told by one small part, which it may cover.
    """
    height, width = batch.shape[-2:]
    share = _uniform(batch, chance, 0.02, area).sqrt()
    stretch = (_uniform(batch, chance, -1, 1) * (math.log(1 / 0.3) / 2)).exp()
    tall, wide = (share * stretch * height).clamp(1, height), (share / stretch * width).clamp(1, width)
    top, left = ((_uniform(batch, chance) * (n - side)).round() for n, side in ((height, tall), (width, wide)))
    inside = _box(batch, top, left, top + tall.round(), left + wide.round())
    inside &= _uniform(batch, chance) < probability
    filling = torch.rand(batch.shape, generator=chance).to(batch) if fill == "noise" else torch.zeros_like(batch)
    return torch.where(inside, filling, batch), labels


def _box(batch: Tensor, top: Tensor, left: Tensor, bottom: Tensor, right: Tensor) -> Tensor:
    """True inside the box of each picture, (N, 1, H, W); edges (N, 1, 1, 1), half open."""
    rows = torch.arange(batch.shape[-2], device=batch.device)[:, None]
    columns = torch.arange(batch.shape[-1], device=batch.device)
    return ((rows >= top) & (rows < bottom)) & ((columns >= left) & (columns < right))


# Mixtures ------------------------------------------------------------------------------------------------------------


@AUGMENTATIONS.register(label="Mixup")
def mixup(
    batch: Tensor,
    labels: Tensor,
    chance: Generator,
    *,
    alpha: Annotated[float, Range(0.05, 10, help="of the Beta distribution: 1 draws all shares alike")] = 0.2,
    probability: Annotated[float, Range(0, 1, help="share of the pictures that are mixed")] = 1.0,
) -> Pair:
    """Each picture a mean of itself and another one of the batch, and so its label (Zhang et al. 2018).

    No longer a natural picture; training accuracy no longer says much, and small networks may underfit.
    """
    return _mixed(batch, labels, chance, _beta(batch, chance, alpha), probability)


@AUGMENTATIONS.register(label="CutMix")
def cutmix(
    batch: Tensor,
    labels: Tensor,
    chance: Generator,
    *,
    alpha: Annotated[float, Range(0.05, 10, help="of the Beta distribution: 1 draws all areas alike")] = 1.0,
    probability: Annotated[float, Range(0, 1, help="share of the pictures that are mixed")] = 1.0,
) -> Pair:
    """A box filled from another picture of the batch; labels weigh by the area that is seen (Yun et al. 2019).

    Harms where a box seldom shows what its weight says: a small thing on a large ground.
    """
    height, width = batch.shape[-2:]
    share = (1 - _beta(batch, chance, alpha)).sqrt()
    edges = []
    for n in (height, width):
        centre, half = (_uniform(batch, chance) * n).floor(), (share * n / 2).floor()
        edges.append(((centre - half).clamp(0, n), (centre + half).clamp(0, n)))
    inside = _box(batch, edges[0][0], edges[1][0], edges[0][1], edges[1][1])
    return _mixed(batch, labels, chance, inside.to(batch), probability)


@AUGMENTATIONS.register(label="CowMix")
def cowmix(
    batch: Tensor,
    labels: Tensor,
    chance: Generator,
    *,
    low: Annotated[float, Range(0, 0.5, help="smallest share of the other picture; the largest is 1 less this")] = 0.0,
    blur: Annotated[
        float, Range(0.02, 1, help="widest blur, as a share of the shorter side; from a quarter of it")
    ] = 0.5,
    probability: Annotated[float, Range(0, 1, help="share of the pictures that are mixed")] = 1.0,
) -> Pair:
    """Patches like a cow's filled from another picture of the batch; labels weigh by their area (French et al. 2020).

    Harms as CutMix does: what a patch shows need not be what its weight says.
    """
    share = _uniform(batch, chance, low, 1 - low)
    return _mixed(batch, labels, chance, _cow_mask(batch, chance, share, blur), probability)


def _cow_mask(batch: Tensor, chance: Generator, share: Tensor, blur: float) -> Tensor:
    """1 in the mask, (N, 1, H, W): noise blurred by a Gaussian of random width, its highest pixels as many as asked."""
    height, width = batch.shape[-2:]
    widest = blur * min(height, width)
    sigma = widest * 4 ** -_uniform(batch, chance)  # log-uniform, as there
    field = torch.randn(len(batch), 1, height, width, generator=chance).to(batch)
    field = (_gaussian(height, sigma) @ field @ _gaussian(width, sigma).mT).flatten(1)
    count = (share.flatten(1) * field.shape[1]).round()
    order = field.argsort(1, descending=True)  # by rank: a threshold would take all of equal ones or none
    first = torch.arange(field.shape[1], device=batch.device) < count
    return torch.zeros_like(field).scatter_(1, order, first.to(batch)).view(-1, 1, height, width)


def _gaussian(count: int, sigma: Tensor) -> Tensor:
    """Matrices (N, 1, count, count) that blur a line, each row a Gaussian cut off at the ends."""
    at = torch.arange(count, device=sigma.device, dtype=sigma.dtype)
    weights = (-((at[:, None] - at) ** 2) / (2 * sigma**2)).exp()
    return weights / weights.sum(-1, keepdim=True)


def _mixed(batch: Tensor, labels: Tensor, chance: Generator, share: Tensor, probability: float) -> Pair:
    """Each picture with its share, (N, 1, 1, 1) or (N, 1, H, W), of another one; labels by the mean share."""
    partner = torch.randperm(len(batch), generator=chance).to(batch.device)
    share = share * (_uniform(batch, chance) < probability)
    weight = share.mean((1, 2, 3))[:, None].to(labels)
    return batch.lerp(batch[partner], share), labels.lerp(labels[partner], weight)
