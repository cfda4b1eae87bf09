from collections.abc import Callable
from typing import Any

import streamlit as st

from explain.ui import report_items, selection, widgets
from explain.workspace.report import Entry, Report

st.title("Report")
collected = report_items.report()
if not collected:
    st.info(
        "Nothing yet. On any page open “Export and reproduce”, write a caption and choose “Add to the report”; "
        "the figures come together here.",
        icon=":material/description:",
    )
    selection.stop()


def step(label: str, icon: str, action: Callable[..., None], number: int, *args: Any, **options: Any) -> None:
    st.button(label, f"{label}-{number}", icon=icon, on_click=action, args=(number, *args), **options)


title = selection.edited(
    st.text_input, "Title", "title", report_items.report_title(), report_items.report_title, max_chars=200
)
last = len(collected) - 1
for place, entry in enumerate(collected):
    number = entry.number
    with st.container(border=True, key=f"row-report-{number}"):
        picture, words = st.columns([1, 2], gap="medium")
        with picture, st.container(key=f"smooth-report-{number}"):
            st.image(entry.preview, width="stretch", output_format="PNG", alt=entry.figure.alt or entry.figure.title)
        with words:
            st.markdown(f"**{place + 1}** · {widgets.literal(entry.figure.title)}")
            selection.edited(st.text_area, "Caption", f"c{number}", entry.caption, entry.describe, max_chars=2000)
            with st.container(horizontal=True):
                step("Up", ":material/arrow_upward:", report_items.move, number, -1, disabled=place == 0)
                step("Down", ":material/arrow_downward:", report_items.move, number, 1, disabled=place == last)
                step("Remove", ":material/delete:", report_items.remove, number)
report = Report(title, [Entry(entry.figure, entry.caption, entry.name) for entry in collected])
st.download_button(
    "Download the report",
    report.zipped,
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
