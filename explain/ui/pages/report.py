import time
from functools import partial
from typing import Any

import streamlit as st

from explain.errors import ExplainError
from explain.figure import Figure
from explain.figure.facts import facts_json
from explain.paper import TEXTS
from explain.store import sha256
from explain.ui import caches, report_items, restore, selection
from explain.ui.text import literal
from explain.workspace.kept import Kept
from explain.workspace.redraw import figure_of
from explain.workspace.report import Entry, Report
from explain.workspace.reports import Item, KeptReport, begin_report, forget_report, kept_reports

DOTS = 100  # of a preview, to an inch


def said(count: int) -> str:
    return "one figure" if count == 1 else f"{count} figures"


def drawn(item: Item) -> Figure:
    """Of this visit, or drawn again. Raises ExplainError."""
    if (figure := report_items.held(item)) is None:
        figure = figure_of(item.facts, caches.SessionOpener())
        report_items.hold(item, figure)
    return figure


def preview(item: Item) -> bytes:
    """A PNG as the figure will be, kept by the facts that draw it. Raises ExplainError."""
    kept, name = Kept(), f"report-{sha256(facts_json(item.facts).encode())[:40]}.png"
    if (found := kept.get(name)) is None:
        with st.spinner("Drawing it again"):
            found = drawn(item).encode("png", dpi=DOTS)
        kept.put(name, found)
    return found


def show_kept() -> None:
    """Reports that were put aside."""
    aside = [(name, kept) for name, kept in list(kept_reports().items())[1:] if kept.items]
    if aside:
        st.subheader("Put aside")
    for name, kept in aside:
        with st.container(horizontal=True, vertical_alignment="center"):
            when = time.strftime("%d %b %Y, %H:%M", time.localtime(kept.changed))
            st.markdown(f"**{literal(kept.title)}** · {said(len(kept.items))} · {when}", width="content")
            st.button("Go on with it", f"go-on-{name}", icon=":material/redo:", on_click=begin_report, args=(name,))
            look: dict[str, Any] = {"icon": ":material/delete:", "help": "Remove it"}
            st.button("", f"forget-{name}", on_click=forget_report, args=(name,), **look)


def show_item(item: Item, place: int, last: int) -> None:
    key = item.key
    picture, words = st.columns([1, 1], gap="medium")
    with picture, st.container(key=f"smooth-report-{key}"):
        try:
            st.image(preview(item), width="content", output_format="PNG", alt=item.title or item.caption)
        except ExplainError as error:
            st.warning(f"It cannot be drawn again: {literal(str(error))}", icon=":material/warning:")
    with words:
        st.markdown(f"**{place + 1}** · {literal(item.name)}")
        entitle = partial(report_items.entitle, key)
        selection.edited(st.text_input, "Title", f"t{key}", item.title, entitle, max_chars=TEXTS["title_text"])
        describe = partial(report_items.describe, key)
        selection.edited(st.text_area, "Caption", f"c{key}", item.caption, describe, max_chars=2000)
        with st.container(horizontal=True):
            for label, icon, by, end in (("Up", "upward", -1, 0), ("Down", "downward", 1, last)):
                icon, over, moved = f":material/arrow_{icon}:", place == end, partial(report_items.move, key, by)
                st.button(label, f"{label}-{key}", icon=icon, disabled=over, on_click=moved)
            if st.button("Its page", f"open-{key}", icon=":material/open_in_new:", help="The page that made it"):
                restore.go(restore.restored(item.facts))
            icon = ":material/delete:"
            st.button("Remove", f"Remove-{key}", icon=icon, on_click=report_items.remove, args=(key,))


def show_download(report: KeptReport) -> None:
    """What this visit has not drawn is drawn first; what cannot be is named and left out."""
    figures = [(item, report_items.held(item)) for item in report.items]
    failed: dict[str, str] = st.session_state.setdefault("report-failed", {})
    missing = [item for item, figure in figures if figure is None and item.key not in failed]
    if missing:
        label = f"Draw {said(len(missing))} for the download"
        if not st.button(label, "draw-all", type="primary", icon=":material/brush:"):
            st.caption("They were collected in another visit: only their facts and pictures are kept.")
            return
        progress = st.progress(0.0)
        for number, item in enumerate(missing):
            progress.progress(number / len(missing), f"Drawing {number + 1} of {len(missing)}: {literal(item.title)}")
            try:
                drawn(item)
                if report_items.held(item) is None:
                    failed[item.key] = f"the others take {report_items.MOST_BYTES >> 20} MB of memory; put some aside"
            except ExplainError as error:
                failed[item.key] = str(error)
        selection.again()
    for item in report.items:
        if item.key in failed:
            why = f"Not in the download: {item.title or item.caption}: {failed[item.key]}"
            st.warning(literal(why), icon=":material/warning:")
    whole = Report(report.title, [Entry(figure, item.caption, item.name) for item, figure in figures if figure])
    st.download_button(
        "Download the report",
        whole.zipped,
        "report.zip",
        "application/zip",
        type="primary",
        on_click="ignore",
        icon=":material/download:",
    )
    st.caption(
        f"A zip of {said(len(whole.entries))}: a page that opens offline, each as SVG, PNG and PDF, its numbers, "
        "and a report.json. Unpacked, `python -m explain report NEW report.json` rebuilds it, and each picture in it "
        "opens its view again when it is dropped on the upload field."
    )


st.title("Report")
report = report_items.report()
if gone := report_items.removed():
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"Removed: {literal(gone.title or gone.caption)}", width="content")
        st.button("Undo", "undo", icon=":material/undo:", on_click=report_items.undo)
if report.items:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = "Title of the report"
        selection.edited(st.text_input, name, "title", report.title, report_items.rename, max_chars=200)
        st.button("Put aside and begin another", "begin", icon=":material/note_add:", on_click=begin_report)
    for place, item in enumerate(report.items):
        with st.container(border=True, key=f"row-report-{item.key}"):
            show_item(item, place, len(report.items) - 1)
    show_download(report)
else:
    st.info(
        "Nothing yet. Under each figure of any page stands “Add to the report”; the figures come together here, and "
        "stay: after a reload, in another tab, and when the server was restarted.",
        icon=":material/description:",
    )
show_kept()
