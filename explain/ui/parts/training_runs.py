"""Trainings of the app: their jobs, how far each is, and curves that grow while it goes on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from explain import workspace
from explain.errors import ExplainError
from explain.figure.palette import CLASSES
from explain.shipped import shipped_models
from explain.training import history
from explain.training.history import Run
from explain.ui import caches, jobs, visitor, widgets
from explain.ui.text import literal
from explain.views import training_curves
from explain.workspace import runs

POLL = 2.0  # seconds between looks at a training
REDRAWN = 6.0  # and between drawings of its curves, for which the browser may want the cores that train
MOST_POINTS = 300
ICONS = {
    "waiting": ":material/hourglass_empty:",
    "running": ":material/play_arrow:",
    "done": ":material/check_circle:",
    "failed": ":material/error:",
    "interrupted": ":material/pause_circle:",
}
# A queue of their own: a training of hours must not keep the index of another page waiting.
_queue = jobs.of_server(is_there=lambda visitor: True)


@dataclass
class Live:
    """What a training says between its epochs: (epochs, loss, accuracy), the mean over its epoch so far."""

    points: list[tuple[float, float, float]] = field(default_factory=list)
    told: int = 0  # epochs

    def add(self, at: float, row: dict[str, Any]) -> None:
        points = [*self.points, (at, row["loss"], row["train_accuracy"])]
        self.points = points if len(points) <= MOST_POINTS else points[::2]


def start(folder: Path) -> jobs.Job:
    """The training asked for in this folder, begun or gone on with."""
    key = visitor.mine(f"train {folder}")
    job = _queue.find(key)
    if job is not None and not job.active:
        _queue.forget(key)
    return _queue.start(key, visitor.bound(_work(folder)))


def job_of(folder: Path | None) -> jobs.Job | None:
    return None if folder is None else _queue.find(visitor.mine(f"train {folder}"))


def busy() -> int:
    """Trainings that are at work or wait."""
    return sum(job is not None and job.active for job in map(job_of, workspace.list_runs().values()))


def _work(folder: Path) -> Callable[[jobs.Progress], None]:
    def work(progress: jobs.Progress) -> None:
        live = Live()
        wanted = runs.request_of(folder)
        epochs = wanted.plan().epochs if wanted else 0
        progress.show(live)

        def on_row(row: dict[str, Any]) -> None:
            if "doing" in row:
                progress(0, 0, row["doing"])
            elif "steps" in row:
                at = round(epochs * row["step"] / row["steps"], 2)
                if not live.points or at > live.points[-1][0]:
                    live.add(at, row)
                words = f"loss {row['loss']:.4g}, {row['train_accuracy']:.1%} right"
                progress(at, epochs, f"{words}, {row['pictures_per_second']:,.0f} pictures a second")
            else:
                if row["epoch"] > live.told:
                    live.told = row["epoch"]
                    progress.log(_line(row))
                progress(row["epoch"], epochs, f"loss {row['loss']:.4g}, {row['train_accuracy']:.1%} right")

        runs.go_on(folder, on_row)

    return work


def _line(row: dict[str, Any]) -> str:
    names = ("loss", "train_accuracy", "validation_loss", "validation_accuracy", "test_accuracy", "seconds")
    words = [f"{name.replace('_', ' ')} {row[name]:.4g}" for name in names if name in row]
    return f"epoch {row['epoch']}: {', '.join(words)}"


def known() -> dict[str, Path | None]:
    """Trainings by name, the newest first: those of the workspace, and of shipped models that keep their history."""
    return {**workspace.list_runs(), **{name: None for name in shipped_models() if _history(name)}}


@cache
def _history(name: str) -> bool:
    return name != caches.DEFAULT_MODEL and bool(caches.model(name).about.get("history"))


def state_of(name: str, folder: Path | None) -> str:
    """As its job knows it, else its folder."""
    job = job_of(folder)
    if folder is None:
        return "done"
    return job.state if job is not None and job.active else runs.state(folder)


def run_of(name: str, folder: Path | None) -> Run | None:
    """What is known of a training; None where its folder is damaged or has just been removed."""
    try:
        return history.run_of(caches.model(name) if folder is None else folder)
    except ExplainError:
        return None


def watch(name: str, folder: Path, job: jobs.Job) -> None:
    """Progress and curves, in fragments that run again and again; once more the whole page when it has ended."""
    st.fragment(jobs.watch, run_every=POLL)(job, name, "epochs")
    st.fragment(_curves, run_every=REDRAWN)(name, folder, job)


def _curves(name: str, folder: Path, job: jobs.Job) -> None:
    """Of the epochs so far, and of the one that is running."""
    run, live = run_of(name, folder), job.partial
    if run is None:
        return
    points = live.points if isinstance(live, Live) else []
    done = len(run.rows)
    # The browser draws these: a picture drawn here every second would take its share of the training's cores.
    loss = [_point(row["epoch"], row["loss"], "training") for row in run.rows]
    loss += [_point(row["epoch"], row["validation_loss"], "validation") for row in run.rows if "validation_loss" in row]
    loss += [_point(at, value, "this epoch so far") for at, value, _ in points if at > done]
    right = [
        _point(row["epoch"], row[column], training_curves.name_of(column))
        for row in run.rows
        for column in training_curves.SCORES
        if column in row
    ]
    right += [_point(at, value, "this epoch so far") for at, _, value in points if at > done]
    slopes = [
        _point(row["epoch"], parts["gradient"], layer)
        for row in run.rows
        for layer, parts in row.get("layers", {}).items()
        if parts["gradient"] > 0
    ]
    with widgets.row("split-live"):
        cells = st.columns(3)
    for cell, (title, data, scale) in zip(
        cells,
        (("Loss", loss, "linear"), ("Accuracy", right, "linear"), ("Gradient by layer", slopes, "log")),
        strict=True,
    ):
        with cell:
            st.markdown(f"**{title}**")
            if data:
                epochs = int(run.recipe.get("epochs", done + 1))
                names = list(dict.fromkeys(row["of"] for row in data))
                st.vega_lite_chart(data, _chart(scale, names, epochs), width="stretch", height=320)
            else:
                st.caption("Comes with the first epoch." if job.state == "running" else "Not begun yet.")


def _point(epoch: float, value: float, of: str) -> dict[str, Any]:
    return {"epoch": epoch, "value": value, "of": of}


def _chart(scale: str, names: list[str], epochs: int) -> dict[str, Any]:
    """A line for each name, over all epochs that there will be."""
    hues = (
        {"scheme": "viridis"} if scale == "log" else {"range": ["#{:02x}{:02x}{:02x}".format(*hue) for hue in CLASSES]}
    )
    ticks = {"format": "d", "tickMinStep": 1, "tickCount": min(epochs, 8), "grid": False}
    return {
        "mark": {"type": "line", "point": {"size": 18}},
        "encoding": {
            "x": {
                "field": "epoch",
                "type": "quantitative",
                "scale": {"domain": [0, epochs]},
                "axis": ticks,
            },
            "y": {
                "field": "value",
                "type": "quantitative",
                "title": None,
                "scale": {"type": scale, "zero": False, "nice": True},
                "axis": {"tickCount": 5, "grid": scale == "linear"},
            },
            "color": {
                "field": "of",
                "type": "nominal",
                "sort": names,
                "scale": {"domain": names, **hues},
                "legend": {"orient": "bottom", "title": None, "columns": 3, "symbolLimit": 9},
            },
        },
    }


def show_state(name: str, folder: Path, run: Run) -> None:
    """Why a training has no model yet, and how it goes on."""
    state, job = runs.state(folder), job_of(folder)
    if state == "failed":
        st.error(literal(f"{name} failed: {run.message}"), icon=ICONS["failed"])
    elif state == "interrupted":
        why = run.message or (job.error if job else "")
        words = f"{name} was interrupted after {len(run.rows)} of {run.recipe.get('epochs', '?')} epochs."
        st.warning(literal(f"{words} {why}".strip()), icon=ICONS["interrupted"])
        if runs.resumable(folder):

            def resume() -> None:
                start(folder)

            st.button("Resume", icon=":material/play_arrow:", key="resume", type="primary", on_click=resume)
            st.caption("It goes on from its last checkpoint, and comes out as if it had not been interrupted.")


def overview(names: dict[str, Path | None]) -> dict[str, list[Any]]:
    """The list of runs, a row each."""
    rows = []
    for name, folder in names.items():
        if (run := run_of(name, folder)) is not None:
            scores = {score: run.of_weights(score) for score in training_curves.SCORES}
            rows.append(
                {
                    "run": name,
                    "state": state_of(name, folder),
                    "pictures": run.data,
                    "epochs": len(run.rows),
                    **{
                        training_curves.name_of(score): None if value is None else 100 * value
                        for score, value in scores.items()
                    },
                    "seconds": round(run.seconds, 1),
                }
            )
    return {key: [row[key] for row in rows] for key in rows[0]} if rows else {}
