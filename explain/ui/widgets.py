"""Pieces that pages share: choosing, showing a figure, and errors."""

import html
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import ImageColor

from explain import workspace
from explain.data import EXTENSIONS, list_images, named_images
from explain.errors import ExplainError
from explain.figure import Figure, Panel, Scale
from explain.figure.spots import Spot, spots
from explain.images import enlarge, png
from explain.index import Index
from explain.index.references import left_out
from explain.nets import NETS
from explain.network.graph import Graph
from explain.network.model import Layer, Model
from explain.options import Choices, Option, Range
from explain.progress import listening
from explain.project import project
from explain.registry import Entry
from explain.ui import caches, dropped, jobs, selection
from explain.ui.chart import chart
from explain.ui.gallery import gallery
from explain.ui.glossary import explained
from explain.ui.navigation import script
from explain.ui.text import literal
from explain.workspace import picture_sets

Align = Literal["top", "bottom"]
LEAST_PIXELS = 336
SKIPPED_SHOWN = 1000  # files that were left out
READ_AT_ONCE = 500  # pictures, while the page waits
OWN_SHOWN = 100  # pictures of a set that the list offers
ICON = Path(__file__).parent / "icon.png"
UPLOADS = [*(extension.removeprefix(".") for extension in EXTENSIONS), "svg", "pdf"]
STYLE = """
<style>
[data-testid="stImage"] img { image-rendering: pixelated; border-radius: 4px; }
[class*="st-key-smooth-"] [data-testid="stImage"] img, [class*="st-key-chart-"] [data-testid="stImage"] img {
  image-rendering: auto; border: 1px solid #8884; }
[data-testid="stElementToolbar"] { display: none; }
[data-testid="stMainBlockContainer"] { padding-top: 2.6rem; max-width: 1500px;
  padding-left: clamp(1.2rem, 4vw, 4rem); padding-right: clamp(1.2rem, 4vw, 4rem); }
/* Rows of columns wrap where the page is narrow, instead of squeezing what stands in them. */
[class*="st-key-row-"] [data-testid="stHorizontalBlock"] { flex-wrap: wrap; }
[class*="st-key-row-controls"] [data-testid="stColumn"] { min-width: 140px; }
[class*="st-key-row-controls"] [data-testid="stColumn"]:first-child { min-width: 165px; }
.st-key-row-cards [data-testid="stColumn"] { min-width: 128px; }
[class*="st-key-row-split"] > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"] >
  [data-testid="stColumn"] { min-width: min(300px, 100%); }
[class*="st-key-row-panels"] [data-testid="stColumn"] { min-width: 150px; }
/* What goes on below stays as wide as it was in its row. */
@media (max-width: 1100px) {
  [class*="st-key-row-panels"] [data-testid="stHorizontalBlock"] { display: grid;
    grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); }
  [class*="st-key-row-panels"] [data-testid="stColumn"] { width: auto !important; }
  [class*="st-key-row-panels"] [data-testid="stImage"] img { image-rendering: auto; } /* smaller: lines must not go */
  [class*="st-key-row-panels-Augmentation"] [data-testid="stHorizontalBlock"] {
    grid-template-columns: repeat(auto-fill, minmax(64px, 1fr)); gap: .8rem; }
}
@media (max-width: 768px) { [data-testid="stMain"] h1 { font-size: 2rem; } }
/* Draws beside their picture: what does not fit goes on below, as large as the others. */
[class*="st-key-row-panels-Augmentation"] [data-testid="stColumn"] { min-width: 0;
  flex: 0 0 clamp(92px, 7.6vw, 112px); }
/* What a switch or a button says goes on below rather than being cut, and so does a row of sections, closed. */
[data-testid="stMain"] .stMarkdownEllipsis, [data-testid="stMain"] .stMarkdownEllipsis p { white-space: normal; }
[data-testid="stMain"] [data-variant="segmented_control"]:not([data-selected], :hover) {
  border-right-color: color-mix(in srgb, currentColor 20%, transparent) !important; }
.numbers { width: 100%; border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
.numbers :is(th, td) { padding: .3rem .4rem; border: 1px solid #8884; text-align: right; }
.numbers th { font-weight: normal; opacity: .75; overflow-wrap: anywhere; }
.numbers.named :is(th, td):first-child { text-align: left; overflow-wrap: normal; }
/* A table that goes on at its right fades there, until it has been moved to its end. */
[data-testid="stDataFrameResizable"] { timeline-scope: --across; mask: linear-gradient(to left, #0000, #000 3rem) 0 0 /
  calc(100% + 3rem) 100% no-repeat; animation: across linear both; animation-timeline: --across; }
[data-testid="stDataFrameResizable"] .dvn-scroller { scroll-timeline: --across x; }
@keyframes across { 0%, 90% { mask-size: 100% 100%; } }
/* What the sidebar says, where it is folded away. */
.context { padding-top: 1.6rem; font-size: .85rem; opacity: .75; } /* clear of the header, which lies over it */
@media (min-width: 769px) { .context { display: none; } }
/* A map's progress gives way to what is said of it, and nothing below moves. */
.st-key-map-said { min-height: 3.2rem; justify-content: center; }
.bar { height: 10px; border-radius: 3px; }
.ticks { display: flex; justify-content: space-between; font-size: .75rem; opacity: .75;
  font-variant-numeric: tabular-nums; }
.scores { display: grid; grid-template-columns: fit-content(55%) minmax(3rem, 1fr) max-content; gap: .35rem .7rem;
  align-items: center; font-size: .9rem; overflow-wrap: anywhere; }
.scores .value { text-align: right; font-variant-numeric: tabular-nums; }
.scores .track { background: color-mix(in srgb, currentColor 12%, transparent); border-radius: 3px; height: .6rem; }
.scores .fill { display: block; background: var(--st-primary-color, #0f6e84); border-radius: 3px; height: .6rem; }
[data-testid="stMetricValue"] { font-size: 1.55rem; }
</style>
"""
# Charts are drawn for paper: on a dark page their white is dark, their ink light, and their hues as they were.
DARK = """
<style>[class*="st-key-chart-"] [data-testid="stImage"] img { filter: invert(.9) hue-rotate(180deg); }</style>
"""


