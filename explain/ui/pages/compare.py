"""Two networks side by side."""

from typing import Any

import streamlit as st

from explain import workspace
from explain.errors import Unknown
from explain.ui import caches, choices, jobs, selection, widgets
from explain.ui.text import literal
from explain.views import VIEWS
from explain.workspace.opener import is_model_name

LOCAL = st.column_config.NumberColumn(format="localized")
RANDOM = "?weights=random"  # what is counted and compared here needs no others
model = caches.model()


def show_networks() -> None:
    view = VIEWS["compare"]
    key = view.key("second")
    built = [f"{name}{RANDOM}" if name.startswith(("torchvision:", "timm:")) else name for name in widgets.networks()]
    default = next(
        name for name in (f"torchvision:{one}{RANDOM}" for one in ("alexnet", "resnet18")) if name != model.name
    )
    other = selection.get(key, default)
    selection.controlled(
        st.selectbox,
        "Second network",
        key,
        other,
        list(dict.fromkeys([*built, other])),
        format_func=lambda name: name.removesuffix(RANDOM),
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
    first, second = list(result.table)[1:]
    st.dataframe(
        {
            "": list(result.sums),
            first: [pair[0] for pair in result.sums.values()],
            second: [pair[1] for pair in result.sums.values()],
        },
        hide_index=True,
        height=36 * len(result.sums) + 40,
        column_config=dict.fromkeys((first, second), LOCAL),
    )
    figure = result.figure()
    widgets.show_charts(figure, 2)
    st.dataframe(
        {
            "Maps": list(result.stages),
            **{
                f"{what}: {name}": [pair[which][k] for pair in result.stages.values()]
                for k, what in enumerate(("Layers with weights", "Parameters", "MACs"))
                for which, name in enumerate((first, second))
            },
        },
        hide_index=True,
        column_config={f"{what}: {name}": LOCAL for what in ("Parameters", "MACs") for name in (first, second)},
    )
    choices.show(view, {"model": model, "second": result.names[1]}, {}, figure)


st.title("Compare")
show_networks()
