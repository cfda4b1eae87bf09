"""The same training again and again with a few settings changed, as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

from ..data import ImageSet, load_images, named_images
from ..errors import BadValue, ExplainError
from ..progress import Progress, heard, part, unheard
from .fit import train
from .recipes import Recipe
from .recipes import recipe as recipe_of

__all__ = ["grid", "sweep"]

Row = dict[str, Any]
NAMES = "train", "validation", "test"


def grid(over: Mapping[str, Sequence[Any]]) -> list[Row]:
    """All combinations of some settings' values; `optimiser_options.momentum` means one option of a mapping."""
    if not over or not all(over.values()):
        raise BadValue("There is nothing to vary; give at least one setting with its values.")
    return [dict(zip(over, values, strict=True)) for values in product(*over.values())]


def sweep(
    recipe: str | Recipe,
    data: str | ImageSet | None,
    changes: Sequence[Row],
    *,
    test: str | ImageSet | None = None,
    on_row: Callable[[Row], object] | None = None,
    progress: Progress | None = None,
    **same: Any,
) -> list[Row]:
    """Train once for each row of changes and return the rows with accuracies, parameters and seconds.

    `limit` among the changes takes that many pictures: the learning curve. What cannot be trained has its reason as
    `error`. on_row hears each; progress(done, total, message) of trainings, and by default is a bar where on_row does
    not listen.
    """
    with heard(unheard if progress is None and on_row else progress, "sweep") as told:
        return _swept(recipe_of(recipe), data, changes, test, on_row or (lambda _: None), told, same)


def _swept(
    plan: Recipe,
    data: str | ImageSet | None,
    changes: Sequence[Row],
    test: str | ImageSet | None,
    on_row: Callable[[Row], object],
    progress: Progress,
    same: Mapping[str, Any],
) -> list[Row]:
    found = list[Row]()
    for k, row in enumerate(changes):
        asked = dict(row)
        limit = asked.pop("limit", None)
        given = named_images(plan.data) if data is None else data
        images = load_images(given, None if limit is None else int(limit))
        try:
            own = part(progress, k, k + 1, len(changes))
            model = train(plan, images, test=test, progress=own, **_nested(plan, asked), **same)
            about = model.about
            with model.exclusive() as net:
                parameters = sum(parameter.numel() for parameter in net.parameters())
            seconds = sum(epoch["seconds"] for epoch in about["history"])
            accuracies = {name: about["accuracy"][name] for name in NAMES if name in about["accuracy"]}
            found.append({**row, **accuracies, "parameters": parameters, "seconds": round(seconds, 2), "error": ""})
        except ExplainError as error:
            found.append({**row, "error": str(error)})
        on_row(found[-1])
    return found


def _nested(plan: Recipe, row: Row) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for key, value in row.items():
        whole, _, part = key.partition(".")
        if part:
            changes[whole] = {**changes.get(whole, getattr(plan, whole, {})), part: value}
        else:
            changes[whole] = value
    return changes
