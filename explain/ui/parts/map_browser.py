"""A map of pictures to walk in, while it settles and after; what was picked on it, and what is near the picture that
was opened."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from explain.figure import Figure
from explain.images import png
from explain.index import Index, references
from explain.projections.projection import PROJECTIONS
from explain.ui import caches, choices, jobs, selection, widgets
from explain.ui.explorer import explorer
from explain.ui.parts import embedding_maps
from explain.ui.parts.tagging import offer_tags, tags_said
from explain.ui.text import literal
from explain.views import VIEWS, neighbours
from explain.views.embedding import Embedding
from explain.views.parts import map_plot

__all__ = ["show_map"]

FEATURES = "features"
LABELS = {"count": "So many pictures only", "measure": "Measure how far to trust it"}
MOST_SHOWN = 240  # pictures of a selection
SETTLING = 1.0  # seconds between two looks at a map that settles

VIEW = VIEWS["embedding"]


def show_map(index: Index, picture: Image.Image) -> None:
    asked = _Asked(index, picture)
    browser = _Browser(asked)
    browser.show()
    if browser.opened is not None and widgets.are_read(index):
        _show_opened(browser.first, browser.opened, asked)
    if browser.made[0] is not None:
        _show_figure(asked, browser.made[0], browser.thumbs)


class _Asked:
    """What is asked for, by the widgets above the map: one map or two, and the picture of all pages on them.

    own: the picture's number in the index, None for a stranger.
    """

    def __init__(self, index: Index, picture: Image.Image) -> None:
        self.index = index
        self.own = caches.cached(references.index_of, index, picture)
        self.stranger = picture if self.own is None else None
        self.given: dict[str, Any] = {"index": index}
        beside = self._choose_map()
        second, placed = self._choose_options(beside)
        self.wanted = [embedding_maps.Wanted({**self.given})]
        if beside:
            self.wanted.append(embedding_maps.Wanted({**self.given, "options": second}))
        self.place: Sequence[Any] = ()
        if self.given["layer"] is None:  # unless others are named, the picture of all pages has its place
            usual = [] if self.stranger is None else [self.stranger]
            self.place = placed if selection.get(VIEW.key("place")) else usual

    def _choose_map(self) -> bool:
        """Method, layer and pictures; returns whether there are two maps."""
        given, model = self.given, self.index.model
        with widgets.row("controls"):
            controls = st.columns([2, 3, 2, 2, 2], vertical_alignment="bottom")
        with controls[0]:
            given["method"] = widgets.choose_entry(PROJECTIONS, VIEW.key("method"), "Map").name
        with controls[1]:
            layers = [FEATURES, *(layer.name for layer in model.layers)]
            layer = selection.get(VIEW.key("layer"), FEATURES)
            layer = layer if layer in layers else FEATURES
            selection.controlled(
                st.selectbox,
                "Of which layer",
                VIEW.key("layer"),
                layer,
                layers,
                help="The features are what the classifier decides by.",
            )
            given["layer"] = None if layer == FEATURES else layer
        with controls[2]:
            given["where"] = choices.among(VIEW, self.index)
        with controls[4]:
            if given["layer"] and model.layer(layer).spatial:
                given["pooling"] = choices.option(VIEW, "pooling", "Its maps")
        with controls[3]:
            some = choices.chosen(VIEW, "count") is not None
            words = "Of all pictures only: two draws may be of different ones." if some else None
            on = selection.flag("two_maps") and not some
            return bool(selection.controlled(st.toggle, "Two side by side", "two_maps", on, disabled=some, help=words))

    def _choose_options(self, beside: bool) -> tuple[dict[str, Any], Sequence[Any]]:
        """The rest; returns the options of a second map, and the pictures that were named to be placed."""
        given, method, placed = self.given, PROJECTIONS[self.given["method"]], list[Any]()
        with st.expander(f"Options of {method.label}", icon=":material/tune:", expanded=beside):
            given["options"] = choices.entry_options(VIEW, given)
            named = ["count", "measure", "palette", *(["place"] if not given["layer"] else [])]
            for cell, name in widgets.in_rows("of-map", named):
                with cell:
                    if name == "place":
                        placed = choices.typed(VIEW, name, given, "Pictures placed on it")
                    elif name == "palette":
                        self.palette = choices.option(VIEW, name, "Colours of many classes")
                    else:
                        given[name] = choices.option(VIEW, name, LABELS[name])
            return (_second_options(given) if beside else {}), placed


def _second_options(given: dict[str, Any]) -> dict[str, Any]:
    """Options of a second map of the same pictures, which begin as the first's, with another seed."""
    st.caption("The second map, of the same pictures")
    method, before = PROJECTIONS[given["method"]], given["options"]
    chosen = {}
    for cell, spec in widgets.in_rows("options-second", list(method.options.values())):
        usual = (before["seed"] + 1) % 2**31 if spec.name == "seed" else before[spec.name]
        with cell:
            label = spec.name.replace("_", " ").capitalize().replace("Pca", "PCA")
            key = f"second.{method.name}.{spec.name}"
            chosen[spec.name] = widgets.option(replace(spec, default=usual), key, label)
    return chosen


