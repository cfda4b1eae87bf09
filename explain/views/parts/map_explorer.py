"""A map of pictures to walk in: for the explorer, and as one HTML file."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ...explorer import Cloud, Mark, Thumbs, page
from ...figure import FACTS_OPEN, Figure
from ...figure.facts import facts_json
from ...figure.palette import PALETTES, class_colours
from ...images import png
from ...index.thumbnails import thumbnails
from ...progress import heard
from ...projections.picture_map import PictureMap
from .map_plot import classes_of, counts_of

__all__ = ["explore", "offline"]


def explore(
    results: tuple[PictureMap, ...], titles: tuple[str, ...], thumbs: Thumbs | None, palette: str = PALETTES[0]
) -> Cloud:
    """One map, or two of the same pictures, for the explorer. Raises Unknown for a palette that is none."""
    first = results[0]
    classes = classes_of(first)
    numbers = {name: k for k, name in enumerate(classes)}
    measured = all(result.trust is not None for result in results)
    marks = tuple(
        Mark(one.name, tuple(result.placed[k].place for result in results), png(np.asarray(_small(one.picture))))
        for k, one in enumerate(first.placed)
    )
    return Cloud(
        titles=titles,
        maps=tuple(result.points for result in results),
        files=first.files,
        classes=tuple(classes),
        labels=np.array([-1 if name is None else numbers[name] for name in first.labels]),
        predictions=np.array([numbers.get(name, -1) for name in first.predictions]),
        judged=np.isin(classes, first.index.model.classes),
        confidence=first.confidence,
        trust=tuple(r.trust for r in results if r.trust is not None) if measured else (),
        kept=tuple(r.kept for r in results if r.kept is not None) if measured else (),
        colours=class_colours(counts_of(first, classes), palette)[0],
        columns=tuple(first.columns.values()),
        thumbs=thumbs,
        marks=marks,
        palette=palette,
    )


def offline(result: PictureMap, thumbs: Thumbs | None, figure: Figure, palette: str) -> bytes:
    """The explorer as one HTML file."""
    if thumbs is None:
        bands = result.index.model.preprocess.bands
        with heard(None, "thumbnails", "pictures") as progress:
            thumbs = thumbnails(result.index.images, result.images.tolist(), progress=progress, bands=bands)
    shown = explore((result,), ("",), thumbs, palette)
    return page(shown, figure.title, figure.note, f"{FACTS_OPEN}{facts_json(figure.facts)}</script>")


def _small(picture: Image.Image) -> Image.Image:
    copy = picture.convert("RGB")
    copy.thumbnail((96, 96))
    return copy
