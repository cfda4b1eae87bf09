"""The command line: each command calls the library function of its name and says what came out.

Facts and numbers go to standard output (only those, with --json), messages to standard error; exit 0, or 2 with one
line for a user's mistake.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .errors import BadValue, ExplainError, shorten

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit status."""
    try:
        given = _parser().parse_args(arguments)
        given.run(given)
    except ExplainError as error:
        print("explain:", " ".join(str(error).split()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("explain: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        sys.stderr.close()
        return 0
    return 0


class _Parser(argparse.ArgumentParser):
    """One clear line for a mistake, without the usage around it."""

    def error(self, message: str) -> Any:
        raise BadValue(f"{message[0].upper()}{message[1:]}. See `{self.prog} --help`.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m explain", description="Look inside a convolutional network.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], None], *positional: str, out: bool = True) -> Any:
        sub = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
        for one in positional:
            sub.add_argument(one.lower(), metavar=one, help=_HELP[one])
        if "MODEL" in positional:
            sub.add_argument("--weights", metavar="W", help="DEFAULT for the published ones, or a file")
            sub.add_argument("--architecture", metavar="A", help="what a checkpoint file belongs to")
            sub.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
        if out:
            sub.add_argument("--out", metavar="FILE", help="figure: png, svg, pdf, csv, npz, html, parquet or zip")
            sub.add_argument("--style", metavar="KEY=VALUE", action="append", default=[], help="how it is drawn")
        sub.add_argument("--json", action="store_true", help="facts and numbers as JSON")
        sub.set_defaults(run=run)
        return sub

    command("models", _models, out=False)
    command("data", _data, out=False)
    command("predict", _predict, "MODEL", "IMAGE", out=False).add_argument("-k", type=int, default=5)
    command("anatomy", _anatomy, "MODEL")
    command("filters", _filters, "MODEL").add_argument("--layer", help="by default the first")
    sub = command("activations", _activations, "MODEL", "IMAGE")
    sub.add_argument("--layer", required=True, help="a name that `anatomy` lists")
    sub.add_argument("--channel", help="one channel large, instead of all")
    sub = command("saliency", _saliency, "MODEL", "IMAGE")
    sub.add_argument("--method", default="gradient", help="how: gradient, grad_cam, ...; a wrong name lists them all")
    sub.add_argument("--target", help="class number or name, or a unit's channel; by default the likeliest")
    sub.add_argument("--layer", help="for methods that look into one")
    sub.add_argument("--unit", metavar="LAYER", help="explain a channel of this layer instead of a class")
    sub.add_argument("--option", metavar="KEY=VALUE", action="append", default=[], help="option of the method")
    sub = command("check", _check, "MODEL", "IMAGE")
    sub.add_argument("--method", default="gradient", help="as for saliency, or edges, which no check may pass")
    sub.add_argument("--target", help="class number or name, or a unit's channel; by default the likeliest")
    sub.add_argument("--layer", help="for methods that look into one")
    sub.add_argument("--unit", metavar="LAYER", help="a channel of this layer instead of a class")
    sub.add_argument("--option", metavar="KEY=VALUE", action="append", default=[], help="option of the method")
    sub.add_argument("--portions", type=int, default=32, help="in which pixels are replaced")
    sub.add_argument("--seed", type=int, default=0, help="of the controls and of the weights put in")
    sub.add_argument("--stages", default="cascading", help="how weights are randomised: cascading, independent")
    sub = command("trust", _trust, "MODEL", "DATA")
    sub.add_argument("--methods", help="names with commas between; by default all that are quick and apply, and edges")
    sub.add_argument("--images", type=int, default=20, help="so many pictures, drawn by the seed")
    sub.add_argument("--portions", type=int, default=16, help="in which pixels are replaced")
    sub.add_argument("--layer", help="for methods that look into one")
    sub.add_argument("--seed", type=int, default=0, help="of the pictures and of the weights put in")
    sub = command("unit", _unit, "MODEL", "IMAGE")
    sub.add_argument("--layer", required=True, help="a name that `anatomy` lists")
    sub.add_argument("--channel", required=True, help="a number from 0")
    sub.add_argument("--position", nargs=2, metavar=("ROW", "COLUMN"), help="by default its strongest response")
    sub.add_argument("--method", default="deconvnet", help="how: deconvnet, guided, gradient")
    sub.add_argument("--option", metavar="KEY=VALUE", action="append", default=[], help="option of the method")
    sub = command("index", _index, "MODEL", "DATA", out=False)
    sub.add_argument("--layers", nargs="+", metavar="L", help="by default every convolution's output")
    sub.add_argument("--out", metavar="FOLDER", help="by default in the workspace, where the app finds it")
    sub.add_argument("-k", type=int, default=16, help="images kept for each channel")
    for name, text in (
        ("limit", "the first images only"),
        ("workers", "threads that read pictures"),
        ("batch", "images a pass"),
        ("seed", "of the random images kept"),
    ):
        sub.add_argument(f"--{name}", type=int, help=text)
    sub.add_argument("--anew", action="store_true", help="begin again instead of going on")
    sub = command("neighbours", _neighbours, "INDEX", "IMAGE")
    sub.add_argument("--k", type=int, default=8, help="how many")
    sub.add_argument("--metric", default="euclidean", help="euclidean or cosine")
    sub = command("embed", _embed, "INDEX")
    sub.add_argument("--method", default="tsne", help="pca, tsne or umap")
    sub.add_argument("--option", metavar="KEY=VALUE", action="append", default=[], help="option of the method")
    sub.add_argument("--layer", help="by default the features before the classifier")
    sub.add_argument("--pooling", default="mean", help="of a layer's maps: mean or flat")
    sub.add_argument("--count", type=int, help="so many pictures, drawn by the seed")
    sub.add_argument("--place", metavar="IMAGE", action="append", default=[], help="mark another picture's place")
    sub = command("patches", _patches, "INDEX")
    sub.add_argument("--layer", required=True, help="a layer of the index")
    sub.add_argument("--channel", required=True, action="append", help="a number from 0; may be given several times")
    sub.add_argument("--ranking", default="best", help="best, lowest or random")
    sub.add_argument("--count", type=int, help="patches a channel; by default 9, or what the index keeps")
    sub = command("channel", _channel, "INDEX")
    sub.add_argument("--layer", required=True, help="a layer of the index")
    sub.add_argument("--channel", required=True, help="a number from 0")
    sub.add_argument("--image", help="where it responds and what is without it; by default its best picture")
    sub.add_argument("--replace", default="mean", help="what it is set to: mean or zero")
    sub = command("hierarchy", _hierarchy, "INDEX", "IMAGE")
    sub.add_argument("--channels", type=int, default=3, help="of each layer, those that respond most")
    sub = command("train", _train, out=False)
    sub.add_argument("recipe", metavar="RECIPE", help="such as lenet-fashion-mnist")
    sub.add_argument("--data", help="pictures with labels; by default the recipe's")
    sub.add_argument("--to", metavar="FOLDER", required=True, help="where model.json and the weights go")
    for name, kind in (("epochs", int), ("batch-size", int), ("learning-rate", float), ("seed", int)):
        sub.add_argument(f"--{name}", type=kind)
    sub = command("show", _show, out=False)
    sub.add_argument("file", metavar="FILE", help="a figure that explain saved")
    sub = command("redraw", _redraw, out=False)
    sub.add_argument("file", metavar="FILE", help="a figure that explain saved")
    sub.add_argument("--out", metavar="NEWFILE", required=True, help="the format is that of its name")
    _add_sources(sub)
    sub = command("report", _report, out=False)
    sub.add_argument("out", metavar="OUT", help="a folder, or a name that ends in .zip")
    sub.add_argument("files", metavar="FILE", nargs="+", help="a figure that explain saved, or a report.json")
    sub.add_argument("--title", help="by default that of the report.json, or Report")
    sub.add_argument("--caption", metavar="TEXT", action="append", default=[], help="one for each figure, in order")
    _add_sources(sub)
    sub = command("serve", _serve, out=False)
    sub.add_argument("--port", type=int, default=8501)
    command("doctor", _doctor, out=False)
    return parser


def _add_sources(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--image", metavar="PICTURE", action="append", help="its picture, where it was a file of your own")
    sub.add_argument("--index", metavar="FOLDER", help="its index, where that is not in the workspace")
    sub.add_argument("--model", help="its model, where the name alone does not lead to it")
    sub.add_argument("--weights", metavar="W", help="of that model: DEFAULT for the published ones, or a file")
    sub.add_argument("--architecture", metavar="A", help="what that model's checkpoint file belongs to")


_HELP = {
    "MODEL": "a name from `models`, torchvision:NAME, timm:NAME, a folder or a checkpoint",
    "DATA": "a name from `data`, a folder, or a picture",
    "INDEX": "the folder of an index",
    "IMAGE": "a file, or SET/NUMBER such as photos/0",
}


def _models(given: argparse.Namespace) -> None:
    """models that need no download"""
    from .zoo import list_models

    _say(given, {"models": list_models()}, "\n".join(list_models()) + "\ntorchvision:NAME\ntimm:NAME")


def _data(given: argparse.Namespace) -> None:
    """picture sets"""
    from .data import list_images

    _say(given, {"data": list_images()}, "\n".join(list_images()))


def _predict(given: argparse.Namespace) -> None:
    """the likeliest classes of a picture"""
    ranked = _model(given).predict(_image(given), given.k)[0]
    _say(given, {"classes": ranked}, "\n".join(f"{probability:7.2%}  {name}" for name, probability in ranked))


def _anatomy(given: argparse.Namespace) -> None:
    """layers with shape, parameters, MACs, memory, receptive field"""
    from .views import anatomy

    result = anatomy.compute(_model(given))
    texts = {
        name: [f"{v:,}" if isinstance(v, int) else str(v) for v in values] for name, values in result.table.items()
    }
    columns = [[name, *values] for name, values in texts.items()]
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in zip(*columns, strict=True)
    ]
    _finish(given, result, "\n".join(lines) + f"\n{result.figure().note}", result.table)


def _filters(given: argparse.Namespace) -> None:
    """the filters of a layer as pictures"""
    from .views import filters

    result = filters.compute(_model(given), given.layer)
    _finish(given, result, f"{result.layer}: tiles {result.tiles.shape}", {"shape": list(result.tiles.shape)})


def _activations(given: argparse.Namespace) -> None:
    """what the channels of a layer do with a picture"""
    from .views import activations

    result = activations.compute(_model(given), _image(given), given.layer)
    strongest = sorted(zip(result.table["max"], result.table["channel"], strict=True), reverse=True)[:10]
    text = "\n".join(f"channel {int(k):5d}  max {value:.4g}" for value, k in strongest)
    text = f"{result.layer.name}: maps {result.maps.shape}\n{text}"
    if given.channel is None:
        _finish(given, result, text, result.table)
    else:
        result.peak(given.channel)  # says what is wrong with the number, also where nothing is drawn
        _finish(given, result, text, result.table, activations.render_channel, channel=given.channel)


def _saliency(given: argparse.Namespace) -> None:
    """what a prediction rests on"""
    from .views import saliency

    options = _pairs(given.option)
    asked = given.method, given.target, given.layer, given.unit
    result = saliency.compute(_model(given), _image(given), *asked, **options)
    low, high = float(result.heat.min()), float(result.heat.max())
    text = f"{given.method} for {result.target_name} ({result.says}): {low:.4g} to {high:.4g}"
    _finish(given, result, text, {"target": result.target_name, "min": low, "max": high})


def _check(given: argparse.Namespace) -> None:
    """how far one saliency map can be trusted: deletion and insertion, randomised weights, completeness, and more"""
    from tqdm import tqdm

    from .views import trust

    asked = given.method, given.target, given.layer, given.unit
    own: dict[str, Any] = {"portions": given.portions, "check_seed": given.seed, "stages": given.stages}
    options = _pairs(given.option)
    if wrong := set(own) & set(options):
        raise BadValue(f"Option {shorten(min(wrong))} is no option of a method; see `python -m explain check --help`.")
    with tqdm(total=1.0, bar_format="{percentage:3.0f}% {postfix}", file=sys.stderr, disable=None, leave=False) as bar:

        def progress(share: float, words: str) -> None:
            bar.set_postfix_str(words, refresh=False)
            bar.update(share - bar.n)

        result = trust.compute(_model(given), _image(given), *asked, **{"progress": progress, **own, **options})
    lines = [f"{value:9.4f}  {name}" for name, value in result.trust.numbers.items()]
    verdict = result.verdict
    lines += [f"not compared with {name}: {why}" for name, why in result.trust.refused.items()]
    text = "\n".join([*lines, f"{verdict.level}: {verdict.words}"])
    numbers = {"verdict": verdict.level, "words": verdict.words, **result.trust.numbers}
    _finish(given, result, text, numbers)


def _trust(given: argparse.Namespace) -> None:
    """which saliency methods can be trusted on a network: the checks over a sample of pictures, as a ranking"""
    from tqdm import tqdm

    from .views import leaderboard

    methods = None if given.methods is None else [name.strip() for name in given.methods.split(",")]
    with tqdm(unit=" maps", file=sys.stderr, delay=1) as bar:  # a mistake is one line, without a bar

        def progress(done: int, total: int, message: str) -> None:
            bar.total = total
            bar.set_postfix_str(message, refresh=False)
            bar.update(done - bar.n)

        own = {name: getattr(given, name) for name in ("images", "portions", "seed", "layer")}
        result = leaderboard.compute(_model(given), given.data, methods, progress=progress, **own)
    shown = ("score", "deletion", "insertion", "untrained")
    lines = [" " * 5 + f"{'method':20}" + "".join(f"  {name:>24}" for name in shown)]
    for k, row in enumerate(result.rows, 1):
        means = [row.means[name] for name in shown]
        cells = [f"{mean.value:.3f} ({mean.low:.3f} to {mean.high:.3f})" for mean in means]
        lines.append(f"{k:3}  {row.method:20}" + "".join(f"  {cell:>24}" for cell in cells))
    lines += [f"     {name}: {why}" for name, why in result.refused.items()]
    _finish(given, result, "\n".join(lines), {"methods": result.table, "refused": result.refused})


def _unit(given: argparse.Namespace) -> None:
    """what excites one unit: by default a channel's strongest, projected to the pixels"""
    from .views import unit

    options = _pairs(given.option)
    result = unit.compute(
        _model(given), _image(given), given.layer, given.channel, given.position, given.method, **options
    )
    where = f" at {result.position}" if result.position else ""
    low, high = float(result.projection.min()), float(result.projection.max())
    text = f"{given.method} of channel {result.channel} of {result.layer.name}{where}, which gives {result.value:.4g}: "
    text += f"{low:.4g} to {high:.4g} in the box {result.box} (y0, x0, y1, x1)"
    numbers = {name: result.facts[name] for name in ("position", "value", "box")}
    _finish(given, result, text, {**numbers, "min": low, "max": high})


def _index(given: argparse.Namespace) -> None:
    """run each picture through the network once and keep what `patches` and `neighbours` ask for"""
    from tqdm import tqdm

    from .workspace import build_index

    names = ("limit", "workers", "batch", "seed")
    options = {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    with tqdm(unit=" images", file=sys.stderr) as bar:

        def progress(done: int, total: int, message: str) -> None:
            bar.total = total
            bar.set_postfix_str(message, refresh=False)
            bar.update(done - bar.n)

        resume = not given.anew
        index = build_index(
            _model(given), given.data, given.layers, given.k, given.out, resume, progress=progress, **options
        )
    for file, reason in list(index.skipped.items())[:20]:
        print(f"explain: skipped {file}: {reason}", file=sys.stderr)
    numbers = {"images": len(index), "skipped": len(index.skipped), "layers": len(index.layers)}
    text = f"{index.folder}: {len(index)} images, {len(index.skipped)} unreadable, {len(index.layers)} layers"
    _say(given, {"facts": index.facts, "numbers": numbers, "folder": str(index.folder)}, text)


def _neighbours(given: argparse.Namespace) -> None:
    """the pictures of an index nearest to one of it (by number) or another, in features and in pixels"""
    from .index import open_index
    from .views import neighbours

    image = given.image if given.image.isdecimal() else _image(given)
    result = neighbours.compute(open_index(given.index), image, k=given.k, metric=given.metric)
    rows = zip(*(result.table[name] for name in ("space", "distance", "image", "file")), strict=True)
    text = "\n".join(f"{space:8}  {distance:10.4g}  {number:6d}  {file}" for space, distance, number, file in rows)
    agrees = "\n".join(f"{space}: {result.agrees(space)}" for space in ("features", "pixels"))
    _finish(given, result, f"{text}\n{agrees}", result.table)


def _embed(given: argparse.Namespace) -> None:
    """the pictures of an index as points of a map"""
    from dataclasses import replace

    from tqdm import tqdm

    from .index import open_index
    from .views import embedding
    from .workspace import embed, open_picture

    pictures = [open_picture(image) for image in given.place]
    with tqdm(file=sys.stderr, disable=None, leave=False) as bar:  # for a reader only

        def progress(done: int, total: int, what: str, _points: Any) -> None:
            bar.unit, bar.total = f" {what}", total
            bar.update(done - bar.n)

        result = embed(
            open_index(given.index),
            given.method,
            layer=given.layer,
            pooling=given.pooling,
            count=given.count,
            report=progress,
            **_pairs(given.option),
        )
    result = replace(result, placed=tuple(embedding.place(result, picture) for picture in pictures))
    text = f"{given.method}: {len(result.points)} points\n{result.figure().note}"
    _finish(given, result, text, result.table)


def _patches(given: argparse.Namespace) -> None:
    """the patches of an index that channels respond to most"""
    from .index import open_index
    from .views import patches

    result = patches.compute(open_index(given.index), given.layer, given.channel, given.ranking, given.count)
    columns = [result.table[name] for name in ("channel", "score", "row", "column", "file", "prediction")]
    lines = [
        f"channel {channel:5d}  {score:9.4g} at ({row}, {column})  {file}, seen as {prediction}"
        for channel, score, row, column, file, prediction in zip(*columns, strict=True)
    ]
    lines += [f"channel {channel:5d}  dead on these pictures: {why}" for channel, why in result.dead.items()]
    _finish(given, result, "\n".join(lines), {"patches": result.table, "dead": result.dead})


def _channel(given: argparse.Namespace) -> None:
    """all that an index knows of a channel, and what the prediction is without it"""
    from .index import open_index
    from .views import channel
    from .workspace import open_picture

    image = None if given.image is None else open_picture(given.image)
    result = channel.compute(open_index(given.index), given.layer, given.channel, image, given.replace)
    numbers = {
        **result.numbers,
        "dead": result.dead,
        "classes": list(zip(result.classes.names, result.classes.images, result.classes.means, strict=True)),
        "before": result.before,
        "after": result.after,
    }
    _finish(given, result, result.figure().note, numbers)


def _hierarchy(given: argparse.Namespace) -> None:
    """a picture (or its number in the index) through early, middle and late layers, with patches of the strongest
    channels"""
    from .index import open_index
    from .views import hierarchy

    image = int(given.image) if given.image.isdecimal() else _image(given)
    result = hierarchy.compute(open_index(given.index), image, given.channels)
    lines = [
        f"{level.name}: {level.layer.name}  channel {channel:5d}  max {own.max():.4g}"
        for level in result.levels
        for channel, own in zip(level.channels, level.maps, strict=True)
    ]
    _finish(given, result, "\n".join(lines), result.table)


def _train(given: argparse.Namespace) -> None:
    """train a network by recipe"""
    from .training import train
    from .zoo import save_model

    settings = ("epochs", "batch_size", "learning_rate", "seed")
    changes = {name: getattr(given, name) for name in settings if getattr(given, name) is not None}
    model = train(
        given.recipe,
        given.data,
        progress=lambda row: print("  ".join(f"{k} {v:.4g}" for k, v in row.items()), file=sys.stderr),
        **changes,
    )
    save_model(model, given.to)
    _say(given, model.about["accuracy"], f"{given.to}: {model.about['accuracy']}")


def _show(given: argparse.Namespace) -> None:
    """the facts inside an exported figure"""
    from .figure import read_facts

    facts = read_facts(given.file)
    _say(given, facts, json.dumps(facts, indent=1, ensure_ascii=False))


def _redraw(given: argparse.Namespace) -> None:
    """a figure again from the facts inside an exported one, in another format, say"""
    from .figure import read_facts

    figure = _opener(given).redraw(read_facts(given.file))
    path = figure.save(given.out)
    print(f"explain: wrote {path}", file=sys.stderr)
    _say(given, {"facts": dict(figure.facts)}, figure.title)


def _report(given: argparse.Namespace) -> None:
    """a page with figures redrawn from exported ones, which opens offline and can be rebuilt"""
    from .figure import read_facts
    from .report import Entry, Report, rebuild, write_report

    opener, title = _opener(given), "Report"
    entries: list[Entry] = []
    for file in map(Path, given.files):
        if file.suffix.lower() == ".json":
            old = rebuild(file, opener=opener)
            title, entries = old.title, [*entries, *old.entries]
        else:
            figure = opener.redraw(read_facts(file))
            entries.append(Entry(figure, figure.title, file.stem))
    if len(given.caption) > len(entries):
        raise BadValue(f"There are {len(given.caption)} captions for {len(entries)} figures.")
    for number, caption in enumerate(given.caption):
        entries[number] = Entry(entries[number].figure, caption, entries[number].name)
    report = Report(title if given.title is None else given.title, entries)
    path = write_report(report, given.out)
    _say(given, {"report": str(path), "files": report.paths}, f"{path}: {len(entries)} figures")


def _opener(given: argparse.Namespace) -> Any:
    from .redrawing import Opener
    from .zoo import load_model

    if (given.weights or given.architecture) and not given.model:
        raise BadValue("Weights and an architecture are given with a model: --model NAME.")
    model = given.model and load_model(given.model, given.weights, architecture=given.architecture)
    return Opener(model, given.index, given.image)


def _serve(given: argparse.Namespace) -> None:
    """the app, on 127.0.0.1"""
    import subprocess

    app = Path(__file__).resolve().parent.parent / "app.py"
    print(f"explain: http://127.0.0.1:{given.port}", file=sys.stderr)
    command = [sys.executable, "-m", "streamlit", "run", str(app), f"--server.port={given.port}"]
    status = subprocess.run(command, cwd=app.parent).returncode
    if status:
        raise ExplainError(f"The app ended with status {status}; is port {given.port} taken?")


def _doctor(given: argparse.Namespace) -> None:
    """what this installation has and can do"""
    import platform

    from .figure import versions
    from .model import choose_device
    from .workspace import root
    from .zoo import list_models, load_model

    report: dict[str, Any] = {
        "python": platform.python_version(),
        **versions(),
        "device": str(choose_device()),
        "workspace": str(root()),
    }
    for name in list_models():
        report[name] = f"{len(load_model(name).layers)} layers"
    _say(given, report, "\n".join(f"{key}: {value}" for key, value in report.items()))


def _model(given: argparse.Namespace) -> Any:
    from .zoo import load_model

    return load_model(given.model, given.weights, given.device, architecture=given.architecture)


def _image(given: argparse.Namespace) -> Any:
    from .workspace import open_picture

    return open_picture(given.image)


def _pairs(texts: list[str]) -> dict[str, Any]:
    pairs = dict(text.partition("=")[::2] for text in texts)
    for text in texts:
        if "=" not in text:
            raise BadValue(f"Option {shorten(text)} is not of the form KEY=VALUE.")
    return {key.replace("-", "_"): value for key, value in pairs.items()}


def _finish(
    given: argparse.Namespace,
    result: Any,
    text: str,
    numbers: Any,
    render: Callable[..., Any] | None = None,
    **chosen: Any,
) -> None:
    """Save the figure when asked, then say what came out. With what is chosen, another function of the view draws."""
    if given.out or given.style:
        style = _pairs(given.style)
        try:
            drawn = {**style, **chosen}
            path = result.save(given.out, **drawn) if given.out else result.figure(**drawn)
        except TypeError:
            from .errors import Unknown
            from .registry import options_of

            valid = options_of(render or sys.modules[type(result).__module__].render)
            wrong = ", ".join(name for name in style if name not in valid)
            raise Unknown(" with --".join(["style", *chosen]), wrong, valid) from None
        if given.out:
            print(f"explain: wrote {path}", file=sys.stderr)
    _say(given, {"facts": result.facts, "numbers": numbers}, text)


def _say(given: argparse.Namespace, content: Any, text: str) -> None:
    print(json.dumps(content, default=str) if given.json else text)
