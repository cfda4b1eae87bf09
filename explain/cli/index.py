"""The command that builds an index."""

from __future__ import annotations

import argparse

from .command import Commands, Parser, add_model, model_options, say
from .pictures import say_skipped

__all__ = ["add"]


def add(command: Commands) -> None:
    command("index", _index, arguments=_arguments)


def _arguments(sub: Parser) -> None:
    from ..views.inputs import IMAGES, MODEL

    for name, kind in (("model", MODEL), ("data", IMAGES)):
        sub.add_argument(name, metavar=kind.metavar, help=kind.help)
    add_model(sub)
    sub.add_argument("--layers", nargs="+", metavar="L", help="by default every convolution's output")
    sub.add_argument("--out", metavar="FOLDER", help="by default in the workspace, where the app finds it")
    sub.add_argument("-k", "--k", type=int, default=16, help="images kept for each channel")
    for name, text in (
        ("limit", "the first images only"),
        ("workers", "threads that read pictures"),
        ("batch", "images a pass"),
        ("seed", "of the random images kept"),
    ):
        sub.add_argument(f"--{name}", type=int, help=text)
    sub.add_argument("--anew", action="store_true", help="begin again instead of going on")


def _index(given: argparse.Namespace) -> None:
    """run each picture through the network once and keep what `patches` and `neighbours` ask for"""
    from ..extras import extra
    from ..progress import bar
    from ..workspace import build_index, load_model

    extra("numba")  # said at once
    names = ("layers", "k", "out", "limit", "workers", "batch", "seed")
    options = {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    model = load_model(given.model, **model_options(given))
    with bar("images", always=True) as progress:
        index = build_index(model, given.data, resume=not given.anew, progress=progress, **options)
    say_skipped(index.skipped)
    numbers = {"images": len(index), "skipped": len(index.skipped), "layers": len(index.layers)}
    text = f"{index.folder}: {len(index)} images, {len(index.skipped)} skipped, {len(index.layers)} layers"
    said = {"facts": index.facts, "numbers": numbers, "skipped": index.skipped, "folder": str(index.folder)}
    say(given, said, text)
