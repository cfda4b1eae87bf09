"""Training by recipe: the loop, on one page."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .. import store
from ..data import ImageSet, from_arrays, load_images
from ..errors import BadFile, BadValue, ExplainError
from ..figure import versions
from ..model import Model, choose_device
from ..zoo import save_model
from . import checkpoint
from .augment import augmented
from .chance import at_step, forked, generator, order
from .metrics import evaluated
from .network import Begun, begin, outputs
from .optimisers import OPTIMISERS
from .pictures import check, pictures, split
from .recipes import Recipe
from .recipes import recipe as recipe_of
from .record import Record
from .schedules import SCHEDULES
from .watch import Watcher, dead_units, gradient_norm

__all__ = ["train"]

PROBE = 256  # pictures on which dead units are looked for
WIDE = 16
LIVE = 1.0  # seconds between two reports within an epoch
KEEP = 60.0  # and between two checkpoints within one, or so many that they cost at most a hundredth
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

Report = Callable[[dict[str, Any]], object]


def train(
    recipe: str | Recipe | Any,
    data: str | Path | ImageSet | Any = None,
    *,
    test: str | Path | ImageSet | None = None,
    start: Model | str | None = None,
    device: str = "auto",
    folder: str | Path | None = None,
    resume: bool = True,
    progress: Report | None = None,
    live: Report | None = None,
    **changes: Any,
) -> Model:
    """Train by a recipe, with some of its settings changed, and return the model with its history in `about`.

    recipe, data: a recipe, and what load_images takes, with labels, by default the recipe's. Or pictures (N, H, W) or
    (N, H, W, 3) as uint8 and their labels (N,), for which a small residual network is trained.
    test: pictures that the training never sees.
    start: a trained model or its name, whose last layer is replaced, in the place of a new network.
    folder: where model.json, weights, history, snapshots and a checkpoint are kept, and whose name the model has; what
    was interrupted there goes on as if it had not been, unless resume=False.
    progress is called with one row an epoch, and ends the training by returning True; live is called about every
    second. What either raises, as what interrupts the process, leaves a checkpoint.
    Raises ExplainError for pictures without labels, settings that cannot be, and when the loss is no longer finite.
    """
    if not isinstance(recipe, str | Recipe):  # train(images, labels)
        recipe, data = "pictures", from_arrays(recipe, data)
    if isinstance(start, str):
        changes["start"], start = start, None
    plan, place = recipe_of(recipe).changed(**changes), choose_device(device)
    images = load_images(plan.data if data is None else data)
    check(images)
    if test is None and images.name in ("fashion-mnist-train", "mnist-train"):
        test = images.name.removesuffix("-train")
    begun = begin(plan, images, start)
    held_out = None if test is None else _like(load_images(test), images)
    kept = None if folder is None else Record(Path(folder), plan, images, begun)
    with store.lock(kept.folder, kept.busy) if kept else nullcontext(), forked(place):
        run = _Run(plan, begun, images, held_out, place)
        if kept:
            kept.begin()
            if resume and (state := checkpoint.load(kept.folder)):
                run.restore(kept.checked(state))
        try:
            run.fit(kept, progress or _unheard, live or _unheard)
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
        self, plan: Recipe, begun: Begun, images: ImageSet, test: ImageSet | None, place: torch.device
    ) -> None:
        self.plan, self.begun, self.place = plan, begun, place
        whole = pictures(images, begun.preprocess, place)
        held_out = None if test is None else pictures(test, begun.preprocess, place)
        self.net = begun.net.to(place)
        wide = any(isinstance(module, nn.Conv2d) and module.in_channels >= WIDE for module in self.net.modules())
        if wide:  # convolutions of many channels are faster where these lie together
            self.net.to(memory_format=torch.channels_last)
        self.trained: nn.Module = self.net
        if begun.alone and not plan.augmentation:  # nothing before the last layer changes: it is run once
            self.trained = self.net.get_submodule(begun.head)
            whole = whole.vectors(self.net, begun.head)
            held_out = None if held_out is None else held_out.vectors(self.net, begun.head)
        self.test = held_out
        self.own, self.apart = split(whole, plan.validation, plan.seed)
        asked = [parameter for parameter in self.net.parameters() if parameter.requires_grad]
        self.optimiser = OPTIMISERS[plan.optimiser](asked, plan.learning_rate, **plan.optimiser_options)
        self.size = plan.batch_size or len(self.own)
        if self.size > len(self.own):
            raise BadValue(f"batch_size={self.size} is more than the {len(self.own)} pictures; give 0 for all of them.")
        self.steps = math.ceil(len(self.own) / self.size)
        self.scaler = torch.amp.GradScaler(place.type, enabled=plan.precision == "float16")
        self.watcher = Watcher(self.trained)
        self.epoch = self.at = 0
        self.sums = torch.zeros(2, dtype=torch.double, device=place)  # loss and hits of this epoch, times pictures
        self.seconds = 0.0
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Any] | None = None
        self.done = ""
        self.whole = True  # not in the middle of a step, where an interrupt leaves halves
        self.watched: dict[str, dict[str, float]] = {}

    def fit(self, kept: Any, progress: Report, live: Report) -> None:
        """Epoch by epoch, from wherever it is."""
        while self.epoch < self.plan.epochs and not self.done:
            self._epoch(kept, live)
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
            if progress(row) is True:
                self.done = "stopped"
        if self.best is not None:
            self.net.load_state_dict(self.best["weights"])

    def _epoch(self, kept: Any, live: Report) -> None:
        """The steps that are left of an epoch."""
        self._mode()
        batches = torch.split(order(self.plan.seed, self.epoch, len(self.own)).to(self.place), self.size)
        began, told, saved, cost = (time.perf_counter(),) * 3 + (0.0,)
        before = self.seconds
        while self.at < self.steps and not self.done:
            last = self.at == self.steps - 1
            self.whole = False
            self._step(batches[self.at], last)
            self.at += 1
            self.whole = True
            now = time.perf_counter()
            self.seconds = before + now - began
            if now - told >= LIVE and not last:
                told = now
                live(self._live())
                if kept and now - saved >= max(KEEP, 100 * cost):
                    self.keep(kept)
                    saved = time.perf_counter()
                    cost = saved - now
        self._check_loss()

    def _step(self, chosen: Tensor, watched: bool) -> None:
        """One step of the optimiser; `watched`: noting how large its parts are."""
        plan, number = self.plan, self.epoch * self.steps + self.at
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        at_step(plan.seed, number)
        x, y = self.own.raw(chosen), self.own.y[chosen]
        target: Tensor = y
        if plan.augmentation:
            target = F.one_hot(y, self.classes).float()
            x, target = augmented(x, target, plan.augmentation, generator(plan.seed, "augment", number))
        x = self.own.ready(x)

        def closure() -> Tensor:
            self.optimiser.zero_grad()
            with torch.autocast(self.place.type, TYPES[plan.precision], enabled=plan.precision != "float32"):
                scores, aside = outputs(self.trained, x)
                loss = F.cross_entropy(scores.float(), target, label_smoothing=plan.label_smoothing)
                for more in aside:
                    loss = loss + plan.auxiliary * F.cross_entropy(more.float(), target)
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            self.scores = scores.detach()
            return loss

        if watched:
            self.watcher.before()
        try:
            if plan.optimiser == "lbfgs":
                loss = self.optimiser.step(closure)
            else:
                loss = closure()
                self._bounded()
                self.scaler.step(self.optimiser)
                self.scaler.update()
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
                raise self._too_large(x, target) from error
            raise
        right = (self.scores.argmax(1) == y).sum()
        self.sums += torch.stack([loss.detach().double(), right / len(y)]) * len(y)
        if watched:
            self.watched = self.watcher.after()

    def _bounded(self) -> None:
        """Gradients no longer than they may be; and whether they are so short that the training is done."""
        if not (self.plan.clip or self.plan.stop_norm):
            return
        self.scaler.unscale_(self.optimiser)
        if self.plan.stop_norm and float(gradient_norm(self.trained)) < self.plan.stop_norm:
            self.done = f"the gradient's norm is below {self.plan.stop_norm:g}"
        if self.plan.clip:
            nn.utils.clip_grad_norm_(self.trained.parameters(), self.plan.clip)

    def _rate(self) -> float:
        """The learning rate of this step, by the warm-up first and then by the schedule."""
        plan, at = self.plan, self.epoch + self.at / self.steps
        if at < plan.warmup:
            share = at / plan.warmup if plan.warmup_shape == "linear" else 0.0
            return plan.learning_rate * (plan.warmup_factor + (1 - plan.warmup_factor) * share)
        ahead = at - plan.warmup
        schedule, epochs = SCHEDULES[plan.schedule], max(plan.epochs - plan.warmup, 1)
        return plan.learning_rate * float(schedule(ahead, epochs, self.history, **plan.schedule_options))

    def _measured(self) -> dict[str, Any]:
        """The row of an epoch."""
        loss, right = (self.sums / self._seen).tolist()
        row: dict[str, Any] = {"epoch": self.epoch + 1, "loss": loss, "train_accuracy": right}
        if self.apart is not None:
            row["validation_loss"], row["validation_accuracy"] = evaluated(self.trained, self.apart)
        if self.test is not None and self.plan.test_every_epoch:
            row["test_accuracy"] = evaluated(self.trained, self.test)[1]
        rate = self.optimiser.param_groups[0]["lr"]
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

    def _live(self) -> dict[str, Any]:
        self._check_loss()
        loss, right = (self.sums / self._seen).tolist()
        return {
            "epoch": self.epoch + 1,
            "step": self.epoch * self.steps + self.at,
            "steps": self.plan.epochs * self.steps,
            "loss": loss,
            "train_accuracy": right,
            "learning_rate": self.optimiser.param_groups[0]["lr"],
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

    def _too_large(self, x: Tensor, target: Tensor) -> ExplainError:
        """What to say of a batch for which there is no memory: the largest that fits."""
        self.optimiser.zero_grad()
        size = len(x) // 2
        while size:
            try:
                loss = F.cross_entropy(outputs(self.trained, x[:size])[0], target[:size])
                loss.backward()  # type: ignore[no-untyped-call]
                break
            except RuntimeError:
                size //= 2
            finally:
                self.optimiser.zero_grad()
        advice = f"batch_size={size} fits" if size else "not even one picture fits"
        return ExplainError(f"There is no memory for batch_size={len(x)} on {self.place}; {advice}.")

    def _mode(self) -> None:
        """Training mode; what is frozen keeps also its batch norms' statistics, as in use."""
        self.trained.train(not self.begun.head)
        if self.begun.head:
            self.net.get_submodule(self.begun.head).train()

    @property
    def _seen(self) -> int:
        """Pictures of this epoch that are done."""
        return min(self.at * self.size, len(self.own))

    @property
    def classes(self) -> int:
        return int(self.begun.about["options"]["classes"])

    def state(self) -> dict[str, Any]:
        return {
            "net": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
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
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        self.sums.copy_(state["sums"])
        for name in ("epoch", "at", "seconds", "history", "done", "best"):
            setattr(self, name, state[name])

    def model(self, images: ImageSet, name: str) -> Model:
        """The trained network; the test pictures are looked at now, if they have not been."""
        last = self.history[-1] if self.history else {}
        found = {name: last[f"{name}_accuracy"] for name in ("train", "validation") if f"{name}_accuracy" in last}
        if self.test is not None:
            found["test"] = evaluated(self.trained, self.test)[1]
        about = {
            **self.begun.about,
            "recipe": self.plan.settings(),
            "data": {"name": images.name, "digest": images.digest},
            "history": self.history,
            "accuracy": found,
            "versions": versions(),
        }
        if self.done:
            about["ended"] = self.done
        net = self.net.eval()
        return Model(name, net, self.begun.preprocess, images.classes, about)


def _like(test: ImageSet, images: ImageSet) -> ImageSet:
    if test.classes != images.classes:
        raise BadValue(f"The classes of {test.name!r} are not those of {images.name!r}, which is trained on.")
    return test


def _unheard(_row: dict[str, Any]) -> None:
    pass