def choose_model_and_pictures() -> None:
    """The sidebar: model, picture, upload, picture set. Comes before the page, and stays usable when that fails."""
    st.html(STYLE + (DARK if st.context.theme.type == "dark" else ""))
    with st.sidebar:
        name = selection.get("model", caches.default_model())
        names = list(dict.fromkeys([*workspace.list_models(), name]))
        selection.controlled(
            st.selectbox,
            "Model",
            "model",
            name,
            names,
            accept_new_options=True,
            help="A shipped model or one trained here, or type torchvision:NAME or timm:NAME, with published weights; "
            "NAME?weights=random shows what is architecture.",
        )
        model = caches.model(name)
        choose_picture(model, "picture", "Picture")
        choose_set(model)
        _lead_to_layer(model)
        refused = dropped.upload("Or upload one, or a figure saved here", UPLOADS)
        if refused:  # the page goes on with the earlier picture
            show_error(refused)
        seen = model.preprocess.shown(model.preprocess.crop(caches.picture()))
        st.image(
            png(seen, effort=1),
            "What the network sees",
            width="stretch",
            output_format="PNG",
            alt="The picture as the network sees it",
        )
        for note in caches.picture().info.get("notes", ()):
            st.caption(literal(note))
        st.page_link(script("models"), label="Add your own", icon=":material/add:")
    reference = str(selection.get("picture", caches.demo_picture(model)))
    shown = f"{name} · {dropped.uploaded().get(reference) or describe(reference)}"
    st.html(f'<div class="context">{html.escape(shown)}</div>')


def _lead_to_layer(model: Model) -> None:
    """From any page back to the layer and the channel that were chosen last, or to where one is chosen."""
    selected = st.session_state.selection  # without a part in this page's URL
    layer, channel = selected.get("layer"), selected.get("channel")
    if layer not in {one.name for one in (*model.layers, *model.blocks)}:
        st.page_link(script("layers"), label="Choose a layer", icon=":material/layers:")
    elif not str(channel).isdecimal():
        st.page_link(script("layers"), label=literal(layer), icon=":material/layers:")
    else:
        label = literal(f"{layer} · channel {channel}")
        st.page_link(script("channel"), label=label, icon=":material/filter_center_focus:")


