"""Commands that list what there is by name, and name the class of a picture."""

from __future__ import annotations

import argparse
import sys

from .command import Commands, Parser, add_model, model_options, say

__all__ = ["add"]


def add(command: Commands) -> None:
    command("models", _models)
    command("data", _data)
    command("predict", _predict, arguments=_arguments)


def _arguments(sub: Parser) -> None:
    from ..views.inputs import MODEL, PICTURE

    for name, kind in (("model", MODEL), ("image", PICTURE)):
        sub.add_argument(name, metavar=kind.metavar, help=kind.help)
    sub.add_argument("-k", type=int, help="how many classes, by default 5")
    add_model(sub)


def _models(given: argparse.Namespace) -> None:
    """models that need no download"""
    from ..workspace import list_models

    say(given, {"models": list_models()}, "\n".join([*list_models(), "torchvision:NAME", "timm:NAME", "hf:NAME"]))


def _data(given: argparse.Namespace) -> None:
    """picture sets"""
    from ..data import list_images

    say(given, {"data": list_images()}, "\n".join(list_images()))


def _predict(given: argparse.Namespace) -> None:
    """the likeliest classes of a picture"""
    from ..workspace import load_model, open_picture

    model = load_model(given.model, **model_options(given))
    if given.k is not None and given.k > len(model.classes):
        print(f"explain: -k {given.k}: {model.name} has {len(model.classes)} classes, which are all.", file=sys.stderr)
    ranked = model.predict(open_picture(given.image), 5 if given.k is None else given.k)[0]
    say(given, {"classes": ranked}, "\n".join(f"{probability:7.2%}  {name}" for name, probability in ranked))
