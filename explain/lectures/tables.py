"""The lectures' tables beside ours: every number counted from the networks, what differs marked, and why."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import torch
from torch import Tensor, nn

from ..nets import NETS
from ..nets.googlenet import Inception, NaiveInception
from ..nets.layers import lrn
from ..network.costs import activations, count, held, neurons
from ..network.layers import FLOAT_BYTES
from ..progress import Progress
from . import slides
from .corrections import CORRECTIONS
from .counted import counts_of, input_of, published

__all__ = ["LISTED", "MAKERS", "SLOW", "TABLES", "Row", "complexity_points", "point_rows"]

TABLES = {
    "six": "Six networks (S2:923-945)",
    "memory": "Memory and MACs of seven networks (S2:916-921)",
    "summary": "Summary: depth and filters (S2:907-914)",
    "vgg": "VGG-16, layer by layer (S3:242-267)",
    "alexnet": "AlexNet, layer by layer (S3:123-137)",
    "norms": "Response and batch normalisation (S2:723-732)",
    "blocks": "Small filters and bottlenecks (S2:524-658, S3:228-441)",
    "sizes": "Sizes of AlexNet, VGG and GoogLeNet (S0:590)",
    "errors": "Top-5 errors (S2:926-927)",
    "complexity": "Accuracy against computation (S3:495-502)",
    "corrections": "What the slides get wrong, and what is right",
}
LISTED = frozenset({"corrections"})  # a row a finding; the others are numbers by networks
SLOW = frozenset({"six", "memory", "summary", "sizes", "complexity", "corrections"})  # seconds, the first time
_UNITS = {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}


class Row(NamedTuple):
    """What the slide prints, empty where it does not say, and ours; `same` is None where nothing is compared."""

    what: str
    network: str
    slide: str
    ours: str
    exact: float | str
    same: bool | None
    why: str
    cite: str


# How each row of the printed tables is counted.
_COUNTED: dict[str, Callable[[str], Any]] = {
    "input": input_of,
    "convolutions": lambda name: counts_of(name).convs,
    "depth in convolutions": lambda name: counts_of(name).depth[0],
    "depth in layers with weights": lambda name: counts_of(name).depth[1],
    "filters of the convolutions": lambda name: _few(counts_of(name).filters),
    "largest filter": lambda name: counts_of(name).windows[-1],
    "convolution weights": lambda name: counts_of(name).conv_weights,
    "convolution MACs": lambda name: counts_of(name).conv_macs,
    "fully connected weights": lambda name: counts_of(name).linear_weights,
    "weights": lambda name: counts_of(name).weights,
    "all parameters": lambda name: counts_of(name).parameters,
    "MACs": lambda name: counts_of(name).macs,
    "memory, MB": lambda name: counts_of(name).stored * FLOAT_BYTES / 2**20,
    "MiB in float32": lambda name: counts_of(name).parameters * FLOAT_BYTES / 2**20,
    "activations a picture": lambda name: _activations(name),
    "filter sides": lambda name: ", ".join(map(str, counts_of(name).windows)),
}
_MORE = {"six": ("all parameters",), "summary": ("filter sides",)}


def _few(filters: tuple[int, ...]) -> str:
    return ", ".join(map(str, filters)) if len(filters) < 4 else f"{min(filters)} to {max(filters)}"


def _activations(name: str) -> int:
    side = input_of(name)
    channels = NETS[name.partition("?")[0]].check(dict(parse_qsl(name.partition("?")[2])))["channels"]
    return activations(counts_of(name).layers, channels * side**2)


def _printed(table: str, printed: Iterable[slides.Printed], progress: Progress) -> Iterable[Row]:
    """All rows for all networks that the slide's table has."""
    printed = [*printed, *(slides.Printed(what, "", {}) for what in _MORE.get(table, ()))]
    networks = [name for name in slides.NETWORKS if any(name in line.cells for line in printed)]
    for k, network in enumerate(networks):
        progress(k, len(networks), network)
        counts_of(slides.NETWORKS[network])
    for line in printed:
        for network in networks:
            value = _COUNTED[line.row](slides.NETWORKS[network])
            yield _row(table, line.row, network, line.cells.get(network, ""), value, line.cite)


def _row(table: str, what: str, network: str, slide: str, value: Any, cite: str, slack: float = 0.0) -> Row:
    same = _agrees(slide, value, slack) if slide else None
    why = slides.REASONS.get((table, what, network)) or slides.REASONS.get((table, what, ""), "")
    return Row(what, network, slide, shown(value), value, same, why if same is False else "", cite if slide else "")


def _agrees(slide: str, value: Any, slack: float) -> bool:
    """Whether a number, rounded as the slide's is, is the slide's; for text whether it is the same."""
    match = re.fullmatch(r"([\d.,]+)([kKMG]?)", slide)
    if isinstance(value, str) or match is None:
        return slide == str(value)
    digits, unit = match[1].replace(",", ""), _UNITS[match[2]]
    step = unit * 10.0 ** -len(digits.partition(".")[2])
    return abs(float(value) - float(digits) * unit) <= max(step / 2, slack * float(value)) * (1 + 1e-9)


