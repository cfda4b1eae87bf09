"""Sets of pictures on the page Models and data: what there is, and how one's own comes in."""

import streamlit as st

from explain import workspace
from explain.data import EXTENSIONS, is_here, list_images
from explain.data.tables import TABLES
from explain.errors import BadValue, ExplainError, enumerate_some
from explain.images.formats import OTHERS
from explain.index import read_manifest
from explain.index.references import left_out
from explain.network.model import Model
from explain.project import FILE
from explain.ui import jobs, selection, visit, widgets
from explain.ui.text import literal
from explain.workspace import picture_sets


def show_sets(model: Model) -> None:
    """What there is, and what of it this network has looked at."""
    st.subheader("Pictures")
    st.caption(
        f"{literal(model.name)} looks through a set once, and then pages answer what excites its channels, which "
        "pictures it finds alike and what it gets wrong."
    )
    uploaded, indexed = picture_sets.named(), workspace.list_indexes(model)
    for name in dict.fromkeys([*uploaded, *(name for name in list_images() if is_here(name))]):
        words = literal(str(uploaded[name]) if name in uploaded else name)
        a, b = st.columns([5, 1], vertical_alignment="center")
        if name in indexed:
            a.markdown(f":material/check: {words}")
            with a:
                widgets.show_skipped(name, left_out(read_manifest(indexed[name])))
        elif a.button(f"Look through {words}", key=f"index-{name}", type="tertiary", icon=":material/manage_search:"):
            selection.choose("index", name)
            st.session_state["indexing"] = name
        elif name in uploaded:
            with a:
                widgets.show_skipped(name)
        if name in uploaded and b.button("", key=f"drop-{name}", icon=":material/delete:", help=f"Remove {words}"):
            picture_sets.remove(uploaded[name].reference)
            selection.again()
    asked = st.session_state.get("indexing")
    if (
        asked
        and asked not in indexed
        and jobs.show(widgets.index_job(model, asked), f"Index {asked} with {model.name}")
    ):
        selection.again()


def take_pictures() -> None:
    st.subheader("Pictures of your own")
    st.caption(
        "A ZIP, a folder, or some files; sub-folders are classes. A CSV or Parquet table among them names pictures, "
        "their classes, and what else is known of them. Folders of this machine, torch datasets and torchvision's come "
        f"in by {FILE} or `python -m explain index`."
    )
    with st.form("pictures", border=False):
        # Those that are not read come too, so that it is said why.
        kinds = ["zip", *(one.removeprefix(".") for one in (*EXTENSIONS, *TABLES, *OTHERS))]
        # New ones after each that was kept: what lies on the disk is not held in memory as well.
        turn = st.session_state.setdefault("turn-pictures", 0)
        files = st.file_uploader(
            "A ZIP, or pictures and their table", kinds, accept_multiple_files=True, key=f"pictures{turn}"
        )
        folder = st.file_uploader("Or a folder", kinds, accept_multiple_files="directory", key=f"folder{turn}")
        a, b = st.columns(2)
        name = a.text_input("What to call them", placeholder="as the file is called")
        label = b.text_input("The table's column of classes", placeholder="label, class, target or category")
        sent = st.form_submit_button("Keep them", icon=":material/upload:")
    if not sent:
        return
    try:
        given = [*files, *folder]
        if not given:
            raise BadValue("There is no file; choose a ZIP, pictures or a folder.")
        zipped = len(given) == 1 and given[0].name.lower().endswith(".zip")
        called = name or given[0].name.partition("/")[0]
        with visit.handing_in(sum(file.size for file in given)):
            made = (
                picture_sets.unpack(given[0], called, label=label)
                if zipped
                else picture_sets.keep(given, called, label=label)
            )
    except ExplainError as error:
        widgets.show_error(error)
        return
    visit.let_go(given)
    st.session_state["turn-pictures"] += 1
    skipped = [f"{file}: {why}" for file, why in made.skipped.items()]
    more = [f"{len(skipped):,} left out: {enumerate_some(skipped, 3)}."] if skipped else []
    if made.table and not made.classes:
        columns = ", ".join(picture_sets.images_of(made.reference).columns)
        more.append(f"They have no classes: none of the table's columns was named, nor is called so ({columns}).")
    st.session_state["kept-said"] = " ".join([f"{made} are kept.", *more])
    st.session_state["indexing"] = made.name
    selection.choose("index", made.name)
    selection.again()
