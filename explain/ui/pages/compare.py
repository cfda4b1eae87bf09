"""Two networks side by side: what they cost, what they answer, what their layers and channels see."""

from functools import partial
from typing import Any

import streamlit as st

from explain import workspace
from explain.data import is_here, list_images
from explain.errors import Unknown
from explain.index import Index
from explain.network.model import Model
from explain.ui import caches, choices, jobs, selection, widgets
from explain.ui.parts.matched_channels import show_matched
from explain.ui.parts.section import choose_section
from explain.ui.parts.whole_view import Shown, show_view
from explain.ui.text import literal
from explain.views import VIEWS, View
from explain.workspace.opener import is_model_name

SECTIONS = {"compare": "What they cost", "flips": "What they answer", "cka": "What their layers see"}
RANDOM = "?weights=random"  # what is counted and compared here needs no others
model = caches.model()


def show_networks() -> None:
    view = VIEWS["compare"]
    key = view.key("second")
    built = [f"{name}{RANDOM}" if name.startswith(("torchvision:", "timm:")) else name for name in widgets.networks()]
    listed = [name for name in workspace.list_models() if name != model.name]
    other = selection.get(key, listed[0])
    selection.controlled(
        st.selectbox,
        "Second network",
        key,
        other,
        list(dict.fromkeys([*listed, *built, other])),
        format_func=lambda name: f"{name.removesuffix(RANDOM)} · random weights" if name.endswith(RANDOM) else name,
        accept_new_options=True,
        help="Type resnet?depth=50 or vgg?config=A for a network with options.",
    )
    if not is_model_name(other):
        raise Unknown(
            "model", other, workspace.list_models(), "Or torchvision:NAME, timm:NAME, or one of the lectures' networks."
        )

    def work(progress: jobs.Progress) -> Any:
        progress(0, 2, f"building {other}")
        second = workspace.load_model(other, code=False)
        progress(1, 2, "counting")
        return view(model, second)

    result = jobs.show(jobs.start(f"compare {model.digest} {other}", work), f"Counting {other}", "steps")
    if result is None:
        return
    st.markdown(literal(result.words))
    sums = len(result.sums)
    widgets.show_numbers({name: column[:sums] for name, column in result.table.items()})
    figure = result.figure()
    widgets.show_charts(figure, 2)
    widgets.show_numbers({name: column[sums:] for name, column in result.table.items()})
    choices.show(view, {"model": model, "second": result.names[1]}, {}, figure)


def choose_peer(view: View, index: Index) -> Index | None:
    """The index of another network over the same pictures; a network that has none yet can look through them."""
    peers, key = workspace.list_peers(index), view.key("second")
    chosen = str(selection.get(key, next(iter(peers), "")))
    if chosen not in peers:
        chosen = next(iter(peers), "")
    with widgets.row("controls-peer"):
        left, right = st.columns([2, 1], vertical_alignment="bottom")
    if peers:
        with left:
            selection.controlled(
                st.selectbox, "Second network", key, chosen, list(peers), format_func=lambda name: peers[name][0]
            )
    known = {name for name, _ in peers.values()}
    others = [name for name in workspace.list_models() if name != model.name and name not in known]
    with (right if peers else left).popover("Another network", icon=":material/add:"):
        name = st.selectbox("It looks through the same pictures", others, key="peer")
        asked = st.button("Look through them", key="peer-begin", icon=":material/search:", disabled=not name)
    if name and (asked or jobs.find(widgets.index_key(caches.model(name), index.manifest.data)) is not None):
        job = widgets.index_job(caches.model(name), index.manifest.data)
        if jobs.show(job, f"Index {index.manifest.data} with {name}"):
            jobs.forget(job.key)
            selection.again()
    if not chosen:
        st.caption("No other network has looked through these pictures yet.")
        return None
    name, folder = peers[chosen]
    return caches.index(caches.model(name), folder)


def show_flips() -> None:
    index = widgets.index_of_set(model)
    if index is None:
        selection.stop()
    view = VIEWS["flips"]
    second = choose_peer(view, index)
    if second is not None:
        show_view(view, {"index": index, "second": second}, "Comparing", at_once=True)


def show_cka() -> None:
    view = VIEWS["cka"]
    names = [name for name in workspace.list_models() if name != model.name]
    demo = caches.demo_set(model)
    with widgets.row("controls-cka"):
        left, right = st.columns(2)
    with left:
        key = view.key("second")
        chosen = str(selection.get(key, names[0]))
        selection.controlled(
            st.selectbox, "Second network", key, chosen, list(dict.fromkeys([*names, chosen])), accept_new_options=True
        )
    with right:
        key = view.key("images")
        pictures = str(selection.get(key, demo))
        sets = [name for name in list_images() if is_here(name)]
        selection.controlled(st.selectbox, "Pictures", key, pictures, list(dict.fromkeys([*sets, pictures])))
    second = caches.model(chosen)
    given = {"model": model, "second": second, "images": caches.SessionOpener().images(pictures)}
    show_view(view, given, "Comparing layers", "pictures", below=partial(match_channels, view, second, pictures))


def match_channels(view: View, other: Model, pictures: str, shown: Shown) -> None:
    """Those of the two layers whose cell has been chosen."""
    if shown.style["part"] != "layers":
        show_matched(shown.result, model, other, pictures)
        return
    st.caption("Click a cell to match the channels of its two layers.")
    if shown.spot is not None:
        first, second = shown.result.layers_at(shown.spot.at)
        selection.choose(view.key("layer"), first)
        selection.choose(view.key("second_layer"), second)
        selection.choose(view.key("part"), "channels")
        selection.again()


st.title("Compare")
section = choose_section(SECTIONS)
{"compare": show_networks, "flips": show_flips, "cka": show_cka}[section]()
