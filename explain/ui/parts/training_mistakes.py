"""What a trained network takes for what, on pictures it was not trained on, and where it is surest of a mistake."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st

from explain import workspace
from explain.errors import ExplainError
from explain.figure import Panel
from explain.index import Index
from explain.network.model import Model
from explain.training import recipe
from explain.training.history import Run
from explain.ui import caches, choices, jobs, selection, widgets
from explain.ui.navigation import script
from explain.ui.parts import embedding_maps
from explain.ui.parts.section import link_to_section
from explain.ui.text import literal
from explain.views import VIEWS, confusion
from explain.workspace import runs

TESTED = {"fashion-mnist-train": "fashion-mnist", "mnist-train": "mnist"}
SEEN = "These pictures were trained on: on new ones it is worse. Keep a share for validation to see how much."


class Judged(NamedTuple):
    """Pictures by name, how many of them, and the numbers of those held out (all where there are none)."""

    data: str
    limit: int
    numbers: Sequence[int] | None
    said: str


def judged(run: Run, folder: Path | None) -> Judged:
    """The pictures that say most of a training. Raises ExplainError where they are not there any more."""
    wanted = runs.request_of(folder) if folder else None
    data, limit = (wanted.data, wanted.limit) if wanted else (run.data, 0)
    if data in TESTED:
        return Judged(TESTED[data], 0, None, "The test pictures, which the training never saw.")
    numbers = (
        runs.held_out(runs.images_of(data, limit), recipe(wanted.recipe).changed(**wanted.changes)) if wanted else None
    )
    if numbers is None:
        return Judged(data, limit, None, SEEN)
    return Judged(data, limit, numbers.tolist(), "The pictures held out for validation.")


def show_mistakes(model: Model, run: Run, folder: Path | None) -> None:
    """On demand: every picture has to go through the network once."""
    st.subheader("What it takes for what")
    view = VIEWS["confusion"]
    key = view.key("part")
    part = selection.get(key, "")
    if part not in confusion.PARTS:
        words = "Sends the test pictures through the network once; other pages use the same index."
        if st.button("Confusion matrix and worst mistakes", icon=":material/grid_on:", help=words):
            selection.choose(key, "matrix")
            selection.again()
        return
    try:
        index, of = _pictures(model, run, folder)
    except ExplainError as error:
        widgets.show_error(error)
        return
    if index is None:
        return
    selection.controlled(
        st.segmented_control, "Show", key, part, list(confusion.PARTS), format_func=confusion.PARTS.get
    )
    given: dict[str, Any] = {"index": index}
    style: dict[str, Any] = {"part": part}
    with widgets.row("controls-among"):
        left, _ = st.columns([2, 3])
    with left:
        given["where"] = choices.among(view, index)
    choices.more(view, given, style)
    if given["pictures"] is None:
        given["pictures"] = of.numbers
    result = caches.computed(view, given)
    figure = result.figure(**style)
    with widgets.row("cards"):
        first, second, third, _ = st.columns(4)
    first.metric("Right", f"{result.top1:.1%}")
    if len(result.classes) > 5:
        second.metric("Among the first five", f"{result.top5:.1%}")
    third.metric("Pictures", f"{result.images:,}")
    st.caption(literal(f"{of.said} {result.sentence()}".strip()))
    if part == "mistakes":
        _tiles(model, index, result)
    elif part == "matrix":
        with st.columns([3, 1])[0]:
            widgets.show_charts(figure, 1)
    else:
        widgets.show_charts(figure, len(figure.panels))
    choices.show(view, given, style, figure, "Export this")


def _pictures(model: Model, run: Run, folder: Path | None) -> tuple[Index | None, Judged]:
    """An index that was chosen, or that of the pictures that say most; None until it is there."""
    known = workspace.list_indexes(model)
    asked = selection.get("judged", "")
    chosen = next((name for name, place in known.items() if asked in (name, place.name)), "")
    with widgets.row("controls-judged"):
        left, _ = st.columns([2, 3])
    with left:
        selection.controlled(
            st.selectbox,
            "Over which pictures",
            "judged",
            chosen,
            ["", *known],
            format_func=lambda name: name or "those that say most of the training",
        )
    if chosen:
        return caches.index(model, known[chosen]), Judged(chosen, 0, None, "")
    of = judged(run, folder)
    return _index(model, of), of


def _index(model: Model, of: Judged) -> Index | None:
    """The index over these pictures, made at first need."""
    shipped = not of.limit and not of.data.startswith("zip/")
    key = f"index {model.digest} {of.data}" if shipped else f"index {model.digest} {of.data} {of.limit}"

    def build(progress: jobs.Progress) -> str:
        return str(workspace.build_index(model, runs.images_of(of.data, of.limit), progress=progress).folder)

    folder = jobs.show(jobs.start(key, build), f"Index the pictures with {model.name}")
    if folder and not Path(folder).is_dir():  # removed since
        jobs.forget(key)
        selection.again()
    return caches.index(model, Path(folder)) if folder else None


def _tiles(model: Model, index: Index, result: confusion.Confusion) -> None:
    """The worst mistakes; one that is clicked becomes the picture of all pages."""
    if not result.mistakes:
        st.success("It makes no mistake here.", icon=":material/check:")
        return
    (panel,) = result.figure(part="mistakes").panels
    assert isinstance(panel, Panel)
    names = tuple(f"{one.label}, seen as {one.prediction}" for one in result.mistakes)
    clicked = widgets.show_gallery(
        replace(panel, names=names),
        f"mistakes-{model.name}",
        None,
        [f"{one.confidence:.0%}" for one in result.mistakes],
        "The mistakes it is surest of",
    )
    if clicked is not None:
        one = result.mistakes[clicked]
        selection.choose("model", model.name)  # first: another model lets go of the picture
        embedding_maps.take(index, one.image)
        selection.choose("mistake", f"{one.label}, seen as {one.prediction} ({one.confidence:.0%})")
        selection.again()
    mistake: Any = selection.get("mistake")
    if not mistake:
        st.caption("Click a picture to see on all pages why.")
        return
    st.caption(literal(f"{mistake}: it is the picture of all pages now, and {model.name} their network."))
    with widgets.row("controls-mistake"):
        cells = st.columns(3)
    cells[0].page_link(script("saliency"), label="Why this class", icon=":material/center_focus_strong:")
    cells[1].page_link(script("layers"), label="Layer by layer", icon=":material/layers:")
    with cells[2]:
        link_to_section("pictures", "neighbours", "Pictures like it", ":material/compare:")
