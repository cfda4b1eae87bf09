"""The pictures nearest to one, by features and by pixels, each a click from being the query; and which space knows
more."""

from dataclasses import replace
from typing import Any

import streamlit as st
from PIL import Image

from explain.index import SPACES, Index, references
from explain.ui import caches, choices, jobs, selection, widgets
from explain.ui.parts import embedding_maps
from explain.ui.text import literal
from explain.views import VIEWS, neighbours

__all__ = ["show_nearest"]


def show_nearest(index: Index, picture: Image.Image) -> None:
    view = VIEWS["neighbours"]
    given: dict[str, Any] = {"index": index}
    style: dict[str, Any] = {}
    with widgets.row("controls"):
        controls = st.columns([3, 2, 2, 1.5], vertical_alignment="bottom")
    with controls[0]:
        given["k"] = choices.option(view, "k", "Neighbours", most=max(neighbours.USUAL, len(index) - 1))
    with controls[1]:
        given["metric"] = choices.option(view, "metric", "Distance")
    with controls[2]:
        given["where"] = choices.among(view, index)
    # A picture of a set that we ship is chosen for all pages; one of another index is a query here alone.
    shipped = references.reference(index, 0) is not None
    trail = "picture" if shipped else "query"
    if controls[3].button("Back", icon=":material/arrow_back:", disabled=not selection.can_return(trail)):
        selection.back(trail)
        st.rerun()
    query = None if shipped else selection.get("query")
    number = references.index_of(index, picture if query is None else query)
    given["image"] = picture if number is None else number
    choices.more(view, given, style)
    if query is not None and number is not None and st.button("This picture on all pages", icon=":material/image:"):
        embedding_maps.take(index, number)
        selection.again()
    if not widgets.are_read(index):
        selection.stop()
    result = caches.computed(view, given)
    figure = result.figure(**style)
    st.caption(literal(f"{figure.title}. Click a picture to make it the query."))
    for space, panel in zip(SPACES, figure.panels, strict=True):
        ranking = result.ranking(space)
        st.subheader("In feature space" if space == "features" else "In pixel space")
        st.caption(literal(f"{result.agrees(space)}."))
        clicked = widgets.show_gallery(
            replace(panel, names=(f"query: {result.name}", *result.classes(space))),
            f"neighbours-{space}-{number if number is not None else result.facts['pixels'][:12]}",
            0,
            ["", *map(neighbours.written, ranking.distances)],
            f"{space}: {figure.alt}",
            wall=f"neighbours-{space}",
        )
        if clicked:
            chosen = int(ranking.images[clicked - 1])
            selection.follow(trail, references.reference(index, chosen) or chosen)
            st.rerun()
    st.caption(literal(figure.note))
    with st.expander(
        "Do features know more than pixels? Measured over the whole index",
        expanded=selection.flag("measure"),
        icon=":material/straighten:",
    ):
        _offer_to_measure(given)
    choices.show(view, given, style, figure)


def _offer_to_measure(given: dict[str, Any]) -> None:
    st.caption(
        f"How many of the {given['k']} nearest pictures have a picture's label; and how near its mirrored copy would "
        "be, which shows the same with other pixels in other places: its rank among all others, the median over many."
    )
    if selection.controlled(st.toggle, "Measure", "measure", selection.flag("measure")):
        _measure({name: given[name] for name in ("index", "k", "metric")})


def _measure(asked: dict[str, Any]) -> None:
    """Both measurements in both spaces, of neighbours as many and as far as those above."""
    view, style = VIEWS["agreement"], dict[str, Any]()
    choices.more(view, asked, style)
    job = jobs.start(f"{view.name} {caches.identity(**asked)}", lambda progress: view(**asked, progress=progress))
    if (measured := jobs.show(job, "Measuring", "steps")) is None:
        return
    for column, space in zip(st.columns(2), SPACES, strict=True):
        share, rank = measured.shares[space], measured.ranks[space]
        if share is not None:
            column.metric(f"Same label among the {asked['k']} nearest in {space}", f"{share:.1%}")
        column.metric(f"Median rank of the mirrored copy in {space}", f"{rank:,g}")
    st.caption(literal(measured.said))
    choices.show(view, asked, style, measured.figure(**style), "Export what was measured")
