"""Whether a map can be trusted, beside it: the check as a job, its verdict in words and its evidence."""

import streamlit as st

from explain.figure import Figure
from explain.ui import caches, jobs, selection, widgets
from explain.ui.parts.saliency_choices import MapRequest
from explain.ui.text import literal
from explain.views import saliency, trust
from explain.views.trust import TrustResult

SHOWN = {"passes": st.success, "doubtful": st.warning, "fails": st.error}
ICONS = {"passes": ":material/verified:", "doubtful": ":material/help:", "fails": ":material/dangerous:"}
HELP = "Hides and shows the picture by the map, and puts other weights into a copy of the network: up to a minute."
PARTS = {"strip": "Maps of randomised networks", "curves": "Deletion and insertion", "stages": "Likeness by stage"}


def show_trust(question: MapRequest) -> None:
    """The verdict and its evidence; until then that the map is not checked, and a way to check it."""
    st.subheader("Can it be trusted?")
    key = f"trust {caches.identity(question.model, *question.arguments, **question.options)}"
    always = selection.controlled(st.toggle, "Check every map", "check", selection.flag("check"), help=HELP)
    job = jobs.find(key)
    if job is None and not always:
        st.warning(saliency.CAVEAT, icon=":material/warning:")
        if not st.button("Check this map", key="check-this", icon=":material/fact_check:", help=HELP):
            return
    result = jobs.show(jobs.start(key, _work(question)), "Checking the map", "%")
    if result is None:
        st.warning(saliency.CAVEAT, icon=":material/warning:")
        return
    show_evidence(question, result)


def _work(question: MapRequest):
    def work(progress: jobs.Progress) -> TrustResult:
        def heard(done: float, total: float, message: str = "") -> None:
            progress(int(100 * done / total), 100, message)

        return trust.compute(question.model, *question.arguments, progress=heard, **question.options)

    return work


def show_evidence(question: MapRequest, result: TrustResult) -> None:
    level, words = result.verdict.level, result.verdict.words
    SHOWN[level](f"**{level.capitalize()}.** {literal(words)}", icon=ICONS[level])
    part = selection.get("evidence", "strip")
    part = part if part in PARTS else "strip"
    selection.controlled(st.segmented_control, "Evidence", "evidence", part, list(PARTS), format_func=PARTS.get)
    figure = trust.render(result, part=part)
    if part == "strip":
        widgets.show_panels(figure, align="bottom")
    else:
        _show_charts(figure)
    with st.expander("All numbers"):
        st.dataframe(result.table, hide_index=True)
    named = question.python().removeprefix("result = explain.saliency")
    widgets.show_exports(
        figure,
        f'import explain\n\nmodel = explain.load_model("{question.model.name}")\n'
        f'image = explain.open_picture("{question.reference}")\n'
        f'result = explain.trust{named}\nresult.save("trust.png", part="{part}")',
        f"{question.command().replace('explain saliency', 'explain trust', 1)} --style part={part} --out trust.png",
        "trust",
        "Export the evidence",
    )


def _show_charts(figure: Figure) -> None:
    content = figure.encode("png", width_mm=250, dpi=130)
    with st.container(key=f"smooth-trust-{figure.title}"):
        st.image(content, width="stretch", output_format="PNG", alt=figure.alt)
