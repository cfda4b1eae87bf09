import time
from functools import partial

import streamlit as st

from explain import workspace
from explain.attribution import METHODS
from explain.errors import ExplainError
from explain.images import enlarge, png
from explain.ui import caches, selection, study_answers, widgets
from explain.ui.parts import saliency_choices
from explain.ui.parts.saliency_choices import MapRequest
from explain.views import saliency, study

WORDS = (
    "Do maps let one foresee mistakes? You see pictures and what the network says, half of them with its map. "
    "Guess each time whether the network is right; at the end stand your hits with and without maps."
)
COUNTS = (10, 20, 40, 80)
model = caches.model()
st.title("Study")
st.caption(WORDS)
index = widgets.choose_index(model)
if index is None:
    selection.stop()
with widgets.row("controls"):
    cells = st.columns([3, 2, 2, 3], vertical_alignment="bottom")
with cells[0]:
    entry = widgets.choose_entry(METHODS, "study_method", "Method")
with cells[1]:
    count = selection.get("trials", "20")
    count = count if count in map(str, COUNTS) else "20"
    selection.controlled(st.selectbox, "Pictures", "trials", count, list(map(str, COUNTS)))
with cells[2]:
    seed = str(selection.get("study_seed", "0"))
    seed = int(seed) if seed.isdecimal() and len(seed) < 10 else 0
    selection.controlled(st.number_input, "Seed", "study_seed", seed, 0, 2**31 - 1)
with cells[3]:
    natural = selection.controlled(
        st.toggle,
        "As often wrong as it is",
        "natural",
        selection.flag("natural"),
        help="Otherwise half of the pictures are mistakes.",
    )

planned = study.trials(index, int(count), seed, not natural)
asked = f"{caches.identity(index)} {entry.name} {count} {seed} {natural}"
answers = study_answers.answers(asked)


def answer(trial: study.Trial, guess: bool) -> None:
    answers.append(study.Answer(trial, guess, time.monotonic() - study_answers.shown_since(asked, len(answers))))


done = len(answers)
st.progress(done / len(planned), f"{done} of {len(planned)} answered")
if done < len(planned):
    trial = planned[done]
    study_answers.shown_since(asked, done)
    image = index.images[trial.image]
    crop = model.preprocess.crop(image)
    heat = None
    if trial.with_map:
        heat = saliency_choices.ask(MapRequest(model, image, "", entry.name, None))
        if heat is None:
            selection.stop()
    panels = saliency.render(heat).panels[::2] if heat else ()
    shown = [panel.image for panel in panels] or [crop]
    with widgets.row("panels-study"):
        cells = st.columns(2, gap="medium")
    for cell, pixels in zip(cells, shown, strict=False):
        factor = max(1, widgets.LEAST_PIXELS // max(pixels.shape[:2]))
        cell.image(png(enlarge(pixels, factor), effort=1), width="stretch", output_format="PNG", alt="The picture")
    name, chance = caches.cached(type(model).predict, model, image)[0][0]
    st.markdown(f"The network says **{widgets.literal(name)}** ({chance:.0%}). Is it right?")
    with widgets.row("controls-answer"):
        yes, no, _ = st.columns([1, 1, 3])
    yes.button("Right", on_click=partial(answer, trial, True), width="stretch", icon=":material/check:")
    no.button("Wrong", on_click=partial(answer, trial, False), width="stretch", icon=":material/close:")
if done:
    last = answers[-1]
    truth = index.classes[index.labels[last.trial.image]]
    st.caption(
        widgets.literal(f"The one before was {truth}: the network was {'right' if last.trial.right else 'wrong'}.")
    )
    if done >= len(planned):
        st.subheader("What came out")
        st.markdown(widgets.literal(study.verdict(answers)))
    with widgets.row("cards"):
        cards = st.columns(3)
    for card, (label, rate) in zip(cards, study.rates(answers).items(), strict=True):
        card.metric(label.capitalize(), f"{rate.value:.0%}" if rate.count else "–", help=str(rate))
        card.caption(str(rate))
    figure = study.table(index, answers, method=entry.name, seed=seed)
    try:
        workspace.keep_answers(study_answers.visitor(), figure.encode("csv"))
    except ExplainError as error:  # they are still here, and go on
        st.warning(widgets.literal(f"The answers are not kept on the server: {error} Download them before you leave."))
    left, right, _ = st.columns([2, 2, 4])
    left.download_button(
        "Answers (CSV)", lambda: figure.encode("csv"), file_name="answers.csv", mime="text/csv", on_click="ignore"
    )
    right.button("Begin again", on_click=answers.clear)
st.caption(widgets.literal(f"{METHODS[entry.name].label}: {entry.caveat}"))
