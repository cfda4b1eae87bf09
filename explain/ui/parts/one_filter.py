"""One filter with its numbers; of many slices in several rows, as one row of them is too flat to see."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from explain.figure import Panel
from explain.images import contact_sheet
from explain.ui import widgets
from explain.ui.text import literal
from explain.views.filters import Filters

__all__ = ["show_filter"]

LONGEST = 8  # slices in a row


def show_filter(one: Filters, title: str, **style: Any) -> None:
    figure = one.figure(**style)
    (panel,) = figure.panels
    assert isinstance(panel, Panel)
    with widgets.row("split-filter"):
        left, right = st.columns([1, 2], gap="large", vertical_alignment="center")
    with left:
        widgets.show_picture(widgets.on_page(_in_rows(panel)), title)
    with right:
        low, high, mean, norm = one.tiles.min(), one.tiles.max(), one.tiles.mean(), (one.tiles**2).sum() ** 0.5
        st.markdown(f"**{literal(title)}**")
        st.caption(f"Weights {low:.4g} to {high:.4g}, mean {mean:.4g}, norm {norm:.4g}. {literal(figure.note)}")


def _in_rows(panel: Panel) -> Panel:
    if panel.grid is None or len(panel.names) <= LONGEST:
        return panel
    tiles = np.stack([tile for _, tile in panel.tiles])
    gap = panel.grid.gap if panel.grid.tile_width > 2 else 0  # between single numbers it would hide as much as it shows
    count, least = len(tiles), math.isqrt(len(tiles) - 1) + 1
    columns = next(k for k in range(least, count + 1) if not count % k)  # whole rows: what is blank looks like a weight
    return replace(panel, image=contact_sheet(tiles, columns, gap), grid=replace(panel.grid, columns=columns, gap=gap))
