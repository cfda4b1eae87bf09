from dataclasses import replace

import numpy as np
import streamlit as st

from explain.index import SPACES, agreement, lookup
from explain.registry import options_of
from explain.ui import caches, jobs, selection, widgets
from explain.views import neighbours

MEASURED = 10_000  # queries at most: some seconds
model, picture = caches.model(), caches.picture()
options = options_of(neighbours.compute)
st.title("Neighbours")

index = widgets.choose_index(model)
if index is None:
    selection.stop()
with widgets.row("controls"):
    controls = st.columns([3, 2, 1], vertical_alignment="bottom")
with controls[0]:
    k = widgets.option(options["k"], "neighbours", "Neighbours")
with controls[1]:
    metric = widgets.option(options["metric"], "metric", "Distance")

# A picture of a set that we ship is chosen for all pages; one of another index is a query here alone.
shipped = lookup.reference(index, 0) is not None
trail = "picture" if shipped else "query"
if controls[2].button("Back", icon=":material/arrow_back:", disabled=not selection.can_return(trail)):
    selection.back(trail)
    st.rerun()
query = None if shipped else selection.get("query")
number = lookup.index_of(index, picture if query is None else query)
result = caches.cached(neighbours.compute, index, picture if number is None else number, k=k, metric=metric)
figure = neighbours.render(result)
st.caption(widgets.literal(f"{figure.title}. Click a picture to make it the query."))
for space, panel in zip(SPACES, figure.panels, strict=True):
    ranking = result.ranking(space)
    st.subheader("In feature space" if space == "features" else "In pixel space")
    st.caption(widgets.literal(f"{result.agrees(space)}."))
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
        selection.follow(trail, lookup.reference(index, chosen) or chosen)
        st.rerun()
st.caption(widgets.literal(figure.note))


def measure(progress):
    """Both measurements in both spaces; queries of the first are all pictures, or as many as take some seconds."""
    asked = None if len(index) <= MEASURED else MEASURED
    found = {}
    for done, space in enumerate(SPACES):
        progress(2 * done, 4, f"labels in {space}")
        found[space] = [agreement.agreement(index, 5, space, metric, asked) if index.classes else None]
        progress(2 * done + 1, 4, f"mirrored copies in {space}")
        found[space].append(float(np.median(agreement.mirror_ranks(index, 100, space, metric))))
    return found


with st.expander("Do features know more than pixels? Measured over the whole index", icon=":material/straighten:"):
    st.caption(
        "How many of the five nearest pictures have a picture's label; and how near its mirrored copy would be, which "
        "shows the same with other pixels in other places: its rank among all others, the median over 100 pictures."
    )
    if selection.controlled(st.toggle, "Measure", "measure", selection.flag("measure")):
        job = jobs.start(f"agreement {index.folder} {index.manifest.merged} {metric}", measure)
        if measured := jobs.show(job, "Measuring", "steps"):
            for column, (space, (share, rank)) in zip(st.columns(2), measured.items(), strict=True):
                if share is not None:
                    column.metric(f"Same label among the 5 nearest in {space}", f"{share:.1%}")
                column.metric(f"Median rank of the mirrored copy in {space}", f"{rank:,g}")
            of = f"{min(len(index), MEASURED):,} of {len(index):,} pictures"
            st.caption(widgets.literal(f"{metric.capitalize()} distance; labels over {of}."))

known = index.manifest
opened = f'explain.open_index("{index.folder}")'
folder = index.folder
build = ""
if shipped:
    opened = f'explain.build_index(explain.load_model("{model.name}"), "{known.data}")'
    folder, build = "index", f"python -m explain index {model.name} {known.data} --out index\n"
if number is None:
    reference = selection.get("picture", caches.demo_picture(model))
    given = f'explain.open_picture("{reference}")'
else:
    reference, given = number, number
widgets.show_exports(
    figure,
    f"import explain\n\nindex = {opened}\n"
    f'result = explain.neighbours(index, {given}, k={k}, metric="{metric}")\nresult.save("neighbours.png")',
    f"{build}python -m explain neighbours {folder} {reference} --k {k} --metric {metric} --out neighbours.png",
    "neighbours",
)