def shown(value: Any) -> str:
    """Four digits with k, M or G, as the slides write; small and whole numbers as they are."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and value < 10_000:
        return f"{value:,}"
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.4g}{unit}"
    return f"{value:.4g}"


def _vgg(_: Progress) -> Iterable[Row]:
    layers = [layer for layer in counts_of(slides.NETWORKS["VGG-16"]).layers if held(layer)]
    values = [("input", 3 * 224**2, 0), *((layer.name, layer.units, layer.weights) for layer in layers)]
    biases = {layer.name: layer.channels for layer in layers if layer.weights}
    for k, (name, units, weights) in enumerate(values):
        slide = slides.VGG_MEMORY[k] if k < len(slides.VGG_MEMORY) else ""
        yield _row("vgg", name, "values held", slide, units, "S3:242-267", slack=0.004)
        if weights:
            slide = slides.VGG_WEIGHTS[name]
            yield _row("vgg", name, "weights", slide, weights - biases[name], "S3:246-266")._replace(
                ours=f"{weights - biases[name]:,}"
            )
    yield _row("vgg", "sum", "values held", "", sum(units for _, units, _ in values), "")


def _alexnet(_: Progress) -> Iterable[Row]:
    ours = counts_of("alexnet?form=ungrouped")
    yield _row("alexnet", "input", "AlexNet", "224", input_of("alexnet?form=ungrouped"), "S3:124")
    shapes = {layer.name: "×".join(map(str, layer.shape)) for layer in ours.layers}
    for name, slide in slides.ALEXNET.items():
        yield _row("alexnet", name, "AlexNet", slide, shapes[name], "S3:123-137")
    names = {"Conv2d": "conv", "MaxPool2d": "pool", "LocalResponseNorm": "norm"}
    first = [names[layer.kind] for layer in ours.layers[:4] if layer.kind in names]
    order = ", ".join(first)
    yield _row("alexnet", "order of the first block", "AlexNet", "conv, pool, norm", order, "S3:126-130")
    conv1 = next(layer for layer in ours.layers if layer.name == "conv1")
    yield _row("alexnet", "parameters of conv1", "AlexNet", "35K", conv1.parameters, "S3:116")
    yield _row("alexnet", "MACs of conv1", "AlexNet", "105.4M", conv1.macs, "S2:436")
    yield _row("alexnet", "neurons of conv1", "AlexNet", "253,440", conv1.units, "S1:1186")._replace(
        ours=f"{conv1.units:,}"
    )
    every = neurons(ours.layers)
    yield _row("alexnet", "neurons", "AlexNet", "650,000", every, "S1:1186", slack=0.02)._replace(ours=f"{every:,}")


def _norms(_: Progress) -> Iterable[Row]:
    kinds = {"response normalisation": (lrn(), "0"), "batch normalisation": (nn.BatchNorm2d(64), "2")}
    depends = "pictures, positions, channels that a value depends on"
    for name, (module, slide) in kinds.items():
        yield _row("norms", "parameters", name, slide, _parameters(module), "S2:732")
        buffers = sum(b.numel() for b in module.buffers())
        yield _row("norms", "running statistics", name, "", buffers, "")
        moved = _reach(module.train())
        slide = "each pixel" if name == "batch normalisation" else ""
        yield _row("norms", depends, name, slide, moved, "S2:727")
        evaluated = _reach(module.eval())
        yield _row("norms", "the same in eval mode", name, "", evaluated, "")


def _reach(module: nn.Module) -> str:
    """How many pictures, positions and channels move the value in the middle of (4, 64, 5, 5)."""
    batch = torch.randn(4, 64, 5, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    (moved,) = torch.autograd.grad(module(batch)[1, 32, 2, 2], batch)
    some: Tensor = moved != 0
    pictures, channels = some.flatten(1).any(1), some.transpose(0, 1).flatten(1).any(1)
    return f"{int(pictures.sum())}, {int(some.any(1).any(0).sum())}, {int(channels.sum())}"


def _blocks(_: Progress) -> Iterable[Row]:
    with torch.device("meta"):
        chains = {
            "two of 3 × 3": (nn.Sequential(_conv(3), _conv(3)), "18"),
            "one of 5 × 5": (_conv(5), "25"),
            "three of 3 × 3": (nn.Sequential(_conv(3), _conv(3), _conv(3)), "27"),
            "one of 7 × 7": (_conv(7), "49"),
        }
        necks = {
            "5 × 5, 64 to 64": (nn.Conv2d(64, 64, 5), "102,464"),
            "1 × 1 to 32 before it": (nn.Sequential(nn.Conv2d(64, 32, 1), nn.Conv2d(32, 64, 5)), "53,344"),
        }
        entering = torch.zeros(1, 256, 28, 28)
        blocks = {
            "Inception, naive": (count(NaiveInception(256, 128, 192, 96).eval(), entering), "854M"),
            "Inception with 1 × 1": (count(Inception(256, 128, (64, 192), (64, 96), 64).eval(), entering), "358M"),
        }
    for name, (net, slide) in chains.items():
        yield _row("blocks", "weights by C²", name, slide, _parameters(net), "S2:534, S3:234")
    for name, (net, slide) in necks.items():
        found = _parameters(net)
        yield _row("blocks", "parameters", name, slide, found, "S2:645-647")._replace(ours=f"{found:,}")
    for name, (counts, slide) in blocks.items():
        yield _row("blocks", "MACs", name, slide, counts.macs, "S3:439-441")


def _conv(window: int) -> nn.Conv2d:
    return nn.Conv2d(1, 1, window, bias=False)


def _parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def _sizes(progress: Progress) -> Iterable[Row]:
    networks = {
        "AlexNet": "alexnet?form=torchvision&size=224",
        "VGG-11": "vgg?config=A",
        "GoogLeNet": "googlenet",
        "AlexNet, Fashion-MNIST": "alexnet?form=fashion&size=224&channels=1&classes=10",
        "VGG-11, Fashion-MNIST": "vgg?config=A&channels=1&classes=10",
        "VGG-11 quarter width, at 96": "vgg?config=A&ratio=4&size=96&channels=1&classes=10",
        "GoogLeNet, Fashion-MNIST": "googlenet?norm=none&size=96&channels=1&classes=10",
    }
    for k, (network, name) in enumerate(networks.items()):
        progress(k, len(networks), network)
        for what in ("all parameters", "MiB in float32", "MACs", "activations a picture"):
            yield _row("sizes", what, network, "", _COUNTED[what](name), "")


def _errors(_: Progress) -> Iterable[Row]:
    names = {"AlexNet": "alexnet", "VGG-16": "vgg16", "GoogLeNet": "googlenet", "ResNet-50": "resnet50"}
    for network, printed in slides.ERRORS.items():
        for what, slide, cite in zip(("submitted", "one crop"), printed, ("S2:926", "S2:927"), strict=True):
            yield Row(f"{what}, %", network, slide, "", slide, None, "", cite)
        error = published(names[network])
        yield Row("torchvision's weights, %", network, "", f"{error:.2f}", error, None, "", "")


def _corrections(progress: Progress) -> Iterable[Row]:
    for k, one in enumerate(CORRECTIONS):
        progress(k, len(CORRECTIONS), one.row)
        right = one.right.format(**one.counted())
        yield Row(f"{one.row} {one.about}", "", one.says, right, right, None, one.why, one.cite)


MAKERS: dict[str, Callable[[Progress], Iterable[Row]]] = {
    "six": lambda progress: _printed("six", slides.SIX, progress),
    "memory": lambda progress: _printed("memory", slides.MEMORY, progress),
    "summary": lambda progress: _printed("summary", slides.SUMMARY, progress),
    "vgg": _vgg,
    "alexnet": _alexnet,
    "norms": _norms,
    "blocks": _blocks,
    "sizes": _sizes,
    "errors": _errors,
    "corrections": _corrections,
}
_TRAINED = {
    "AlexNet": ("alexnet", "alexnet?form=torchvision&size=224"),
    "VGG-11": ("vgg11", "vgg?config=A"),
    "VGG-16": ("vgg16", "vgg?config=D"),
    "VGG-19": ("vgg19", "vgg?config=E"),
    "ResNet-18": ("resnet18", "resnet?depth=18"),
    "ResNet-34": ("resnet34", "resnet?depth=34"),
    "ResNet-50": ("resnet50", "resnet?depth=50"),
    "ResNet-152": ("resnet152", "resnet?depth=152"),
    "DenseNet-121": ("densenet121", "densenet?depth=121"),
}


def complexity_points(progress: Progress) -> Iterable[tuple[str, int, int, float, bool]]:
    total = len(_TRAINED) + len(slides.ERRORS)
    for k, (name, (theirs, ours)) in enumerate(_TRAINED.items()):
        progress(k, total, name)
        found = counts_of(ours)
        yield name, found.macs, found.parameters, published(theirs), False
    for k, (name, (_, one_crop)) in enumerate(slides.ERRORS.items(), len(_TRAINED)):
        progress(k, total, name)
        found = counts_of(slides.NETWORKS[name])
        yield name, found.macs, found.parameters, float(one_crop), True


def point_rows(points: Iterable[tuple[str, int, int, float, bool]]) -> Iterable[Row]:
    for name, macs, parameters, error, lectured in points:
        network = f"{name}, lectures" if lectured else name
        yield Row("MACs", network, "", shown(macs), macs, None, "", "")
        yield Row("parameters", network, "", shown(parameters), parameters, None, "", "")
        slide, ours = (f"{error:g}", "") if lectured else ("", f"{error:.2f}")
        yield Row("top-5 error, %", network, slide, ours, error, None, "", "S2:927" if lectured else "")
