"""How much the workspace takes, on the page Models and data, and what gives room."""

import streamlit as st

from explain.errors import ExplainError
from explain.network.model import Model
from explain.ui import selection, widgets
from explain.ui.text import literal
from explain.workspace import budget
from explain.workspace.budget import Item, said

SHOWN = 200  # of what users made, the largest


def show_room(model: Model) -> None:
    usage = budget.measure()
    st.subheader("Room")
    with widgets.row("split-room"):
        left, right = st.columns([3, 2], gap="large")
    with left:
        share = min(usage.bytes / usage.limit, 1.0) if usage.limit else 1.0
        st.progress(share, literal(f"{said(usage.bytes)} of {said(usage.limit)} are taken"))
        kinds = sorted(usage.by_kind.items(), key=lambda one: -one[1])
        if words := ", ".join(f"{kind.title} {said(size)}" for kind, size in kinds):
            st.caption(literal(words[0].upper() + words[1:]))
        st.caption(
            "What can be made again goes by itself where something does not fit, the longest unused first. What "
            f"somebody made or named stays until it is removed. `{budget.LIMIT}` says how much there may be."
        )
    with right:
        idle = sum(item.bytes for item in usage.free_to_go if item.mine)
        if st.button(
            literal(f"Remove what can be made again ({said(idle)})"),
            icon=":material/mop:",
            disabled=not idle,
            help="Uploads, maps and thumbnails that nobody has used in the last ten minutes.",
        ):
            st.session_state["room-said"] = f"{said(budget.tidy())} are free again."
            selection.again()
        if usage.named:
            _remove_one(usage.named[:SHOWN], model)
        if done := st.session_state.pop("room-said", None):
            st.success(literal(done))


def _remove_one(named: list[Item], model: Model) -> None:
    with st.popover("Remove something", icon=":material/delete:"):
        chosen = st.selectbox(
            "What somebody made or named",
            named,
            index=None,
            format_func=lambda item: f"{item.name} · {item.kind.title} · {said(item.bytes)}",
            placeholder="The largest first",
        )
        if st.button("Remove for good", type="primary", disabled=chosen is None) and chosen:
            try:
                budget.remove(chosen.kind.folder, chosen.path.name)
            except ExplainError as error:
                widgets.show_error(error)
                return
            if chosen.kind.folder in ("models", "runs") and chosen.name == model.name.partition("@")[0]:
                selection.choose("model", "")
            st.session_state["room-said"] = f"{chosen.name} is removed."
            selection.again()