def choose_picture(model: Model, name: str, label: str) -> None:
    """A select box over the shipped pictures that suit the model, and this visitor's uploads."""
    uploaded = dropped.uploaded()
    chosen = selection.get(name, caches.demo_picture(model, name))
    own = own_references() if model.name in project().models else []
    options = list(dict.fromkeys([*uploaded, *own, *demo_references(model.preprocess.channels), chosen]))
    selection.controlled(
        st.selectbox,
        label,
        name,
        chosen,
        options,
        format_func=lambda reference: uploaded.get(reference) or describe(reference),
        accept_new_options=True,
        help="Type SET/NUMBER for any other picture of a set, such as fashion-mnist/1234.",
    )


@cache
def networks() -> list[str]:
    """The lectures' networks, torchvision's and timm's."""
    import timm
    from torchvision import models

    torchvisions = [*models.list_models(module=models), *models.list_models(module=models.segmentation)]
    theirs = [*(f"torchvision:{name}" for name in torchvisions), *(f"timm:{name}" for name in timm.list_models())]
    return [*NETS, *theirs]


def own_references() -> list[str]:
    """The first pictures of each set of explain.toml."""
    sets = {name: len(caches.named_images(name)) for name in project().images}
    return [f"{name}/{k}" for name, count in sets.items() for k in range(min(count, OWN_SHOWN))]


@cache
def demo_references(channels: int) -> list[str]:
    """Every photograph, or three pictures of each class of Fashion-MNIST."""
    photos = [f"photos/{file.replace(chr(92), '/').rpartition('/')[2]}" for file in named_images("photos").files]
    images = named_images("fashion-mnist")
    clothes = [f"fashion-mnist/{i}" for c in range(10) for i in np.flatnonzero(images.labels == c)[:3]]
    return [*clothes, *photos] if channels == 1 else [*photos, *clothes]


@cache
def describe(reference: str) -> str:
    family, _, key = str(reference).partition("/")
    if family == "upload":
        return f"upload {key[:8]}"
    if family == "fashion-mnist" and key.isdecimal() and int(key) < 10_000:
        images = named_images("fashion-mnist")
        assert images.labels is not None
        return f"{images.classes[images.labels[int(key)]]} · {key}"
    return key.rpartition(".")[0] or str(reference)


def choose_set(model: Model) -> None:
    """The many pictures that pages look through: the demo's, one's own, or what an index of the workspace is over."""
    found, own = workspace.list_indexes(model), own_sets()
    demos, chosen = caches.demo_sets(model), _chosen_set(model, found)
    if chosen not in (*demos, *own, *found):
        selection.say_unknown("index", chosen)
        selection.choose("index", chosen := usual_set(model))
    selection.controlled(
        st.selectbox,
        "Picture set",
        "index",
        chosen,
        list(dict.fromkeys([*own, *demos, *found])),
        help="What pages of many pictures look through. Your own: hand them in on the page Models and data, name them "
        "in explain.toml, or `python -m explain index MODEL FOLDER` adds them here.",
    )


def index_of_set(model: Model) -> Index | None:
    """What the network made of the pictures of the set, which it looks through at first need.

    None until it is there; its progress is shown meanwhile.
    """
    found = workspace.list_indexes(model)
    chosen = _chosen_set(model, found)
    if chosen not in found:
        job = index_job(model, chosen)
        if not jobs.show(job, f"Index {chosen} with {model.name}"):
            return None
        found = workspace.list_indexes(model)
        if chosen not in found:  # its folder has been removed since
            jobs.forget(job.key)
            selection.again()
    index = caches.index(model, found[chosen])
    show_skipped(chosen, left_out(index.manifest, index.skipped))
    return index


def offer_index(model: Model) -> Index | None:
    """The same where it is there or on its way; none is built on this page unless a button asks for it."""
    found = workspace.list_indexes(model)
    chosen = _chosen_set(model, found)
    known = chosen in found or jobs.find(index_key(model, chosen)) is not None
    if known or st.button(f"Look through {literal(chosen)}", icon=":material/search:", help=explained("index")):
        return index_of_set(model)
    return None


def own_sets() -> list[str]:
    """Sets of explain.toml, and those that were handed in."""
    return [*project().images, *picture_sets.named()]


def usual_set(model: Model) -> str:
    own = own_sets()
    return own[0] if own and caches.is_own(model) else caches.demo_set(model)


