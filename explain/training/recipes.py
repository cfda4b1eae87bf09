"""Recipes are data: every setting of a training run, readable and changeable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from ..errors import BadValue, Unknown, shorten
from ..nets import NETS
from ..options import Choices, Option, Range
from .augment import check_plan
from .optimisers import OPTIMISERS
from .schedules import SCHEDULES, scaled_rate

__all__ = ["RECIPES", "SETTINGS", "Recipe", "recipe"]

INITIAL = {
    "xavier": "uniform by Glorot and Bengio 2010, as in d2l",
    "he": "normal by He et al. 2015, for ReLU",
    "default": "as torch draws them",
    "zero": "nothing but zeros: all units of a layer stay alike",
}


NORMALISED = {
    "none": "values from 0 to 1",
    "imagenet": "minus the mean, through the deviation of ImageNet's colours",
}


@dataclass(frozen=True)
class Recipe:
    """Cross entropy; values from 0 to 1 and plain stochastic gradient descent, unless it says otherwise."""

    name: str
    architecture: str
    data: str
    source: str
    options: Mapping[str, Any] = field(default_factory=dict)
    epochs: Annotated[int, Range(1, 100_000)] = 10
    batch_size: Annotated[int, Range(0, 10_000_000, help="pictures a step; 0 for all of them")] = 256
    learning_rate: Annotated[float, Range(1e-12, 1e6)] = 0.1
    optimiser: Annotated[str, Choices(*OPTIMISERS)] = "sgd"
    optimiser_options: Mapping[str, Any] = field(default_factory=dict)
    schedule: Annotated[str, Choices(*SCHEDULES, help="of the learning rate")] = "constant"
    schedule_options: Mapping[str, Any] = field(default_factory=dict)
    warmup: Annotated[float, Range(0, 1000, help="epochs before the schedule begins to count")] = 0.0
    warmup_factor: Annotated[float, Range(0, 1, help="of the learning rate, at the beginning of the warm-up")] = 0.1
    warmup_shape: Annotated[str, Choices("linear", "constant")] = "linear"
    normalise: Annotated[str, Choices(*NORMALISED)] = "none"
    augmentation: tuple[Any, ...] = ()
    label_smoothing: Annotated[float, Range(0, 0.99)] = 0.0
    shuffle_labels: Annotated[bool, Choices(True, False, help="hand the labels out by lot: a control for maps")] = False
    validation: Annotated[float, Range(0, 0.9, help="share of the pictures kept apart from training")] = 0.0
    patience: Annotated[int, Range(0, 1000, help="epochs without a better validation loss; 0 never stops")] = 0
    clip: Annotated[float, Range(0, 1e6, help="largest norm of the gradient; 0 for any")] = 0.0
    stop_norm: Annotated[float, Range(0, 1e6, help="norm of the gradient below which it is done")] = 0.0
    auxiliary: Annotated[float, Range(0, 10, help="weight of the loss of auxiliary heads")] = 0.3
    initial: Annotated[str, Choices(*INITIAL, help="weights to begin with")] = "xavier"
    start: str = ""
    freeze: Annotated[bool, Choices(True, False, help="train the new head only")] = False
    precision: Annotated[str, Choices("float32", "bfloat16", "float16")] = "float32"
    test_every_epoch: Annotated[bool, Choices(True, False, help="look at the test pictures while training")] = False
    snapshots: str = ""
    seed: Annotated[int, Range(0, 2**63 - 1)] = 0

    def __post_init__(self) -> None:
        for name, option in SETTINGS.items():
            object.__setattr__(self, name, option.check(getattr(self, name)))
        for name in ("options", "optimiser_options", "schedule_options"):
            if not isinstance(given := getattr(self, name), Mapping):
                raise BadValue(f"Setting {name}={shorten(given)} is not a mapping of names to values.")
        kinds = {"optimiser_options": OPTIMISERS[self.optimiser], "schedule_options": SCHEDULES[self.schedule]}
        if not self.start:
            kinds["options"] = NETS[self.architecture]
        for name, entry in kinds.items():  # as numbers also where they came as text
            given, checked = getattr(self, name), entry.check(getattr(self, name))
            object.__setattr__(self, name, {key: checked[key] for key in given})
        object.__setattr__(self, "augmentation", check_plan(self.augmentation))
        self.snapshot_epochs()
        if self.patience and not self.validation:
            raise BadValue(f"Setting patience={self.patience} needs validation above 0: pictures to judge by.")
        if self.optimiser == "lbfgs" and self.batch_size:
            raise BadValue(f"L-BFGS takes all pictures at once: batch_size=0, not {self.batch_size}.")

    def changed(self, **changes: Any) -> Recipe:
        """A copy with some settings changed. Raises Unknown for a setting it has not, BadValue for a bad one."""
        valid = [f.name for f in fields(self) if f.name not in ("name", "source")]
        for key in changes:
            if key not in valid:
                raise Unknown("setting of a recipe", key, valid)
        for kind in ("optimiser", "schedule"):  # options are those of one kind
            if changes.get(kind, getattr(self, kind)) != getattr(self, kind):
                changes.setdefault(f"{kind}_options", {})
        return replace(self, **changes)

    def warnings(self, original: Recipe) -> list[str]:
        """What to think of before training with this change of a recipe."""
        return [*self._on_labels(), *self._on_rate(original)]

    def _on_labels(self) -> list[str]:
        if not self.shuffle_labels:
            return []
        return [
            "The labels are handed out by lot, so the network can only learn them by heart: give it epochs enough. It "
            "is a control for maps of the network that was trained on the true ones (Adebayo et al. 2018)."
        ]

    def _on_rate(self, original: Recipe) -> list[str]:
        if self.batch_size == original.batch_size or self.learning_rate != original.learning_rate:
            return []
        if not (self.batch_size and original.batch_size and self.optimiser == "sgd"):
            return []
        rate = scaled_rate(self.learning_rate, original.batch_size, self.batch_size)
        return [
            f"The batch size is {self.batch_size} instead of {original.batch_size} and the learning rate is as before; "
            f"the linear scaling rule gives {rate:.3g}."
        ]

    def rate(self, at: float, history: Sequence[Mapping[str, Any]] = ()) -> float:
        """The learning rate `at` so many epochs, by the warm-up first and then by the schedule, which may look back."""
        if at < self.warmup:
            share = at / self.warmup if self.warmup_shape == "linear" else 0.0
            return self.learning_rate * (self.warmup_factor + (1 - self.warmup_factor) * share)
        epochs = max(self.epochs - self.warmup, 1)
        factor = SCHEDULES[self.schedule](at - self.warmup, epochs, history, **self.schedule_options)
        return self.learning_rate * float(factor)

    def snapshot_epochs(self) -> set[int]:
        """The epochs whose weights are kept. Raises BadValue."""
        try:
            return {int(part) for part in self.snapshots.split(",") if part.strip()}
        except ValueError:
            raise BadValue(f"Setting snapshots={self.snapshots!r} is not a list of epochs such as 1,2,5.") from None

    def settings(self) -> dict[str, Any]:
        """All of it as plain data, as it stands in model.json."""
        return asdict(self)


def _settings() -> dict[str, Option]:
    """The settings that are a number or a choice; their bounds are those that Recipe's annotations say."""
    hints, defaults = get_type_hints(Recipe, include_extras=True), {f.name: f.default for f in fields(Recipe)}
    return {
        name: Option(name, get_args(hint)[0], defaults[name], get_args(hint)[1])
        for name, hint in hints.items()
        if get_origin(hint) is Annotated
    }


