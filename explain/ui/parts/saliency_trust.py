"""Whether a map can be trusted, beside it: the check as a job, its verdict in words and its evidence."""

from typing import Any, cast

import streamlit as st

from explain.figure import Figure
from explain.trust import MEANINGS, Verdict
from explain.ui import caches, choices, jobs, selection, widgets
from explain.ui.text import literal
from explain.views import VIEWS, faithfulness, saliency
from explain.views.faithfulness import PARTS, Faithfulness
from explain.views.inputs import EntryOptions

VIEW = VIEWS["faithfulness"]
SHOWN = {"passes": st.success, "doubtful": st.warning, "fails": st.error, "cannot tell": st.info}
ICONS = {
    "passes": ":material/verified:",
    "doubtful": ":material/help:",
    "fails": ":material/dangerous:",
    "cannot tell": ":material/visibility_off:",
}
HELP = "Hides and shows the picture by the map, and puts other weights into a copy of the network: up to a minute."


def show_trust(given: dict[str, Any], opacity: float) -> Verdict | None:
    """The verdict and its evidence; until then that the map is not checked, and a way to check it."""
    st.subheader("Can it be trusted?")
    given, style = dict(given), {"opacity": opacity}
    switch = VIEWS["saliency"].key("checked")  # so that a dropped figure of a checked map sets it
    always = selection.controlled(st.toggle, "Check every map", switch, selection.flag(switch), help=HELP)
    choices.more(VIEW, given, style, without=["part"], label="How it is checked")
    if not is_checked(given) and not always:
        st.warning(saliency.CAVEAT, icon=":material/warning:")
        if not st.button("Check this map", key="check-this", icon=":material/fact_check:", help=HELP):
            return None
    result = check(given)
    if result is None:
        st.warning(saliency.CAVEAT, icon=":material/warning:")
        return None
    show_evidence(result, given, style)
    verdict: Verdict = result.verdict
    return verdict


def is_checked(given: dict[str, Any]) -> bool:
    """Whether the check of a map is there or on its way, whichever page asked for it."""
    return jobs.find(_key(given)) is not None


def check(given: dict[str, Any]) -> Faithfulness | None:
    """The check of a map; its progress, and nothing, until it is there."""
    asked = VIEW.flat(given)
    job = jobs.start(_key(given), lambda progress: faithfulness.compute(**asked, progress=progress), "short")
    return cast("Faithfulness | None", jobs.show(job, "Checking the map", "%"))


def _key(given: dict[str, Any]) -> str:
    """What is as usual does not count: pages differ in what they name of it."""
    usual = {name: one.default for name, one in VIEW.parameters.items() if not one.required}
    for one in VIEW.parameters.values():
        if isinstance(one.kind, EntryOptions):
            usual |= {name: option.default for name, option in one.kind.options(given).items()}
    asked = {name: value for name, value in VIEW.flat(given).items() if name not in usual or value != usual[name]}
    return f"faithfulness {caches.identity(**asked)}"


def show_verdict(verdict: Verdict) -> None:
    """What it means, then why."""
    level = verdict.level
    words = f"**{level.capitalize()}.** {MEANINGS[level]}\n\n{literal(verdict.words)}"
    SHOWN[level](words, icon=ICONS[level])


def show_evidence(result: Faithfulness, given: dict[str, Any], style: dict[str, Any]) -> None:
    show_verdict(result.verdict)
    part, key = VIEW.style["part"], VIEW.key("part")
    chosen = selection.get(key, part.default)
    style["part"] = chosen if chosen in PARTS else part.default
    selection.controlled(
        st.segmented_control, "Evidence", key, style["part"], list(PARTS), format_func=PARTS.get, help=part.help
    )
    figure = result.figure(**style)
    if style["part"] == "strip":
        widgets.show_panels(figure, align="bottom")
    else:
        _show_charts(figure)
    with st.expander("All numbers"):
        widgets.show_table(result.table)
    choices.show(VIEW, given, style, figure, "Export the evidence")


def _show_charts(figure: Figure) -> None:
    content = figure.encode("png", width_mm=250, dpi=130)
    with st.container(key=f"chart-trust-{figure.title}"):
        st.image(content, width="stretch", output_format="PNG", alt=figure.alt)
