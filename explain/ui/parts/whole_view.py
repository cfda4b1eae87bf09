"""A view as a part of a page, by its declaration alone: what it asks, its figure with what can be clicked, its table,
its exports."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import streamlit as st

from explain.figure import Figure, Grid, Panel
from explain.figure.spots import Spot
from explain.images import contact_sheet
from explain.index import Index
from explain.options import Choices
from explain.ui import caches, choices, selection, widgets
from explain.ui.navigation import script
from explain.ui.parts.asked import ask
from explain.ui.parts.embedding_maps import take
from explain.ui.parts.tagging import offer_tags
from explain.ui.text import literal
from explain.views import View
from explain.views.parts.tiles import sheet, tiles_of

__all__ = ["Shown", "show_pictures", "show_view"]

LEAST = 96
GROUND = (206, 210, 216)


class Shown(NamedTuple):
    """What is on the page; `spot` is the part of a chart that has just been chosen."""

    result: Any
    style: dict[str, Any]
    spot: Spot | None


def show_view(
    view: View,
    given: dict[str, Any],
    label: str,
    unit: str = "steps",
    at_once: bool = False,
    below: Callable[[Shown], None] | None = None,
) -> None:
    """given: what is chosen already; all else the view takes has its widget here. What takes longer than a page may is
    a job. below: what follows the figure; with it, parts of charts can be chosen."""
    style: dict[str, Any] = {}
    if "part" in view.style:
        style["part"] = _choose_part(view)
    if "where" in view.parameters:
        given["where"] = choices.among(view, given["index"], judging=True)
    choices.more(view, given, style)
    result = caches.computed(view, given) if at_once else ask(view, given, label, unit)
    if result is None:
        return
    figure = result.figure(**style)
    if figure.note:
        st.markdown(literal(figure.note))
    spot = _show_panels(view, given.get("index"), figure, below is not None)
    if below is not None:
        below(Shown(result, style, spot))
    if figure.table and next(iter(figure.table.values()), ()):
        with st.expander("The numbers", icon=":material/table:"):
            st.dataframe(figure.table, hide_index=True)
    choices.show(view, given, style, figure)


def show_pictures(index: Index, numbers: Sequence[int], key: str) -> None:
    """Pictures of an index as a gallery; a click makes one that of all pages."""
    names = [f"{label} as {said}" if label else said for label, said in map(partial(_said, index), numbers)]
    for one in sheet(tiles_of(index, numbers), names):
        clicked = widgets.show_gallery(_large(one), key, None, alt="Pictures")
        if clicked is not None:
            take(index, int(numbers[clicked]))
            selection.again()
    if numbers:
        offer_tags(index, numbers, key)
    _lead_on()


def _said(index: Index, number: int) -> tuple[str, str]:
    """What a picture is, and what it is taken for."""
    classes, true = index.model.classes, int(index.truth[number])
    return classes[true] if true >= 0 else "", classes[int(index.predictions[number, 0])]


def _large(sheet: Panel) -> Panel:
    """With tiles of at least LEAST pixels, so that their names find room under them."""
    grid = sheet.grid
    assert grid is not None
    factor = -(-LEAST // max(grid.tile_width, grid.tile_height))
    tiles = np.stack([tile for _, tile in sheet.tiles])
    if factor == 1 or len(tiles) != len(sheet.names):
        return sheet
    pixels = contact_sheet(tiles, grid.columns, grid.gap, factor, GROUND)
    large = Grid(grid.columns, grid.tile_width * factor, grid.tile_height * factor, grid.gap)
    return replace(sheet, image=pixels, grid=large)


def _choose_part(view: View) -> Any:
    option, key = view.style["part"], view.key("part")
    assert isinstance(option.bounds, Choices)
    parts, chosen = list(option.bounds.values), choices.chosen(view, "part")
    words = {part: str(part).replace("_", " ").capitalize() for part in parts}
    return selection.controlled(
        st.segmented_control, "Show", key, chosen, parts, format_func=words.__getitem__, required=True
    )


def _show_panels(view: View, index: Index | None, figure: Figure, choosing: bool) -> Spot | None:
    """Charts by themselves; sheets as galleries, whose tiles lead to their picture where the table says which it is."""
    charts = tuple(one for one in figure.panels if not isinstance(one, Panel))
    sheets = [one for one in figure.panels if isinstance(one, Panel) and one.names]
    panels = tuple(one for one in figure.panels if isinstance(one, Panel) and not one.names)
    spot = widgets.show_charts(replace(figure, panels=charts), min(figure.columns, 2), choosing) if charts else None
    if panels:
        widgets.show_panels(replace(figure, panels=panels))
    numbers = figure.table.get("image", ()) if index is not None and len(sheets) == 1 else ()
    for k, wall in enumerate(sheets):
        if wall.title:
            st.markdown(f"**{literal(wall.title)}**")
        clicked = widgets.show_gallery(_large(wall), f"{view.name}-{k}", None, alt=wall.title or figure.alt)
        if clicked is not None and clicked < len(numbers):
            assert index is not None
            take(index, int(numbers[clicked]))
            selection.again()
    if numbers:
        assert index is not None
        offer_tags(index, numbers, view.name)
        _lead_on()
    return spot


def _lead_on() -> None:
    st.caption("A click makes a picture that of all pages.")
    st.page_link(script("saliency"), label="Why this class", icon=":material/center_focus_strong:")
