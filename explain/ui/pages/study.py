import time
from functools import partial
from typing import Any

import streamlit as st

from explain import workspace
from explain.attribution import METHODS
from explain.errors import ExplainError
from explain.figure import Panel
from explain.images import enlarge, png
from explain.ui import caches, choices, selection, study_answers, widgets
from explain.ui.parts import saliency_choices
from explain.ui.parts.labelled import offer_labelled
from explain.ui.text import literal
from explain.views import VIEWS, saliency, study

WORDS = (
    "Do maps let one foresee mistakes? You see pictures and what the network says, half of them with its map. "
    "Guess each time whether the network is right; at the end stand your hits with and without maps."
)
model = caches.model()
st.title("Study")
st.caption(WORDS)
index = widgets.index_of_set(model)
if index is None:
    selection.stop()
view = VIEWS["study"]
given: dict[str, Any] = {"index": index}
with widgets.row("controls"):
    cells = st.columns([3, 2, 2, 3], vertical_alignment="bottom")
with cells[0]:
    entry = widgets.choose_entry(METHODS, view.key("method"), "Method")
    given["method"] = entry.name
with cells[1]:
    given["count"] = choices.option(view, "count", "Pictures")
with cells[2]:
    given["seed"] = choices.option(view, "seed")
with cells[3]:
    given["even"] = choices.option(view, "even", "Half mistakes")

asked = caches.identity(**given)
answers = study_answers.answers(asked)
try:
    result = view(**given, answers=answers)
except ExplainError as error:  # pictures without labels, say: nothing is right or wrong there
    st.info(literal(str(error)), icon=":material/info:")
    offer_labelled(model.name)
    selection.stop()
planned = result.trials


def answer(number: int, guess: bool) -> None:
    if len(answers) == number:  # else it has been clicked twice
        answers.append((guess, time.monotonic() - study_answers.shown_since(asked, number)))


done = len(answers)
st.progress(done / len(planned), f"{done} of {len(planned)} answered")
if done < len(planned):
    trial = planned[done]
    study_answers.shown_since(asked, done)
    image = index.images[trial.image]
    crop = model.preprocess.shown(model.preprocess.crop(image))
    heat = None
    if trial.with_map:
        mapped = {"model": model, "image": image, "method": entry.name}
        heat = saliency_choices.make(VIEWS["saliency"], mapped, entry.label)
        if heat is None:
            selection.stop()
    panels = saliency.render(heat).panels[::2] if heat else ()
    shown = [panel.image for panel in panels if isinstance(panel, Panel)] or [crop]
    with widgets.row("panels-study"):
        sides = st.columns(2, gap="medium")
    for cell, pixels in zip(sides, shown, strict=False):
        factor = max(1, widgets.LEAST_PIXELS // max(pixels.shape[:2]))
        cell.image(png(enlarge(pixels, factor), effort=1), width="stretch", output_format="PNG", alt="The picture")
    name, chance = caches.cached(type(model).predict, model, image)[0][0]
    st.markdown(f"The network says **{literal(name)}** ({chance:.0%}). Is it right?")
    with widgets.row("controls-answer"):
        yes, no, _ = st.columns([1, 1, 3])
    yes.button("Right", on_click=partial(answer, done, True), width="stretch", icon=":material/check:")
    no.button("Wrong", on_click=partial(answer, done, False), width="stretch", icon=":material/close:")
if done:
    last = result.answers[-1]
    truth = index.classes[index.labels[last.trial.image]]
    st.caption(literal(f"The one before was {truth}: the network was {'right' if last.trial.right else 'wrong'}."))
    if done >= len(planned):
        st.subheader("What came out")
        st.markdown(literal(study.verdict(result.answers)))
    with widgets.row("cards"):
        cards = st.columns(3)
    for card, (label, rate) in zip(cards, study.rates(result.answers).items(), strict=True):
        card.metric(label.capitalize(), f"{rate.value:.0%}" if rate.count else "–", help=str(rate))
        card.caption(str(rate))
    figure = result.figure()
    try:
        workspace.keep_answers(study_answers.visitor(), figure.encode("csv"))
    except ExplainError as error:  # they are still here, and go on
        st.warning(literal(f"The answers are not kept on the server: {error} Download them before you leave."))
    left, right, _ = st.columns([2, 2, 4])
    left.download_button(
        "Answers (CSV)", lambda: figure.encode("csv"), file_name="answers.csv", mime="text/csv", on_click="ignore"
    )
    right.button("Begin again", on_click=answers.clear)
st.caption(literal(f"{METHODS[entry.name].label}: {entry.caveat}"))
