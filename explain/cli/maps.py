"""Commands about saliency maps, and how far to trust them."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ..errors import BadValue, shorten
from .command import Command, finish, image_of, model_of, pairs

__all__ = ["add"]


def add(command: Command) -> None:
    saliency = command("saliency", _saliency, "MODEL", "IMAGE")
    trust = command("trust", _trust, "MODEL", "IMAGE")
    for sub, methods in (
        (saliency, "how: gradient, grad_cam, ...; a wrong name lists them all"),
        (trust, "as for saliency, or edges, which no check may pass"),
    ):
        sub.add_argument("--method", default="gradient", help=methods)
        sub.add_argument("--target", help="class number or name, or a unit's channel; by default the likeliest")
        sub.add_argument("--layer", help="for methods that look into one")
        sub.add_argument("--unit", metavar="LAYER", help="explain a channel of this layer instead of a class")
        sub.add_argument("--option", metavar="KEY=VALUE", action="append", default=[], help="option of the method")
    trust.add_argument("--portions", type=int, default=32, help="in which pixels are replaced")
    trust.add_argument("--seed", type=int, default=0, help="of the controls and of the weights put in")
    trust.add_argument("--stages", default="cascading", help="how weights are randomised: cascading, independent")
    sub = command("leaderboard", _leaderboard, "MODEL", "DATA")
    sub.add_argument("--methods", help="names with commas between; by default all that are quick and apply, and edges")
    sub.add_argument("--images", type=int, default=20, help="so many pictures, drawn by the seed")
    sub.add_argument("--portions", type=int, default=16, help="in which pixels are replaced")
    sub.add_argument("--layer", help="for methods that look into one")
    sub.add_argument("--seed", type=int, default=0, help="of the pictures and of the weights put in")


def _saliency(given: argparse.Namespace) -> None:
    """what a prediction rests on"""
    from ..views import saliency

    options = pairs(given.option)
    asked = given.method, given.target, given.layer, given.unit
    result = saliency.compute(model_of(given), image_of(given), *asked, **options)
    low, high = float(result.heat.min()), float(result.heat.max())
    text = f"{given.method} for {result.target_name} ({result.confidence_text}): {low:.4g} to {high:.4g}"
    finish(given, result, text, {"target": result.target_name, "min": low, "max": high})


def _trust(given: argparse.Namespace) -> None:
    """how far one saliency map can be trusted: deletion and insertion, randomised weights, completeness, and more"""
    from tqdm import tqdm

    from ..views import trust

    asked = given.method, given.target, given.layer, given.unit
    own: dict[str, Any] = {"portions": given.portions, "check_seed": given.seed, "stages": given.stages}
    options = pairs(given.option)
    if wrong := set(own) & set(options):
        raise BadValue(f"Option {shorten(min(wrong))} is no option of a method; see `python -m explain trust --help`.")
    with tqdm(total=1.0, bar_format="{percentage:3.0f}% {postfix}", file=sys.stderr, disable=None, leave=False) as bar:

        def progress(done: float, total: float, message: str = "") -> None:
            bar.set_postfix_str(message, refresh=False)
            bar.update(done / total - bar.n)

        result = trust.compute(model_of(given), image_of(given), *asked, **{"progress": progress, **own, **options})
    lines = [f"{value:9.4f}  {name}" for name, value in result.trust.numbers.items()]
    verdict = result.verdict
    lines += [f"not compared with {name}: {why}" for name, why in result.trust.refused.items()]
    text = "\n".join([*lines, f"{verdict.level}: {verdict.words}"])
    numbers = {"verdict": verdict.level, "words": verdict.words, **result.trust.numbers}
    finish(given, result, text, numbers)


def _leaderboard(given: argparse.Namespace) -> None:
    """which saliency methods can be trusted on a network: the checks over a sample of pictures, as a ranking"""
    from tqdm import tqdm

    from ..views import leaderboard

    methods = None if given.methods is None else [name.strip() for name in given.methods.split(",")]
    with tqdm(unit=" maps", file=sys.stderr, delay=1) as bar:  # a mistake is one line, without a bar

        def progress(done: float, total: float, message: str = "") -> None:
            bar.total = total
            bar.set_postfix_str(message, refresh=False)
            bar.update(done - bar.n)

        own = {name: getattr(given, name) for name in ("images", "portions", "seed", "layer")}
        result = leaderboard.compute(model_of(given), given.data, methods, progress=progress, **own)
    shown = ("score", "deletion", "insertion", "untrained")
    lines = [" " * 5 + f"{'method':20}" + "".join(f"  {name:>24}" for name in shown)]
    for k, row in enumerate(result.rows, 1):
        means = [row.means[name] for name in shown]
        cells = [f"{mean.value:.3f} ({mean.low:.3f} to {mean.high:.3f})" for mean in means]
        lines.append(f"{k:3}  {row.method:20}" + "".join(f"  {cell:>24}" for cell in cells))
    lines += [f"     {name}: {why}" for name, why in result.refused.items()]
    finish(given, result, "\n".join(lines), {"methods": result.table, "refused": result.refused})
