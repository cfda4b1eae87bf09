"""A view as a part of a page, by its declaration alone: what it asks, its figure with what can be clicked, its table,
its exports."""

from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from explain.figure import Figure, Grid, Panel
from explain.images import contact_sheet
from explain.index import Index
from explain.options import Choices
from explain.ui import caches, choices, selection, widgets
from explain.ui.navigation import script
from explain.ui.parts.asked import ask
from explain.ui.parts.embedding_maps import take
from explain.ui.text import literal
from explain.views import View

__all__ = ["show_view"]

LEAST = 96
GROUND = (206, 210, 216)


def show_view(view: View, given: dict[str, Any], label: str, unit: str = "steps", at_once: bool = False) -> None:
    """given: what is chosen already; all else the view takes has its widget here. What takes longer than a page may is
    a job."""
    style: dict[str, Any] = {}
    if "part" in view.style:
        style["part"] = _choose_part(view)
    if "where" in view.parameters:
        given["where"] = choices.among(view, given["index"])
    choices.more(view, given, style)
    result = caches.computed(view, given) if at_once else ask(view, given, label, unit)
    if result is None:
        return
    figure = result.figure(**style)
    if figure.note:
        st.markdown(literal(figure.note))
    _show_panels(view, given.get("index"), figure)
    if figure.table and next(iter(figure.table.values()), ()):
        with st.expander("The numbers", icon=":material/table:"):
            st.dataframe(figure.table, hide_index=True)
    choices.show(view, given, style, figure)


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


def _show_panels(view: View, index: Index | None, figure: Figure) -> None:
    """Charts by themselves; sheets as galleries, whose tiles lead to their picture where the table says which it is."""
    charts = tuple(one for one in figure.panels if not isinstance(one, Panel))
    sheets = [one for one in figure.panels if isinstance(one, Panel) and one.names]
    panels = tuple(one for one in figure.panels if isinstance(one, Panel) and not one.names)
    if charts:
        widgets.show_charts(replace(figure, panels=charts), min(figure.columns, 2))
    if panels:
        widgets.show_panels(replace(figure, panels=panels))
    numbers = figure.table.get("image", ()) if index is not None and len(sheets) == 1 else ()
    for k, sheet in enumerate(sheets):
        if sheet.title:
            st.markdown(f"**{literal(sheet.title)}**")
        clicked = widgets.show_gallery(_large(sheet), f"{view.name}-{k}", None, alt=sheet.title or figure.alt)
        if clicked is not None and clicked < len(numbers):
            assert index is not None
            take(index, int(numbers[clicked]))
            selection.again()
    if numbers:
        st.caption("A click makes a picture that of all pages.")
        st.page_link(script("saliency"), label="Why this class", icon=":material/center_focus_strong:")
