"""Commands about one network, and one picture in it."""

from __future__ import annotations

import argparse

from .command import Command, aligned, finish, image_of, model_of, pairs, say

__all__ = ["add"]


_SIZES = {
    "size": "side of the square input, by default 7",
    "window": "side of the filter or pooling window, by default 3",
    "stride": "by default 1",
    "padding": "zeros on each side, by default 0",
    "dilation": "step between the filter's weights, by default 1",
    "in_channels": "by default 3",
    "out_channels": "filters, by default 64",
    "groups": "by default 1",
    "bias": "true or false",
}


def add(command: Command) -> None:
    command("models", _models, out=False)
    command("data", _data, out=False)
    command("predict", _predict, "MODEL", "IMAGE", out=False).add_argument("-k", type=int, default=5)
    sub = command("anatomy", _anatomy, "MODEL")
    sub.add_argument("--part", default="layers", help="layers, shares (where it all is) or field (receptive fields)")
    sub.add_argument("--beside", metavar="MODEL", dest="other", help="compare with another network")
    sub = command("output_size", _output_size)
    for name, says in _SIZES.items():
        sub.add_argument(f"--{name.replace('_', '-')}", metavar="N", help=says)
    sub = command("lectures", _lectures)
    sub.add_argument("table", metavar="TABLE", nargs="?", default="six", help="six, memory, ...; `all` for their names")
    sub = command("batch_costs", _batch_costs, "MODEL")
    sub.add_argument("--sizes", metavar="N", type=int, nargs="+", default=[1, 2, 4, 8, 16], help="pictures a batch")
    sub.add_argument("--training", action="store_true", help="with gradients of all weights")
    command("filters", _filters, "MODEL").add_argument("--layer", help="by default the first")
    sub = command("activations", _activations, "MODEL", "IMAGE")
    sub.add_argument("--layer", required=True, help="a name that `anatomy` lists")
    sub.add_argument("--channel", help="one channel large, instead of all")
    sub = command("unit", _unit, "MODEL", "IMAGE")
    sub.add_argument("--layer", required=True, help="a name that `anatomy` lists")
    sub.add_argument("--channel", required=True, help="a number from 0")
    sub.add_argument("--position", nargs=2, metavar=("ROW", "COLUMN"), help="by default its strongest response")
    sub.add_argument("--method", default="deconvnet", help="how: deconvnet, guided, gradient")
    sub.add_argument("--option", metavar="KEY=VALUE", action="append", default=[], help="option of the method")


def _models(given: argparse.Namespace) -> None:
    """models that need no download"""
    from ..workspace import list_models

    say(given, {"models": list_models()}, "\n".join(list_models()) + "\ntorchvision:NAME\ntimm:NAME")


def _data(given: argparse.Namespace) -> None:
    """picture sets"""
    from ..data import list_images

    say(given, {"data": list_images()}, "\n".join(list_images()))


def _predict(given: argparse.Namespace) -> None:
    """the likeliest classes of a picture"""
    ranked = model_of(given).predict(image_of(given), given.k)[0]
    say(given, {"classes": ranked}, "\n".join(f"{probability:7.2%}  {name}" for name, probability in ranked))


def _anatomy(given: argparse.Namespace) -> None:
    """layers with shape, parameters, MACs, memory, traffic, receptive field; their shares; two networks"""
    from ..views import anatomy, compare

    if given.other is not None:
        from ..workspace import load_model

        both = compare.compute(model_of(given), load_model(given.other, device=given.device))
        finish(given, both, f"{aligned(both.table)}\n{both.words}", both.table)
        return
    result = anatomy.compute(model_of(given))
    figure = result.figure(part=given.part)
    style = {} if given.part == "layers" else {"part": given.part}
    finish(given, result, f"{aligned(figure.table)}\n{figure.note}", figure.table, anatomy.render, **style)


def _output_size(given: argparse.Namespace) -> None:
    """how large the output of a convolution or pooling is, whether it fits, and what it costs"""
    from ..views import output_size

    result = output_size.compute(**{name: getattr(given, name) for name in _SIZES if getattr(given, name) is not None})
    numbers = {name: column[0] for name, column in result.table.items()}
    finish(given, result, f"{result.words}\n{result.parameters:,} parameters, {result.macs:,} MACs", numbers)


def _lectures(given: argparse.Namespace) -> None:
    """the lectures' tables beside ours, with what differs and why"""
    from ..lectures import tables
    from ..views import lectures

    if given.table == "all":
        say(given, {"tables": tables.TABLES}, "\n".join(f"{k:12} {title}" for k, title in tables.TABLES.items()))
        return
    result = lectures.compute(given.table)
    differing = [f"{row.network}, {row.what}: {row.slide} ≠ {row.ours}. {row.why}" for row in result.differences]
    finish(given, result, "\n".join([aligned(result.across), result.words, *differing]), result.table)


def _batch_costs(given: argparse.Namespace) -> None:
    """memory and seconds of batches: measured on a GPU, else memory is estimated"""
    from ..views import batch_costs

    result = batch_costs.compute(model_of(given), given.sizes, training=given.training)
    finish(given, result, f"{aligned(result.table)}\n{result.figure().note}", result.table)


def _filters(given: argparse.Namespace) -> None:
    """the filters of a layer as pictures"""
    from ..views import filters

    result = filters.compute(model_of(given), given.layer)
    finish(given, result, f"{result.layer}: tiles {result.tiles.shape}", {"shape": list(result.tiles.shape)})


def _activations(given: argparse.Namespace) -> None:
    """what the channels of a layer do with a picture"""
    from ..views import activations

    result = activations.compute(model_of(given), image_of(given), given.layer)
    strongest = sorted(zip(result.table["max"], result.table["channel"], strict=True), reverse=True)[:10]
    text = "\n".join(f"channel {int(k):5d}  max {value:.4g}" for value, k in strongest)
    text = f"{result.layer.name}: maps {result.maps.shape}\n{text}"
    if given.channel is None:
        finish(given, result, text, result.table)
    else:
        result.peak(given.channel)  # says what is wrong with the number, also where nothing is drawn
        finish(given, result, text, result.table, activations.render_channel, channel=given.channel)


def _unit(given: argparse.Namespace) -> None:
    """what excites one unit: by default a channel's strongest, projected to the pixels"""
    from ..views import unit

    options = pairs(given.option)
    result = unit.compute(
        model_of(given), image_of(given), given.layer, given.channel, given.position, given.method, **options
    )
    where = f" at {result.position}" if result.position else ""
    low, high = float(result.projection.min()), float(result.projection.max())
    text = f"{given.method} of channel {result.channel} of {result.layer.name}{where}, which gives {result.value:.4g}: "
    text += f"{low:.4g} to {high:.4g} in the box {result.box} (y0, x0, y1, x1)"
    numbers = {name: result.facts[name] for name in ("position", "value", "box")}
    finish(given, result, text, {**numbers, "min": low, "max": high})
