"""Under each figure: into the report with it, a preview of its file with the choices of how it is put on paper, the
file, the facts, and the lines that reproduce it."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from explain.figure import COLUMNS, FORMATS, PAPER, Figure
from explain.images import VISIONS, png, seen_as
from explain.paper import TEXTS
from explain.ui import report_items, selection, widgets
from explain.ui.navigation import script
from explain.views import View

__all__ = ["add_to_report", "show"]

SCREEN = 96  # pixels of a page to an inch
DOTS = 192  # of a preview, to an inch: beyond what a screen shows, more only take longer
VISION_HELP = "How the colours look in greyscale print, or to a colour-blind eye."
JOURNALS = {"pnas": "PNAS", "ieee": "IEEE", "neurips": "NeurIPS", "icml": "ICML", "cvpr": "CVPR", "latex": "LaTeX text"}
LABELS = {"font_pt": "Text, pt", "in_a_row": "Panels in a row", "panel_height": "Height of panels", "gap_pt": "Gap, pt"}


def show(
    view: View, given: dict[str, Any], style: dict[str, Any], figure: Figure, label: str, name: str, apart: bool
) -> None:
    """name: of its files. apart: its look has names of its own in the URL, as another of the view is beside it."""
    keys = {option: f"{name}.{option}" if apart else view.key(option) for option in PAPER}
    paper = {option: widgets.chosen(spec, keys[option]) for option, spec in PAPER.items()}
    figure = figure.on(**paper)
    style = {**style, **figure.paper.changed}
    add_to_report(figure, name)
    box = st.expander(label, icon=":material/download:", key=f"export-{name}", on_change="rerun")
    with box:
        with widgets.row(f"split-studio-{name}"):
            left, right = st.columns([3, 2], gap="large")
        with right:
            _choose_paper(keys, figure)
        with left:
            if box.open:
                _preview(figure, name)
            format = st.segmented_control("Format", figure.formats, default=figure.formats[0], key=f"format-{name}")
            if format:
                st.download_button(
                    f"Download {format.upper()}",
                    lambda: figure.encode(format),
                    file_name=f"{name}.{format}",
                    mime=FORMATS[format].media_type,
                    key=f"download-{name}",
                    on_click="ignore",
                    icon=":material/download:",
                )
        out = f"{name}.{format or figure.formats[0]}"
        st.caption("Python")
        st.code(view.python(given, style, out), "python")
        st.caption("Command line")
        st.code(view.shell(given, style, out), "bash")
        st.caption("Facts")
        st.code(json.dumps(dict(figure.facts), indent=1, ensure_ascii=False, default=str), "json", height=200)


def add_to_report(figure: Figure, name: str) -> None:
    """A button right under the figure; what is in the report says so, and leads there."""
    full = report_items.full()
    with st.container(horizontal=True, vertical_alignment="center", key=f"row-add-{name}"):
        if report_items.holds(figure):
            label = "In the report"
            st.page_link(script("report"), label=label, icon=":material/check:", width="content")
        added = st.button(
            "Add to the report",
            key=f"collect-{name}",
            icon=":material/add:",
            disabled=bool(full),
            on_click=report_items.collect,
            args=(figure, name),
            help=full or None,
        )
    if added:
        count = len(report_items.report().items)
        st.toast(f"The report has {count} {'figure' if count == 1 else 'figures'}.", icon=":material/description:")
    if full:
        st.caption(full)


def _choose_paper(keys: dict[str, str], figure: Figure) -> None:
    """Widgets for the options of Paper, each a part of the permalink."""
    paper = figure.paper
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _choose_width(keys["width_mm"], paper.width_mm)
        _option(keys, "dpi", "Dots an inch")
    for name, own, field in (("title", figure.title, st.text_input), ("note", figure.note, st.text_area)):
        _option(keys, name, name.capitalize())
        if getattr(paper, name):
            text, key = getattr(paper, f"{name}_text"), keys[f"{name}_text"]
            label, most = f"Another {name}", TEXTS[f"{name}_text"]
            selection.controlled(field, label, key, text, max_chars=most, placeholder=own, label_visibility="collapsed")
    _option(keys, "footer", "The line of facts")
    cells = st.columns(2)
    for k, (name, label) in enumerate(LABELS.items()):
        with cells[k % 2]:
            _option(keys, name, label)


def _choose_width(key: str, chosen: float) -> None:
    """The columns of journals; any number of millimetres may be typed."""
    default = f"{PAPER['width_mm'].default:g}"
    value = next((name for name, width in COLUMNS.items() if width == chosen), f"{chosen:g}")
    selection.controlled(
        st.selectbox,
        "Width",
        key,
        value,
        list(dict.fromkeys([default, *COLUMNS, value])),
        format_func=_column,
        accept_new_options=True,
        help="A column of a journal or the text of a conference's paper; or type a number of millimetres.",
    )


def _column(name: str) -> str:
    if name not in COLUMNS:
        return f"{name} mm"
    journal, _, columns = name.partition("-")
    many = {"": "", "1.5": ", 1½ columns"}.get(columns, f", {columns} columns")
    return f"{JOURNALS.get(journal, journal.capitalize())}{many} · {COLUMNS[name]:g} mm"


def _option(keys: dict[str, str], name: str, label: str) -> None:
    widgets.option(PAPER[name], keys[name], label)


def _preview(figure: Figure, name: str) -> None:
    """The figure as it will be saved, in its true size, and as others see its colours."""
    vision = st.segmented_control("Seen as", VISIONS, default=VISIONS[0], key=f"vision-{name}", help=VISION_HELP)
    drawn = figure.encode("png", dpi=min(DOTS, figure.paper.dpi))
    with Image.open(io.BytesIO(drawn)) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    width = round(figure.paper.width_mm / 25.4 * SCREEN)
    with st.container(key=f"smooth-{name}"):
        seen = png(seen_as(pixels, vision or VISIONS[0]), effort=1)
        st.image(seen, width=width, output_format="PNG", alt=figure.alt or figure.title)
    height = figure.paper.width_mm * pixels.shape[0] / pixels.shape[1]
    st.caption(f"{figure.paper.width_mm:g} × {height:.0f} mm, here in its true size or as wide as there is room.")
