"""One step of a training: pictures, loss, gradients, weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import ExplainError
from .augment import augmented
from .chance import at_step, generator
from .metrics import wide
from .network import outputs
from .optimisers import OPTIMISERS
from .pictures import Pictures
from .recipes import Recipe
from .watch import gradient_norm

__all__ = ["Stepper"]

TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Stepper:
    """Moves the weights of a network by one batch of pictures at a time; `done` says why no further step is needed."""

    def __init__(self, plan: Recipe, net: nn.Module, own: Pictures, classes: int) -> None:
        self.plan, self.net, self.own, self.classes = plan, net, own, classes
        self.place = own.x.device
        asked = [parameter for parameter in net.parameters() if parameter.requires_grad]
        self.optimiser = OPTIMISERS[plan.optimiser](asked, plan.learning_rate, **plan.optimiser_options)
        self.scaler = torch.amp.GradScaler(self.place.type, enabled=plan.precision == "float16")
        self.done = ""

    @property
    def rate(self) -> float:
        """The learning rate of the last step."""
        return float(self.optimiser.param_groups[0]["lr"])

    def take(self, chosen: Tensor, number: int, rate: float) -> Tensor:
        """Step `number` of the training, with these pictures: their loss and their hits, times how many they are.

        Chance is a function of the seed and the number. Raises ExplainError where memory does not suffice.
        """
        plan = self.plan
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        at_step(plan.seed, number, self.place)
        x, y = self.own.raw(chosen), self.own.y[chosen]
        target: Tensor = y
        if plan.augmentation:
            target = F.one_hot(y, self.classes).float()
            x, target = augmented(x, target, plan.augmentation, generator(plan.seed, "augment", number))
        x = self.own.ready(x)

        def closure() -> Tensor:
            self.optimiser.zero_grad()
            loss, self.scores = self._loss(x, target)
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            return loss

        try:
            if plan.optimiser == "lbfgs":
                loss = self.optimiser.step(closure)
            else:
                loss = closure()
                self._bound()
                self.scaler.step(self.optimiser)
                self.scaler.update()
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
                raise self._too_large(x, target) from error
            raise
        right = (self.scores.argmax(1) == y).sum()
        return torch.stack([loss.detach().to(wide(self.place)), right / len(y)]) * len(y)

    def _loss(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Cross entropy, that of auxiliary heads added, and the scores."""
        plan = self.plan
        with torch.autocast(self.place.type, TYPES[plan.precision], enabled=plan.precision != "float32"):
            scores, aside = outputs(self.net, x)
            loss = F.cross_entropy(scores.float(), target, label_smoothing=plan.label_smoothing)
            for more in aside:
                loss = loss + plan.auxiliary * F.cross_entropy(more.float(), target)
        return loss, scores.detach()

    def _bound(self) -> None:
        """Gradients no longer than they may be; and whether they are so short that the training is done."""
        plan = self.plan
        if not (plan.clip or plan.stop_norm):
            return
        self.scaler.unscale_(self.optimiser)
        if plan.stop_norm and float(gradient_norm(self.net)) < plan.stop_norm:
            self.done = f"the gradient's norm is below {plan.stop_norm:g}"
        if plan.clip:
            nn.utils.clip_grad_norm_(self.net.parameters(), plan.clip)

    def _too_large(self, x: Tensor, target: Tensor) -> ExplainError:
        """What to say of a batch for which there is no memory: the largest that fits."""
        self.optimiser.zero_grad()
        size = len(x) // 2
        while size:
            try:
                self._loss(x[:size], target[:size])[0].backward()  # type: ignore[no-untyped-call]
                break
            except RuntimeError:
                size //= 2
            finally:
                self.optimiser.zero_grad()
        advice = f"batch_size={size} fits" if size else "not even one picture fits"
        return ExplainError(f"There is no memory for batch_size={len(x)} on {self.place}; {advice}.")