def _chosen_set(model: Model, found: Mapping[str, Path]) -> str:
    chosen = str(selection.get("index", usual_set(model)))
    return next((name for name, folder in found.items() if folder.name == chosen), chosen)  # as figures have it


def show_skipped(name: str, by_index: Mapping[str, str] = MappingProxyType({})) -> None:
    """What was left out of pictures, when they were handed in and by an index over them, counted and listed with its
    reason; nothing where that is nothing."""
    kept = picture_sets.named().get(name)
    skipped = {**(kept.skipped if kept else {}), **by_index}
    if not skipped:
        return
    with st.popover(f"{len(skipped):,} left out", icon=":material/rule:"):
        some = list(skipped)[:SKIPPED_SHOWN]
        show_table({"file": some, "why": [skipped[name] for name in some]})
        if len(some) < len(skipped):
            st.caption(f"The first {len(some):,} of {len(skipped):,}; `python -m explain index ... --json` lists all.")


def queried(index: Index, picture: Any) -> Any:
    """The picture asked about: one of an index of the user's own that was chosen by its number, else that of all
    pages."""
    number = selection.number("query", -1, -1, len(index) - 1)
    return picture if number < 0 else number


def build(model: Model, chosen: str, progress: jobs.Progress) -> str:
    """An index over a set of pictures by its name."""
    uploaded = None if chosen in list_images() else picture_sets.named().get(chosen)
    images = picture_sets.images_of(uploaded.reference) if uploaded else named_images(chosen)
    return str(workspace.build_index(model, images, progress=progress).folder)


def are_read(index: Index) -> bool:
    """Whether all pictures of an index have been read, which neighbours in pixels need; a job where they are many."""

    def pixels(progress: jobs.Progress) -> bool:
        with listening(progress):
            return len(index.pixels) > 0

    if index.has_pixels or len(index) <= READ_AT_ONCE:
        return True
    return bool(jobs.show(jobs.start(f"pixels {caches.identity(index)}", pixels, "short"), "Reading the pictures"))


def index_job(model: Model, chosen: str) -> jobs.Job:
    return jobs.start(index_key(model, chosen), lambda progress: build(model, chosen, progress))


def index_key(model: Model, chosen: str) -> str:
    return f"index {model.digest} {chosen}"


def choose_layer(
    layers: list[Layer],
    name: str = "layer",
    default: str | None = None,
    label: str = "Layer",
    graph: Graph | None = None,
) -> str:
    """graph: with it, a layer that is none of these gives way to one that is a node with it, and stays chosen."""
    by_name = {layer.name: layer for layer in layers}
    chosen = selection.get(name)
    if graph is not None and chosen is not None and chosen not in by_name:
        chosen = next((one for one in reversed(graph.folded_with(chosen)) if one in by_name), chosen)
    if chosen is None and default in by_name:
        chosen = default  # without choosing it: another model has another
    if chosen not in by_name:
        if chosen is not None:
            selection.say_unknown(name, chosen)
        chosen = default if default in by_name else next(iter(by_name))
        selection.choose(name, chosen)

    def described(key: str) -> str:
        layer = by_name[key]
        return f"{key}  ·  {layer.kind} {'×'.join(map(str, layer.shape))}"

    selection.controlled(st.selectbox, label, name, chosen, list(by_name), format_func=described)
    return str(chosen)


def chosen(spec: Option, name: str) -> Any:
    """An option's value; one that it cannot have gives way to its default."""
    try:
        return spec.check(selection.get(name, spec.default))
    except ExplainError:
        selection.say_unknown(name, selection.get(name))
        selection.choose(name, spec.default)
        return spec.default