class _Browser:
    """The explorer of the maps, those that are made and those that settle."""

    def __init__(self, asked: _Asked) -> None:
        self.asked = asked
        self.made = [one.made(asked.place) for one in asked.wanted]
        self.complete = all(result is not None for result in self.made)
        there = next(filter(None, self.made), None)
        self.first = there or embedding_maps.first_picture(asked.index, asked.given["where"])
        numbers = self.first.images.tolist()
        self.thumbs, self.thumbs_job = embedding_maps.thumbnails(asked.index, numbers)
        chosen = str(selection.get("point", "" if asked.own is None else asked.own))
        known = {number: k for k, number in enumerate(numbers)}
        self.lacks_own = asked.own is not None and asked.own not in known
        self.opened = known.get(int(chosen)) if chosen.isdecimal() and len(chosen) < 10 else None
        self.settling = self._at_work()

    def show(self) -> None:
        looks_again = SETTLING if self.settling or self.thumbs_job.active else None
        st.fragment(self._explore, run_every=looks_again)()

    def _at_work(self) -> bool:
        maps = zip(self.asked.wanted, self.made, strict=True)
        return any(one.job().active for one, result in maps if result is None)

    def _explore(self) -> None:
        if self.thumbs is None and self.thumbs_job.state == "done":
            selection.again()
        with st.container(key="map-said"):
            self._say()
        asked = self.asked
        shown = (
            embedding_maps.explored(asked.wanted, asked.place, self.thumbs, asked.palette)
            if self.complete
            else embedding_maps.settling(asked.wanted, self.thumbs, asked.palette)
        )
        if shown is None:
            return
        alt, key = f"A map of {len(shown.files):,} pictures", f"explorer-{asked.index.model.name}"
        choice = explorer(shown, key=key, alt=alt, opened=self.opened)
        if choice.opened is not None and choice.opened != self.opened:
            selection.choose("point", int(self.first.images[choice.opened]))
            selection.again()
        if len(choice.picked):
            _show_picked(self.first, choice.picked, self.thumbs)

    def _say(self) -> None:
        """What to make of the maps; until they are there, their progress, or why there is none."""
        asked = self.asked
        if self.complete:
            there = [one for one in self.made if one]
            told = self.first.caveat + map_plot.fidelity_of(there)
            told += "".join(f" {said}" for said in dict.fromkeys(said for one in there for said in one.remarks))
            if asked.stranger is not None and asked.given["layer"]:
                told += " The chosen picture is not marked: new pictures have a place on maps of the features only."
            if self.lacks_own:
                told += " The chosen picture is not among these."
            st.caption(literal(told))
            return
        for one, result in zip(asked.wanted, self.made, strict=True):
            if result is None:
                job = one.job()
                if job.active:
                    one.watch(job)
                elif job.state == "done":
                    selection.again()
                else:
                    jobs.show_end(job, f"Make the {one.name} map")
        if self.settling != self._at_work():
            selection.again()  # there is nothing more to look out for, or there is again


