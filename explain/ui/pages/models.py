"""Models and data: what there is, and how one's own comes in."""

import streamlit as st

from explain import workspace
from explain.errors import BadValue, ExplainError, NotSupported
from explain.network.heads import HEADS
from explain.network.sources import SOURCES
from explain.project import FILE, project
from explain.ui import caches, selection, visit, widgets
from explain.ui.parts import handed_pictures, storage
from explain.ui.text import literal
from explain.workspace import kept_models, model_names

CHECKPOINTS = ["pth", "pt", "ckpt", "bin", "safetensors"]
FORM = (
    "A PyTorch state dict or safetensors, as training programs save them. It is read without running code from it, and "
    "its network has to fit. A network of your own code comes in by explain.toml, the command line or the library."
)

model = caches.model()
st.title("Models and data")

with widgets.row("split-model"):
    left, right = st.columns([3, 2], gap="large")
with left:
    st.subheader(literal(model.name))
    about = model.about
    weights = about.get("weights")
    source = about.get("recipe", {}).get("source") or about.get("source", "")
    rows = {
        "Weights": weights if isinstance(weights, str) else (weights or {}).get("file", ""),
        "From": source,
        "Pictures": model.preprocess.summary,
        "which is from": about.get("preprocess_from", ""),
        "Output": f"{model.head.kind}: {HEADS[model.head.kind].says}",
        "Classes": f"{len(model.classes):,}: {', '.join(model.classes[:5])}{' ...' if len(model.classes) > 5 else ''}",
        "To know": " ".join((*about.get("notes", ()), *model.caveats)),
    }
    st.table({key: literal(str(value)) for key, value in rows.items() if value}, border="horizontal")
with right:
    st.subheader("What there is")
    here, kept = list(project().models), model_names.list_kept_models()
    for title, names in {
        f"In {FILE}": here,
        "Uploaded": [name for name in kept if name not in here],
        "Shipped and trained here": [name for name in workspace.list_models() if name not in (*here, *kept)],
    }.items():
        if names:
            st.caption(title)
        for name in names:
            marked = ":material/check:" if name == model.name else ":material/deployed_code:"
            taken = st.button(literal(name), key=f"take-{title}-{name}", type="tertiary", icon=marked)
            if taken and name != model.name:
                selection.choose("model", name)
                selection.again()
    if model.name in kept and st.button(f"Remove {literal(model.name)}", icon=":material/delete:"):
        kept_models.remove_model(model.name)
        selection.choose("model", "")
        selection.again()


def by_name() -> None:
    st.subheader("By name")
    name = st.selectbox(
        "torchvision or timm",
        [*workspace.list_models(), *widgets.networks()],
        index=None,
        placeholder="resnet50",
        accept_new_options=True,
    )
    weights = st.segmented_control(
        "Weights", ["published", "random"], default="published", required=True,
        help="Published ones are fetched unless they are here; random ones show what is architecture.",
    )  # fmt: skip
    asked = st.button("Look into it", icon=":material/search:", disabled=not name)
    failed = st.session_state.get("failed-by-name", {})
    instead = f"{name}?weights=random"
    if asked and name:
        failed = st.session_state["failed-by-name"] = {}
        try:
            _look_into(instead if weights == "random" and name.partition(":")[0] in SOURCES else name)
        except ExplainError as error:
            failed[name] = error
    if name in failed:
        widgets.show_error(failed[name])
        if isinstance(failed[name], NotSupported) and st.button("Random weights instead"):
            _look_into(instead)


def _look_into(name: str) -> None:
    """Raises ExplainError for what cannot be loaded, and stays where one is."""
    caches.model(name)
    st.session_state.pop("failed-by-name", None)
    selection.choose("model", name)
    selection.again()


def handed_in() -> None:
    """A checkpoint with what it needs; what is wrong with it is one sentence, and nothing is lost."""
    st.subheader("A checkpoint")
    st.caption(FORM)
    with st.form("checkpoint", border=False):
        # A new one after each that was kept: what lies on the disk is not held in memory as well.
        turn = st.session_state.setdefault("turn-checkpoint", 0)
        file = st.file_uploader("File", CHECKPOINTS, key=f"checkpoint{turn}")
        a, b = st.columns(2)
        architecture = a.selectbox(
            "Architecture", [*workspace.list_models(), *widgets.networks()], index=None, accept_new_options=True
        )
        name = b.text_input("Its name here", placeholder="my-network")
        classes = st.text_area("Classes, one a line", help="In the order of the outputs; without, they are numbers.")
        a, b, c, d = st.columns(4)
        size = a.text_input("Side of the input", placeholder="as published")
        mean = b.text_input("Mean", placeholder="0.485, 0.456, 0.406")
        std = c.text_input("Standard deviation", placeholder="0.229, 0.224, 0.225")
        bands = d.text_input("Bands shown", placeholder="0, 1, 2", help="Of more than three, as red, green and blue.")
        output = st.selectbox(
            "Its output", ["", *HEADS], format_func=lambda kind: HEADS[kind].says if kind else "find out"
        )
        sent = st.form_submit_button("Check and keep it", icon=":material/upload:")
    if not sent:
        return
    try:
        asked = {"a file": file, "its architecture": architecture, "a name": name}
        if missing := [what for what, value in asked.items() if not value]:
            raise BadValue(f"What is missing for a checkpoint: {', '.join(missing)}.")
        assert file is not None
        assert architecture is not None
        with visit.handing_in(file.size):
            found = kept_models.keep_model(
                file.getvalue(),
                file.name,
                architecture,
                name,
                classes=[line.strip() for line in classes.splitlines() if line.strip()] or None,
                preprocess=_preprocess(size, mean, std, bands) or None,
                output=output or None,
            )
    except ExplainError as error:
        widgets.show_error(error)
        return
    visit.let_go([file])
    st.session_state["turn-checkpoint"] += 1
    st.session_state["kept-said"] = " ".join((f"{name} is kept.", *found.about.get("notes", ())))
    selection.choose("model", name)
    selection.again()


def _preprocess(size: str, mean: str, std: str, bands: str) -> dict[str, object]:
    """The fields that were filled in. Raises BadValue."""
    found: dict[str, object] = {}
    for field, text in {"size": size, "mean": mean, "std": std, "bands": bands}.items():
        try:
            values = tuple(map(float, text.replace(";", " ").replace(",", " ").split()))
        except ValueError:
            raise BadValue(f"{field} {text!r} is not numbers with spaces or commas between them.") from None
        if values:
            whole = tuple(map(int, values))
            found[field] = whole[0] if field == "size" else whole if field == "bands" else values
    return found


if said := st.session_state.pop("kept-said", None):
    st.success(literal(said))
with widgets.row("split-in"):
    left, right = st.columns([2, 3], gap="large")
with left:
    by_name()
with right:
    handed_in()
st.divider()
with widgets.row("split-pictures"):
    left, right = st.columns([2, 3], gap="large")
with left:
    handed_pictures.show_sets(model)
with right:
    handed_pictures.take_pictures()
st.divider()
storage.show_room(model)