def option(
    spec: Option,
    name: str | None = None,
    label: str | None = None,
    said: Callable[[Any], str] = str,
    more: Iterable[str] = (),
) -> Any:
    """The widget that a registered option's type and bounds ask for; its value is part of the permalink.

    said: how one of its choices is written; more: those beside the ones that it names.
    """
    name, label = name or spec.name, label or spec.name.replace("_", " ").capitalize()
    if isinstance(spec.bounds, Choices) and spec.bounds.more:
        spec = replace(spec, bounds=Choices(*spec.bounds.values, *more, help=spec.help))
    value = chosen(spec, name)
    help = spec.help or None
    if spec.type is bool:
        return selection.controlled(st.toggle, label, name, value, help=help)
    if isinstance(spec.bounds, Range):
        low, high = spec.type(spec.bounds.low), spec.type(spec.bounds.high)
        if spec.optional or high - low > 1000:
            return selection.controlled(
                st.number_input, label, name, value, low, high, help=help, placeholder="by default"
            )
        return selection.controlled(st.slider, label, name, value, low, high, help=help)
    values = list(spec.bounds.values) if spec.bounds else []
    return selection.controlled(st.selectbox, label, name, value, values, help=help, format_func=said)


def choose_entry(registry: Mapping[str, Entry], name: str, label: str) -> Entry:
    chosen = selection.get(name, next(iter(registry)))
    if chosen not in registry:
        selection.say_unknown(name, chosen)
        selection.choose(name, chosen := next(iter(registry)))
    selection.controlled(
        st.selectbox,
        label,
        name,
        chosen,
        list(registry),
        format_func=lambda key: registry[key].label,
    )
    return registry[chosen]


def show_gallery(
    panel: Panel,
    key: str,
    selected: int | None,
    values: list[str] | None = None,
    alt: str = "",
    rows_of: int | None = None,
    wall: str | None = None,
) -> int | None:
    """A contact sheet to click; returns the number of the tile clicked in this run."""
    grid = panel.grid
    assert grid is not None, "a contact sheet"
    return gallery(
        png(on_page(panel), effort=1),
        columns=grid.columns,
        tile=(grid.tile_width, grid.tile_height),
        gap=grid.gap,
        count=len(panel.names),
        names=panel.names,
        selected=selected,
        values=values or (),
        alt=alt,
        key=key,
        rows_of=rows_of,
        wall=wall,
    )


def show_panels(figure: Figure, columns: int | list[int] | None = None, name: str = "", align: Align = "top") -> None:
    """The panels of a figure, crisp, each with its scale; columns may be given by their relative widths.

    A name tells figures of one title apart; aligned at the bottom, pictures stand in line below titles of any length.
    """
    panels = [panel for panel in figure.panels if isinstance(panel, Panel)]
    columns = columns or min(figure.columns, len(panels))
    with row(f"panels-{figure.title}{name}"):
        cells = _cells(columns, len(panels), align)
    for column, panel in zip(cells, panels, strict=False):
        with column:
            if panel.title:
                st.markdown(f"**{literal(panel.title)}**")
            show_picture(on_page(panel), panel.title or figure.alt)
            if panel.scale:
                show_scale(panel.scale)
            if panel.caption:
                st.caption(literal(panel.caption))


