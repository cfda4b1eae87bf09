"""Training by recipe: the loop, on one page."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .. import store
from ..data import ImageSet, from_arrays, load_images, named_images
from ..errors import BadFile, BadValue, ExplainError
from ..figure import versions
from ..network.exact import repeatable
from ..network.model import Model, choose_device
from ..network.zoo import save_model
from ..progress import Progress, heard, unheard
from . import checkpoint
from .chance import forked, lot, order
from .history import kept_row
from .metrics import evaluated, wide
from .network import Begun, begin
from .pictures import check, pictures, split
from .recipes import Recipe
from .recipes import recipe as recipe_of
from .record import Record
from .step import Stepper
from .watch import Watcher, dead_units

if TYPE_CHECKING:
    from ..names import RecipeName

__all__ = ["train"]

PROBE = 256  # pictures on which dead units are looked for
LIVE = 1.0  # seconds between two reports within an epoch
KEEP = 60.0  # and between two checkpoints within one, or so many that they cost at most a hundredth

Callback = Callable[[dict[str, Any]], object]


def train(
    recipe: RecipeName | Recipe | NDArray[Any] | Tensor,
    data: str | Path | ImageSet | Any = None,
    *,
    test: str | Path | ImageSet | None = None,
    start: Model | str | None = None,
    device: str = "auto",
    folder: str | Path | None = None,
    resume: bool = True,
    on_epoch: Callback | None = None,
    on_step: Callback | None = None,
    progress: Progress | None = None,
    **changes: Any,
) -> Model:
    """Train by a recipe, with some of its settings changed, and return the model with its history in `about`.

    recipe, data: a recipe, and what load_images takes, with labels, by default the recipe's. Or pictures (N, H, W) or
    (N, H, W, 3) as uint8 and their labels (N,), for which a small residual network is trained.
    test: pictures that the training never sees.
    start: a trained model or its name, whose last layer is replaced, in the place of a new network.
    folder: where model.json, weights, history, snapshots and a checkpoint are kept, and whose name the model has; what
    was interrupted there goes on as if it had not been, unless resume=False.
    on_epoch is called with one row an epoch, and ends the training by returning True; on_step is called about every
    second; progress(done, total, message) hears of steps, and by default is a bar where neither of the two listens.
    What any of them raises, as what interrupts the process, leaves a checkpoint.
    Raises ExplainError for pictures without labels, settings that cannot be, and when the loss is no longer finite.
    """
    if not isinstance(recipe, str | Recipe):  # train(images, labels)
        recipe, data = "pictures", from_arrays(recipe, data)
    if isinstance(start, str):
        changes["start"], start = start, None
    plan, place = recipe_of(recipe).changed(**changes), choose_device(device)
    images = named_images(plan.data) if data is None else load_images(data)
    check(images)
    if test is None and images.name in ("fashion-mnist-train", "mnist-train"):
        test = images.name.removesuffix("-train")
    begun = begin(plan, images, start)
    held_out = None if test is None else _like(named_images(test), images)
    kept = None if folder is None else Record(Path(folder), plan, images, begun)
    if progress is None and (on_epoch or on_step):  # what they print would break a bar
        progress = unheard
    with (
        store.lock(kept.folder, kept.busy) if kept else nullcontext(),
        forked(place),
        repeatable(place),
        heard(progress, "train", "steps") as told,
    ):
        run = _Run(plan, begun, images, held_out, place, told)
        if kept:
            kept.begin()
            if resume and (state := checkpoint.load(kept.folder)):
                run.restore(kept.checked(state))
        try:
            run.fit(kept, on_epoch or _unheard, on_step or _unheard)
        except BaseException as error:
            if kept:
                with suppress(BadFile):  # on a full disk what was wrong first is what is said
                    if run.whole and not isinstance(error, ExplainError):
                        run.keep(kept)
                    kept.ended(error)
            raise
        model = run.model(images, kept.folder.name if kept else plan.name)
        if kept:
            save_model(model, kept.folder)
            kept.ended(None)
    return model


class _Run:
    """A training: what `keep` writes is all that it needs to go on."""

    def __init__(
        self,
        plan: Recipe,
        begun: Begun,
        images: ImageSet,
        test: ImageSet | None,
        place: torch.device,
        progress: Progress,
    ) -> None:
        self.plan, self.begun, self.place, self.progress = plan, begun, place, progress
        whole = pictures(images, begun.preprocess, place, progress)
        if plan.shuffle_labels:
            whole = replace(whole, y=whole.y[lot(plan.seed, len(whole)).to(place)])
        held_out = None if test is None else pictures(test, begun.preprocess, place, progress)
        self.net = begun.net.to(place)
        # Convolutions are faster where channels lie together; torch's L-BFGS looks at all weights as one row.
        if (place.type == "cpu" or plan.precision != "float32") and plan.optimiser != "lbfgs":
            self.net.to(memory_format=torch.channels_last)
        self.trained: nn.Module = self.net
        if begun.alone and not plan.augmentation:  # nothing before the last layer changes: it is run once
            self.trained = self.net.get_submodule(begun.head)
            whole = whole.vectors(self.net, begun.head, progress)
            held_out = None if held_out is None else held_out.vectors(self.net, begun.head, progress)
        self.test = held_out
        self.own, self.apart = split(whole, plan.validation, plan.seed)
        self.size = plan.batch_size or len(self.own)
        if self.size > len(self.own):
            raise BadValue(f"batch_size={self.size} is more than the {len(self.own)} pictures; give 0 for all of them.")
        self.steps = math.ceil(len(self.own) / self.size)
        self.stepper = Stepper(plan, self.trained, self.own, len(images.classes))
        self.watcher = Watcher(self.trained, begun.head if self.trained is not self.net else "")
        self.epoch = self.at = 0
        self.sums = torch.zeros(2, dtype=wide(place), device=place)  # loss and hits of this epoch, times pictures
        self.seconds = 0.0
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Any] | None = None
        self.done = ""
        self.whole = True  # not in the middle of a step, where an interrupt leaves halves
        self.watched: dict[str, dict[str, float]] = {}

    def fit(self, kept: Any, on_epoch: Callback, on_step: Callback) -> None:
        """Epoch by epoch, from wherever it is."""
        while self.epoch < self.plan.epochs and not self.done:
            self._epoch(kept, on_step)
            row = self._measured()
            self.whole = False
            self.history.append(row)
            self.epoch, self.at = self.epoch + 1, 0
            self.sums.zero_()
            self.seconds = 0.0
            if self._stale(row):
                self.done = f"no better validation loss for {self.plan.patience} epochs"
            self.whole = True
            if kept:
                if self.epoch in self.plan.snapshot_epochs():
                    kept.snapshot(self.epoch, self.net)
                self.keep(kept)
            if on_epoch(row) is True:
                self.done = "stopped"
            self._tell(row)
        if self.best is not None:
            self.net.load_state_dict(self.best["weights"])

    def _epoch(self, kept: Any, on_step: Callback) -> None:
        """The steps that are left of an epoch; the last is watched: how large its parts are."""
        plan = self.plan
        self._mode()
        batches = torch.split(order(plan.seed, self.epoch, len(self.own)).to(self.place), self.size)
        began, told, saved, cost = (time.perf_counter(),) * 3 + (0.0,)
        before = self.seconds
        while self.at < self.steps and not self.done:
            last = self.at == self.steps - 1
            number, rate = self.epoch * self.steps + self.at, plan.rate(self.epoch + self.at / self.steps, self.history)
            self.whole = False
            if last:
                self.watcher.before()
            self.sums += self.stepper.take(batches[self.at], number, rate)
            if last:
                self.watched = self.watcher.after()
            self.done = self.stepper.done
            self.at += 1
            self.whole = True
            now = time.perf_counter()
            self.seconds = before + now - began
            if now - told >= LIVE and not last:
                told = now
                row = self._so_far()
                on_step(row)
                self._tell(row)
                if kept and now - saved >= max(KEEP, 100 * cost):
                    self.keep(kept)
                    saved = time.perf_counter()
                    cost = saved - now
        self._check_loss()

    def _tell(self, row: dict[str, Any]) -> None:
        done, total = self.epoch * self.steps + self.at, self.plan.epochs * self.steps
        self.progress(done, total, f"epoch {row['epoch']}, loss {row['loss']:.4g}")

    def _measured(self) -> dict[str, Any]:
        """The row of an epoch."""
        loss, right = (self.sums / self._seen).tolist()
        row: dict[str, Any] = {"epoch": self.epoch + 1, "loss": loss, "train_accuracy": right}
        if self.apart is not None:
            row["validation_loss"], row["validation_accuracy"] = evaluated(self.trained, self.apart)
        if self.test is not None and self.plan.test_every_epoch:
            row["test_accuracy"] = evaluated(self.trained, self.test)[1]
        rate = self.stepper.rate
        fallen = bool(self.history) and rate < self.history[-1]["learning_rate"]
        if fallen and not any("first_fall" in before for before in self.history):
            row["first_fall"] = True  # of the learning rate: what it was worth is worth a look
        row |= {"learning_rate": rate, "seconds": round(self.seconds, 2), "layers": self.watched}
        with torch.no_grad():
            self.trained.eval()
            first = torch.arange(min(PROBE, len(self.own)), device=self.place)
            row["dead"] = dead_units(self.trained, self.own.ready(self.own.raw(first)))
        return row

    def _stale(self, row: dict[str, Any]) -> bool:
        """Keep the best weights so far; whether they are too long ago."""
        if not self.plan.patience:
            return False
        if self.best is None or row["validation_loss"] < self.best["loss"]:
            weights = {name: value.detach().clone() for name, value in self.net.state_dict().items()}
            self.best = {"epoch": row["epoch"], "loss": row["validation_loss"], "weights": weights}
        return bool(row["epoch"] - self.best["epoch"] >= self.plan.patience)

    def _so_far(self) -> dict[str, Any]:
        self._check_loss()
        loss, right = (self.sums / self._seen).tolist()
        return {
            "epoch": self.epoch + 1,
            "step": self.epoch * self.steps + self.at,
            "steps": self.plan.epochs * self.steps,
            "loss": loss,
            "train_accuracy": right,
            "learning_rate": self.stepper.rate,
            "pictures_per_second": self._seen / max(self.seconds, 1e-9),
        }

    def _check_loss(self) -> None:
        """Raises ExplainError for a loss that is not finite; a sum with it in is not, so that seldom looks suffice."""
        if math.isfinite(float(self.sums[0])):
            return
        first = self.epoch * self.steps
        raise ExplainError(
            f"The loss is no longer finite in epoch {self.epoch + 1}, between step {first + 1} and {first + self.at}, "
            f"with learning_rate={self.plan.learning_rate:g}; try a smaller one, a warm-up, clip=1 or another seed."
        )

    def _mode(self) -> None:
        """Training mode; what is frozen keeps also its batch norms' statistics, as in use."""
        self.trained.train(not self.begun.head)
        if self.begun.head:
            self.net.get_submodule(self.begun.head).train()

    @property
    def _seen(self) -> int:
        """Pictures of this epoch that are done."""
        return min(self.at * self.size, len(self.own))

    def state(self) -> dict[str, Any]:
        return {
            "net": self.net.state_dict(),
            "optimiser": self.stepper.optimiser.state_dict(),
            "scaler": self.stepper.scaler.state_dict(),
            "sums": self.sums,
            "best": self.best,
            **{name: getattr(self, name) for name in ("epoch", "at", "seconds", "history", "done")},
        }

    def keep(self, kept: Any) -> None:
        """A checkpoint, unless the weights are no good any more."""
        if math.isfinite(float(self.sums[0])):
            kept.keep(self.state())

    def restore(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.stepper.optimiser.load_state_dict(state["optimiser"])
        self.stepper.scaler.load_state_dict(state["scaler"])
        self.sums.copy_(state["sums"])
        for name in ("epoch", "at", "seconds", "history", "done", "best"):
            setattr(self, name, state[name])

    def model(self, images: ImageSet, name: str) -> Model:
        """The trained network, with the accuracies of the epoch whose weights it has; the test pictures are looked at
        now, if they have not been."""
        own = kept_row(self.history, self.plan.patience)
        found = {name: own[f"{name}_accuracy"] for name in ("train", "validation") if f"{name}_accuracy" in own}
        if self.test is not None:
            found["test"] = evaluated(self.trained, self.test)[1]
        about = {
            **self.begun.about,
            "recipe": self.plan.settings(),
            "data": {"name": images.name, "digest": images.digest},
            "history": self.history,
            "epoch": own.get("epoch", 0),
            "accuracy": found,
            "machine": {"threads": torch.get_num_threads(), **_machine(self.place)},  # bits are theirs
            "versions": versions(),
        }
        if self.done:
            about["ended"] = self.done
        net = self.net.eval().to(memory_format=torch.contiguous_format)  # as it is loaded again
        return Model(name, net, self.begun.preprocess, images.classes, about)


def _like(test: ImageSet, images: ImageSet) -> ImageSet:
    if test.classes != images.classes:
        raise BadValue(f"The classes of {test.name!r} are not those of {images.name!r}, which is trained on.")
    return test


def _machine(place: torch.device) -> dict[str, Any]:
    """The device; on CUDA also whether torch is set to let float32 convolutions round to TF32, as it is by default."""
    if place.type != "cuda":
        return {"device": place.type}
    cudnn: Any = torch.backends.cudnn
    return {"device": torch.cuda.get_device_name(place), "tf32": cudnn.conv.fp32_precision == "tf32"}


def _unheard(_row: dict[str, Any]) -> None:
    pass
