import time
from collections.abc import Callable
from typing import Any

import streamlit as st

from explain.figure import Figure
from explain.ui import caches, report_items, selection
from explain.ui.text import literal
from explain.workspace.redraw import figure_of
from explain.workspace.reports import forget_report, kept_reports


def drawn(facts: dict[str, Any]) -> Figure:
    return figure_of(facts, caches.SessionOpener())


def show_kept() -> None:
    """Reports of earlier visits, which end when a page is loaded anew."""
    for name, kept in kept_reports().items():
        with st.container(horizontal=True, vertical_alignment="center"):
            count = "one figure" if len(kept.entries) == 1 else f"{len(kept.entries)} figures"
            when = time.strftime("%d %b %Y, %H:%M", time.localtime(kept.changed))
            st.markdown(f"**{literal(kept.title)}** · {count} · {when}", width="content")
            if st.button("Go on with it", key=f"go-on-{name}", icon=":material/redo:"):
                with st.spinner("Drawing its figures"):
                    st.session_state["report-said"] = report_items.go_on(name, drawn)
                selection.again()
            st.button(
                "",
                key=f"forget-{name}",
                icon=":material/delete:",
                help="Remove it",
                on_click=forget_report,
                args=(name,),
            )


st.title("Report")
collected = report_items.report()
for said in st.session_state.pop("report-said", ()):
    st.warning(literal(said), icon=":material/warning:")
if not collected:
    st.info(
        "Nothing yet. On any page open “Export and reproduce”, write a caption and choose “Add to the report”; "
        "the figures come together here.",
        icon=":material/description:",
    )
    show_kept()
    selection.stop()


def step(label: str, icon: str, action: Callable[..., None], number: int, *args: Any, **options: Any) -> None:
    st.button(label, f"{label}-{number}", icon=icon, on_click=action, args=(number, *args), **options)


selection.edited(st.text_input, "Title", "title", report_items.report_title(), report_items.report_title, max_chars=200)
last = len(collected) - 1
for place, entry in enumerate(collected):
    number = entry.number
    with st.container(border=True, key=f"row-report-{number}"):
        picture, words = st.columns([1, 2], gap="medium")
        with picture, st.container(key=f"smooth-report-{number}"):
            st.image(entry.preview, width="stretch", output_format="PNG", alt=entry.figure.alt or entry.figure.title)
        with words:
            st.markdown(f"**{place + 1}** · {literal(entry.figure.title)}")
            selection.edited(st.text_area, "Caption", f"c{number}", entry.caption, entry.describe, max_chars=2000)
            with st.container(horizontal=True):
                step("Up", ":material/arrow_upward:", report_items.move, number, -1, disabled=place == 0)
                step("Down", ":material/arrow_downward:", report_items.move, number, 1, disabled=place == last)
                step("Remove", ":material/delete:", report_items.remove, number)
st.download_button(
    "Download the report",
    report_items.whole().zipped,
    "report.zip",
    "application/zip",
    type="primary",
    on_click="ignore",
    icon=":material/download:",
)
count = "one figure" if len(collected) == 1 else f"{len(collected)} figures"
st.caption(
    f"A zip of {count}: a page that opens offline, each figure as SVG, PNG and PDF, its numbers, and a report.json. "
    "Unpacked, `python -m explain report NEW report.json` rebuilds it, and each picture in it opens its view again "
    "when it is dropped on the upload field."
)