def on_page(panel: Panel) -> NDArray[np.uint8]:
    """Its picture; what is between the tiles of a sheet, and white for paper, is as the page where that is dark."""
    grid = panel.grid
    if grid is None or not grid.gap or st.context.theme.type != "dark":
        return panel.image
    pixels, (height, width) = panel.image.copy(), panel.image.shape[:2]
    y, x = np.arange(height)[:, None], np.arange(width)[None]
    down, right = grid.tile_height + grid.gap, grid.tile_width + grid.gap
    empty = (y // down * grid.columns + x // right >= len(panel.names)) if panel.names else False
    night = ImageColor.getrgb(st.get_option("theme.dark.backgroundColor") or "black")
    pixels[(y % down < grid.gap) | (x % right < grid.gap) | empty] = night[:3]
    return pixels


def show_picture(pixels: NDArray[np.uint8], alt: str) -> None:
    """A picture by itself, crisp, as wide as its place."""
    content = png(enlarge(pixels, max(1, LEAST_PIXELS // max(pixels.shape[:2]))), effort=1)
    st.image(content, width="stretch", output_format="PNG", alt=alt)


def show_charts(figure: Figure, columns: int, choosing: bool = False) -> Spot | None:
    """The charts of a figure, each by itself, so that they go below each other on a narrow page, with their numbers
    under the pointer. Returns the part that the visitor has just chosen, where they may."""
    chosen = None
    with row(f"split-{figure.title}"):
        cells = _cells(min(columns, len(figure.panels)), len(figure.panels), "top")
    for cell, panel in zip(cells, figure.panels, strict=False):
        alone = Figure("", (panel,), {}, columns=1).on(width_mm=190 / columns, dpi=190, footer=False)
        drawn, key = alone.encode("png"), _keyed(figure.title + panel.title)
        size = struct.unpack(">II", drawn[16:24])
        parts = spots(alone, size[0], 190)
        with cell:
            hit = chart(drawn, size, parts, alt=panel.title or figure.alt, key=f"chart-{key}", choosing=choosing)
        chosen = parts[hit] if hit is not None else chosen
    return chosen


def show_tiles(panel: Panel, alt: str = "") -> None:
    """Each named tile of a contact sheet by itself, its name under it."""
    with row(f"panels-{panel.title}"):
        cells = st.columns(len(panel.tiles), gap="small")
    for cell, (name, tile) in zip(cells, panel.tiles, strict=True):
        with cell:
            st.image(png(tile, effort=1), width="stretch", output_format="PNG", alt=f"{alt or panel.title}, {name}")
            st.caption(literal(name))


def row(kind: str) -> Any:
    """A container whose columns wrap on a narrow page; kinds have their least widths in STYLE."""
    return st.container(key=f"row-{_keyed(kind)}")


def in_rows(kind: str, items: Sequence[Any], columns: int = 4) -> list[tuple[Any, Any]]:
    """A cell for each item; rows wrap on a narrow page."""
    with row(f"controls-{kind}"):
        rows = range(0, len(items), columns)
        cells = [cell for _ in rows for cell in st.columns(columns, vertical_alignment="bottom")]
    return list(zip(cells, items, strict=False))


def _keyed(text: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in text)


def show_scale(scale: Scale) -> None:
    """A colour bar in raw units."""
    steps = scale.colours[0][:: 255 // 15]
    stops = ", ".join("#{:02x}{:02x}{:02x}".format(*step) for step in steps)
    middle = "<span>0</span>" if scale.low < 0 < scale.high else ""
    st.html(
        f'<div class="bar" style="background: linear-gradient(to right, {stops})"></div>'
        f'<div class="ticks"><span>{scale.low:.3g}</span>{middle}<span>{scale.high:.3g}</span></div>'
    )


def show_scores(ranked: list[tuple[str, float]], chances: bool = True) -> None:
    """Classes with their probabilities as bars; scores that have none as shares of the largest."""
    whole = 1.0 if chances else max(abs(p) for _, p in ranked) or 1.0
    rows = "".join(
        f"<span>{html.escape(name)}</span>"
        f'<span class="track"><span class="fill" style="width:{max(p / whole, 0):.1%}"></span></span>'
        f'<span class="value">{f"{p:.1%}" if chances else f"{p:.4g}"}</span>'
        for name, p in ranked
    )
    st.html(f'<div class="scores">{rows}</div>')


def show_table(
    columns: Mapping[str, Sequence[Any]], config: Mapping[str, Any] = MappingProxyType({}), **more: Any
) -> Any:
    """A table to scroll and to sort, of which the first column stays in sight."""
    kept = {name: st.column_config.Column(pinned=True) for name in list(columns)[:1]}
    return st.dataframe(columns, hide_index=True, column_config={**kept, **config}, **more)


def show_numbers(columns: Mapping[str, Sequence[Any]]) -> None:
    """A small table that is there in whole on a page of any width: what it says wraps."""
    heads = "".join(f"<th>{html.escape(name)}</th>" for name in columns)

    def cell(value: Any) -> str:
        return f"<td>{html.escape(value) if isinstance(value, str) else f'{round(value, 3):,}'}</td>"

    rows = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in zip(*columns.values(), strict=True))
    st.html(f'<table class="numbers named"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>')


def show_error(error: ExplainError) -> None:
    if isinstance(error, caches.Unasked):
        st.info(literal(str(error)), icon=":material/link:")
        st.button("Load it", icon=":material/play_arrow:")  # what is clicked is asked for
    else:
        st.error(literal(str(error)), icon=":material/error:")


def _cells(columns: int | list[int], count: int, align: Align) -> list[Any]:
    in_a_row = columns if isinstance(columns, int) else len(columns)
    rows = range(0, count, in_a_row)
    return [cell for _ in rows for cell in st.columns(columns, gap="medium", vertical_alignment=align)]