SETTINGS = _settings()

D2L = {"channels": 1, "classes": 10}
EXERCISE = "lecture exercise {}, with the settings that d2l.ai's classic chapters add"
MOMENTUM = {"momentum": 0.9, "weight_decay": 5e-4}
IMAGENET: dict[str, Any] = {"data": "imagenet", "normalise": "imagenet"}  # a folder of the user's own
RESIDUAL: dict[str, Any] = {
    **IMAGENET,
    "epochs": 120,
    "learning_rate": 0.1,
    "optimiser_options": {"momentum": 0.9, "weight_decay": 1e-5},
    "schedule": "plateau",
    "schedule_options": {"watch": "accuracy"},
    "warmup": 3,
    "warmup_factor": 0.1,
    "warmup_shape": "constant",
    "validation": 0.05,
}


def _exercise(name: str, number: str, architecture: str, **settings: Any) -> Recipe:
    source = EXERCISE.format(number)
    return Recipe(name, architecture, "fashion-mnist-train", source, test_every_epoch=True, **settings)


RECIPES = {
    made.name: made
    for made in [
        Recipe(
            name="lenet-fashion-mnist",
            architecture="lenet",
            data="fashion-mnist-train",
            source="lecture exercise X01: d2l.ai classic, LeNet, batch size 256, learning rate 0.9, 10 epochs",
            learning_rate=0.9,
            test_every_epoch=True,
        ),
        _exercise(
            "alexnet-fashion-mnist",
            "X02",
            "alexnet",
            options={**D2L, "form": "fashion", "size": 224},
            batch_size=128,
            learning_rate=0.01,
        ),
        Recipe(
            name="alexnet-small-fashion-mnist",
            architecture="alexnet_small",
            data="fashion-mnist-train",
            source="lecture exercise X02b, an AlexNet for 28 x 28; the settings are ours, not measured on all pictures",
            options={"channels": 1, "size": 28},
            batch_size=128,
            learning_rate=0.01,
            optimiser_options={"momentum": 0.9},
            test_every_epoch=True,
        ),
        _exercise(
            "vgg11-fashion-mnist",
            "X03",
            "vgg",
            options={**D2L, "config": "A", "ratio": 4.0, "size": 224},
            batch_size=128,
            learning_rate=0.05,
        ),
        _exercise(
            "googlenet-fashion-mnist",
            "X04",
            "googlenet",
            options={**D2L, "norm": "none", "dropout": 0.0, "size": 96},
            batch_size=128,
            learning_rate=0.1,
        ),
        _exercise("resnet18-fashion-mnist", "X05", "resnet", options={**D2L, "size": 96}, learning_rate=0.05),
        Recipe(
            name="alexnet-imagenet",
            architecture="alexnet",
            source="Krizhevsky et al. 2012, as lecture T01 gives it",
            epochs=90,
            batch_size=128,
            learning_rate=0.01,
            optimiser_options=MOMENTUM,
            schedule="plateau",
            schedule_options={"watch": "accuracy"},
            validation=0.05,
            **IMAGENET,
        ),
        Recipe(
            name="vgg16-imagenet",
            architecture="vgg",
            source="Simonyan and Zisserman 2015, as lecture T02 gives it",
            epochs=74,
            learning_rate=0.01,
            optimiser_options=MOMENTUM,
            schedule="plateau",
            schedule_options={"watch": "accuracy"},
            validation=0.05,
            **IMAGENET,
        ),
        Recipe(
            name="googlenet-imagenet",
            architecture="googlenet",
            source="Szegedy et al. 2015, as lecture T03 gives it",
            options={"auxiliary": True},
            epochs=250,
            learning_rate=0.01,
            optimiser_options={"momentum": 0.9},
            schedule="step",
            schedule_options={"every": 8, "factor": 0.96},
            **IMAGENET,
        ),
        Recipe(
            name="resnet50-imagenet",
            architecture="resnet",
            source="He et al. 2016, as lecture T04 gives it; the lecture's weight decay is 1e-5, the paper's 1e-4",
            options={"depth": 50, "early": True},
            **RESIDUAL,
        ),
        Recipe(
            name="densenet121-imagenet",
            architecture="densenet",
            source="Huang et al. 2017; lecture T05: as the residual network",
            **RESIDUAL,
        ),
        Recipe(
            name="resnet18-imagenet",
            architecture="resnet",
            source="lecture T06: 0.1 for 30 epochs, 0.01 for 30, 0.001 for 30",
            epochs=90,
            learning_rate=0.1,
            optimiser_options={"momentum": 0.9, "weight_decay": 1e-4},
            schedule="step",
            **IMAGENET,
        ),
        Recipe(
            name="small-resnet-fashion-mnist",
            architecture="resnet_cifar",
            data="fashion-mnist-train",
            source="ours: a residual network of the CIFAR form, crops and flips, one cycle of the learning rate",
            options={"channels": 1, "size": 28, "depth": 14, "width": 24, "full": False},
            epochs=20,
            batch_size=128,
            learning_rate=0.1,
            optimiser_options={"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4},
            schedule="cosine",
            warmup=1,
            augmentation=(("crop", {"padding": 2}), "flip"),
            label_smoothing=0.05,
            initial="he",
        ),
        Recipe(
            name="deep-sigmoid-fashion-mnist",
            architecture="mlp",
            data="fashion-mnist-train",
            source="lecture S2:90-129: five layers of sigmoids, the first hardly learn; ReLU and He's weights mend it",
            options={"channels": 1, "size": 28, "fc1": 30, "fc2": 30, "more": 2, "activation": "sigmoid"},
            batch_size=64,
            epochs=3,
        ),
        Recipe(
            name="edges-fashion-mnist",
            architecture="layered",
            data="fashion-mnist-train",
            source="ours: few 7 x 7 filters in the first layer, to be looked at",
            options={"channels": 1, "size": 28, "convs": 1, "blocks": 2, "window": 7, "filters": 16, "units": 64},
            epochs=12,
            batch_size=128,
            learning_rate=0.05,
            # Small weights to begin with and a strong decay: what is left of the noise after them cannot be seen.
            optimiser_options={"momentum": 0.9, "weight_decay": 3e-3},
            schedule="cosine",
            warmup=1,
            augmentation=(("crop", {"padding": 2}), "flip"),
            seed=2,
        ),
        Recipe(
            name="pictures",
            architecture="resnet_cifar",
            data="small pictures of yours",
            source="ours: a small residual network, for pictures of one small size",
            options={"depth": 8},
            learning_rate=0.01,
            optimiser="adam",
            batch_size=64,
            schedule="cosine",
            initial="he",
        ),
        Recipe(
            name="transfer",
            architecture="",
            data="a folder of yours",
            source="lecture S3:546: a trained network with a new last layer, for classes of one's own",
            start="efficientnet-lite0",
            freeze=True,
            epochs=30,
            batch_size=32,
            learning_rate=0.001,
            optimiser="adam",
            validation=0.2,
            patience=8,
        ),
    ]
}


def recipe(name: str | Recipe) -> Recipe:
    """A recipe by name. Raises Unknown."""
    if isinstance(name, Recipe):
        return name
    if name not in RECIPES:
        raise Unknown("recipe", name, RECIPES)
    return RECIPES[name]
