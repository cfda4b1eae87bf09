"""Commands about an index: building it, and what it answers."""

from __future__ import annotations

import argparse
import sys

from .command import Command, finish, image_of, model_of, pairs, say

__all__ = ["add"]


def add(command: Command) -> None:
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
    sub = command("embedding", _embedding, "INDEX")
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
    sub = command("confusion", _confusion, "INDEX")
    sub.add_argument("--count", type=int, default=18, help="of the worst mistakes")
    sub = command("hierarchy", _hierarchy, "INDEX", "IMAGE")
    sub.add_argument("--channels", type=int, default=3, help="of each layer, those that respond most")


def _index(given: argparse.Namespace) -> None:
    """run each picture through the network once and keep what `patches` and `neighbours` ask for"""
    from tqdm import tqdm

    from ..workspace import build_index

    names = ("limit", "workers", "batch", "seed")
    options = {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    with tqdm(unit=" images", file=sys.stderr) as bar:

        def progress(done: float, total: float, message: str = "") -> None:
            bar.total = total
            bar.set_postfix_str(message, refresh=False)
            bar.update(done - bar.n)

        resume = not given.anew
        index = build_index(
            model_of(given), given.data, given.layers, given.k, given.out, resume, progress=progress, **options
        )
    for file, reason in list(index.skipped.items())[:20]:
        print(f"explain: skipped {file}: {reason}", file=sys.stderr)
    numbers = {"images": len(index), "skipped": len(index.skipped), "layers": len(index.layers)}
    text = f"{index.folder}: {len(index)} images, {len(index.skipped)} unreadable, {len(index.layers)} layers"
    say(given, {"facts": index.facts, "numbers": numbers, "folder": str(index.folder)}, text)


def _neighbours(given: argparse.Namespace) -> None:
    """the pictures of an index nearest to one of it (by number) or another, in features and in pixels"""
    from ..views import neighbours
    from ..workspace import open_index

    image = given.image if given.image.isdecimal() else image_of(given)
    result = neighbours.compute(open_index(given.index), image, k=given.k, metric=given.metric)
    rows = zip(*(result.table[name] for name in ("space", "distance", "image", "file")), strict=True)
    text = "\n".join(f"{space:8}  {distance:10.4g}  {number:6d}  {file}" for space, distance, number, file in rows)
    agrees = "\n".join(f"{space}: {result.agrees(space)}" for space in ("features", "pixels"))
    finish(given, result, f"{text}\n{agrees}", result.table)


def _embedding(given: argparse.Namespace) -> None:
    """the pictures of an index as points of a map"""
    from dataclasses import replace

    from tqdm import tqdm

    from ..views import embedding
    from ..workspace import embed, open_index, open_picture

    pictures = [open_picture(image) for image in given.place]
    with tqdm(file=sys.stderr, disable=None, leave=False) as bar:  # for a reader only

        def progress(done: float, total: float, message: str = "") -> None:
            bar.unit, bar.total = f" {message}", total
            bar.update(done - bar.n)

        result = embed(
            open_index(given.index),
            given.method,
            layer=given.layer,
            pooling=given.pooling,
            count=given.count,
            progress=progress,
            **pairs(given.option),
        )
    result = replace(result, placed=tuple(embedding.project_point(result, picture) for picture in pictures))
    text = f"{given.method}: {len(result.points)} points\n{result.figure().note}"
    finish(given, result, text, result.table)


def _patches(given: argparse.Namespace) -> None:
    """the patches of an index that channels respond to most"""
    from ..views import patches
    from ..workspace import open_index

    result = patches.compute(open_index(given.index), given.layer, given.channel, given.ranking, given.count)
    columns = [result.table[name] for name in ("channel", "score", "row", "column", "file", "prediction")]
    lines = [
        f"channel {channel:5d}  {score:9.4g} at ({row}, {column})  {file}, seen as {prediction}"
        for channel, score, row, column, file, prediction in zip(*columns, strict=True)
    ]
    lines += [f"channel {channel:5d}  dead on these pictures: {why}" for channel, why in result.dead.items()]
    finish(given, result, "\n".join(lines), {"patches": result.table, "dead": result.dead})


def _channel(given: argparse.Namespace) -> None:
    """all that an index knows of a channel, and what the prediction is without it"""
    from ..views import channel
    from ..workspace import open_index, open_picture

    image = None if given.image is None else open_picture(given.image)
    result = channel.compute(open_index(given.index), given.layer, given.channel, image, given.replace)
    numbers = {
        **result.numbers,
        "dead": result.dead,
        "classes": list(zip(result.classes.names, result.classes.images, result.classes.means, strict=True)),
        "before": result.before,
        "after": result.after,
    }
    finish(given, result, result.figure().note, numbers)


def _confusion(given: argparse.Namespace) -> None:
    """which classes of an index's pictures are taken for which, and the worst mistakes"""
    from ..views import confusion
    from ..workspace import open_index

    result = confusion.compute(open_index(given.index), count=given.count)
    columns = (result.table[name] for name in ("class", "pictures", "recall", "precision"))
    lines = [
        f"{name:20}  {pictures:6d}  recall {recall:.3f}  precision {0 if precision is None else precision:.3f}"
        for name, pictures, recall, precision in zip(*columns, strict=True)
        if recall is not None
    ]
    lines += [f"{one.file}: {one.label} as {one.prediction}, {one.confidence:.3f}" for one in result.mistakes]
    mistakes = [one._asdict() for one in result.mistakes]
    numbers = {"top1": result.top1, "top5": result.top5, "classes": result.table, "mistakes": mistakes}
    finish(given, result, "\n".join([result.sentence(), *lines]), numbers)


def _hierarchy(given: argparse.Namespace) -> None:
    """a picture (or its number in the index) through early, middle and late layers, with patches of the strongest
    channels"""
    from ..views import hierarchy
    from ..workspace import open_index

    image = int(given.image) if given.image.isdecimal() else image_of(given)
    result = hierarchy.compute(open_index(given.index), image, given.channels)
    lines = [
        f"{level.name}: {level.layer.name}  channel {channel:5d}  max {own.max():.4g}"
        for level in result.levels
        for channel, own in zip(level.channels, level.maps, strict=True)
    ]
    finish(given, result, "\n".join(lines), result.table)
