"""Commands about one network, and one picture in it."""

from __future__ import annotations

import argparse

from .command import Command, finish, image_of, model_of, pairs, say

__all__ = ["add"]


def add(command: Command) -> None:
    command("models", _models, out=False)
    command("data", _data, out=False)
    command("predict", _predict, "MODEL", "IMAGE", out=False).add_argument("-k", type=int, default=5)
    command("anatomy", _anatomy, "MODEL")
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
    from ..zoo import list_models

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
    """layers with shape, parameters, MACs, memory, receptive field"""
    from ..views import anatomy

    result = anatomy.compute(model_of(given))
    texts = {
        name: [f"{v:,}" if isinstance(v, int) else str(v) for v in values] for name, values in result.table.items()
    }
    columns = [[name, *values] for name, values in texts.items()]
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in zip(*columns, strict=True)
    ]
    finish(given, result, "\n".join(lines) + f"\n{result.figure().note}", result.table)


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