def _show_picked(result: Embedding, picked: np.ndarray, thumbs: Any) -> None:
    """The pictures of a selection, their classes, and a table of them to take away."""
    st.subheader(f"{len(picked):,} picked")
    labelled = map_plot.coloured_by(result, "class") == "label"
    names = [(result.labels if labelled else result.predictions)[k] or "unlabelled" for k in picked.tolist()]
    counts = Counter(names).most_common()
    left, right = st.columns([3, 1], gap="medium")
    with left:
        if thumbs is not None:
            some = picked[:MOST_SHOWN]
            widgets.show_gallery(map_plot.sheet(thumbs, some, names), "picked", None, alt="The picked pictures")
            if len(some) < len(picked):
                st.caption(f"The first {len(some)} of {len(picked):,}; the table has all.")
    with right:
        widgets.show_table(
            {"label" if labelled else "prediction": [name for name, _ in counts], "pictures": [n for _, n in counts]},
            height=260,
        )
        offer_tags(result.index, result.images[picked].tolist(), "picked", alone=True)
        table = {name: [column[k] for k in picked.tolist()] for name, column in result.table.items()}
        st.download_button(
            "Table (CSV)",
            lambda: Figure("Picked", (), {**result.facts, "picked": len(picked)}, table=table).encode("csv"),
            file_name="picked.csv",
            mime="text/csv",
            on_click="ignore",
            icon=":material/download:",
        )


def _show_opened(first: Embedding, opened: int, asked: _Asked) -> None:
    """The picture of a dot, what it is taken for, and its nearest ones."""
    index, number = first.index, int(first.images[opened])
    near = caches.computed(VIEWS["neighbours"], {"index": index, "image": number, "where": asked.given["where"]})
    left, right = st.columns([1, 4], gap="medium", vertical_alignment="center")
    with left:
        st.image(png(near.tile, effort=1), width="stretch", output_format="PNG", alt=first.files[opened])
        label = first.labels[opened] or "unlabelled"
        unjudged = ", which cannot be judged, as it has no class of that name" if first.labels[opened] else ""
        right_or_wrong = {True: ", rightly", False: ", wrongly", None: unjudged}[first.right[opened]]
        seen = f"{first.files[opened]}: {label}; seen as {first.predictions[opened]}{right_or_wrong}"
        st.caption(literal(f"{seen} ({first.confidence[opened]:.0%})."))
        st.caption(literal(tags_said(index, number)))
        offer_tags(index, [number], "opened")
        words = "Make it the picture of all pages."
        if number != asked.own and st.button("Use on all pages", icon=":material/check:", help=words):
            embedding_maps.take(index, number)
            selection.again()
    with right:
        panel = near.figure().panels[0]
        clicked = widgets.show_gallery(
            replace(panel, names=(f"this: {near.name}", *near.classes("features"))),
            f"near-{number}",
            0,
            ["", *map(neighbours.written, near.features.distances)],
            "Its nearest in feature space",
            wall="neighbours-features",
        )
        st.caption(literal(f"Its nearest in feature space. {near.agrees('features')}."))
        if clicked:
            selection.choose("point", int(near.features.images[clicked - 1]))
            selection.again()


def _show_figure(asked: _Asked, result: Embedding, thumbs: Any) -> None:
    style = {"palette": asked.palette}
    with widgets.row("controls-figure"):
        cells = st.columns([2, 2, 6], vertical_alignment="bottom")
    with cells[0]:
        style["colour"] = choices.option(VIEW, "colour", "Colours of the figure", more=result.columns)
    with cells[1]:
        style["thumbnails"] = choices.option(VIEW, "thumbnails", "Pictures, not dots")
    given = {**asked.given, **({"place": asked.place} if asked.given["layer"] is None else {})}
    choices.more(VIEW, given, style, without=VIEW.parameters, label="More of the figure")
    choices.show(VIEW, given, style, result.figure(thumbs, **style))
