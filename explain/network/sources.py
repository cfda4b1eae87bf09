"""Where networks come from by name: SCHEME:NAME?option=value, as `timm:resnet18?weights=random`; the lectures' have no
scheme. Weights are the published ones, unless others are asked for or follow from a file."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from typing import Annotated, Any
from urllib.parse import parse_qsl

from torch import nn

from ..errors import BadValue, ExplainError, NotSupported, Unknown, reason_of, shorten
from ..nets import NETS
from ..options import Choices, Range
from ..registry import Registry
from . import hub
from .hugging_face import classifier
from .model import Preprocess
from .preprocess import completed
from .seeded import seeded
from .size import laid_out, making_room

__all__ = ["SOURCES", "Built", "build", "is_named", "is_public", "plain"]

SOURCES = Registry("source of models")
RANDOM = "random, seed 0"
_LIBRARY = re.compile(r"(torchvision|timm):[\w.-]+(\?[\w=&]{1,60})?")

Make = Callable[[Callable[[], Any]], Any]
"""How a source has its network built: with random weights, or laid out."""
Weights = Annotated[str, Choices("published", "random", help="those of its authors, or random ones from a seed")]


@dataclass
class Built:
    """A network by name, with what its source says of it."""

    net: nn.Module
    preprocess: Preprocess
    classes: Sequence[str]
    about: dict[str, Any] = field(default_factory=dict)
    output: str | None = None
    name: str = ""  # of figures and indexes, where it is not the one that was asked for


def is_named(text: str) -> bool:
    """Whether a name is of a source here or of the lectures' networks; others are of a user's own Python."""
    scheme, colon, _ = text.partition(":")
    return scheme in SOURCES if colon else text.partition("?")[0] in NETS


def is_public(text: str) -> bool:
    """Whether anybody may ask for it, as a URL, an upload and a figure may: neither a folder nor a place on the hub."""
    lecture = text.partition("?")[0] in NETS and "/" not in text
    return lecture or _LIBRARY.fullmatch(text) is not None


def build(text: str, classes: Sequence[str] | None = None, empty: bool = False, preprocess: Any = None) -> Built:
    """The network of that name, once it is clear that there is room for it; empty: with random weights, as others
    follow.

    classes: names for a head of that many outputs. preprocess: what is given of it, as `load_model` takes it.
    Raises Unknown, BadValue, NotSupported; TooLarge before any memory is filled.
    """
    path, _, query = text.partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    scheme, colon, name = path.partition(":")
    options = SOURCES[scheme].check(given) if colon else {}

    def made(make: Make, **more: Any) -> Built:
        if not colon:
            return _lecture(path, given, classes, make)
        built: Built = SOURCES[scheme].function(name, classes, make, **{**options, **more})
        return built

    random = {"weights": "random"}
    try:
        blank = made(lambda own: laid_out(own, text), **random)
    except ExplainError:
        raise
    except Exception as error:  # a library's own, for options that it does not take
        raise BadValue(f"{shorten(text)} cannot be built: {reason_of(error)}.") from error
    seen = completed(preprocess, blank.preprocess) or blank.preprocess
    filled = empty or options.get("weights") == "published"
    with making_room(text, blank.net, (seen.channels, *seen.size), copies=2 if filled else 1):
        built = made(seeded, **(random if empty else {}))
    if classes and len(classes) != len(built.classes):
        raise BadValue(
            f"The published weights of {text!r} have {len(built.classes):,} classes, and {len(classes)} names were "
            f"given; give a file as weights, or take {path}?weights=random."
        )
    return built


def plain(channels: int, size: int) -> Preprocess:
    """Square pictures with values from 0 to 1, as the lectures' exercises take them."""
    return Preprocess((size, size), size, (0.0,) * channels, (1.0,) * channels, channels)


@SOURCES.register
def torchvision(name: str, classes: Sequence[str] | None, make: Make, *, weights: Weights = "published") -> Built:
    """Classifiers and segmenters of torchvision."""
    from torchvision import models

    classifiers, segmenters = (models.list_models(module=one) for one in (models, models.segmentation))
    if name in models.list_models(module=models.detection):
        raise NotSupported(f"torchvision:{name} gives boxes, not a score a class: detection is not explained here.")
    if name not in (*classifiers, *segmenters):
        raise Unknown("torchvision model", name, [*classifiers, *segmenters])
    default = models.get_model_weights(name)["DEFAULT"]
    published = weights == "published"
    options: dict[str, Any] = {}
    if not published:
        options = {"num_classes": len(classes)} if classes else {}
        if name in segmenters:
            options["weights_backbone"] = None
        if name.startswith("vit_"):
            options["image_size"] = default.transforms().crop_size[0]
        # GoogLeNet and Inception fill their weights by a slow truncated normal unless told otherwise.
        if "init_weights" in inspect.signature(models.get_model_builder(name)).parameters:
            options["init_weights"] = False
    own = lambda: models.get_model(name, weights=default if published else None, **options)  # noqa: E731
    if published:
        hub.check_torchs(f"torchvision:{name}", default.url, int(default.meta.get("_file_size", 0) * 2**20))
    net = _published(own, f"torchvision:{name}") if published else make(own)
    transform = default.transforms()
    side = transform.resize_size[0]
    preprocess = Preprocess(
        size=(transform.crop_size[0],) * 2 if name in classifiers else (int(side),) * 2,
        resize=int(side),
        mean=tuple(transform.mean),
        std=tuple(transform.std),
        interpolation=transform.interpolation.value,
    )
    about: dict[str, Any] = {"weights": str(default) if published else RANDOM, "source": "torchvision"}
    about["preprocess_from"] = f"torchvision's {default}"
    if hasattr(net, "transform_input") and not net.transform_input:
        about["notes"] = [f"{name} as published normalises its input once more (transform_input); this one does not."]
    names = classes if classes and not published else default.meta["categories"]
    return Built(net, preprocess, names, about, "out:segmentation" if name in segmenters else "softmax")


@SOURCES.register
def timm(
    name: str,
    classes: Sequence[str] | None,
    make: Make,
    *,
    weights: Weights = "published",
    in_chans: Annotated[int, Range(0, 64, help="channels of its pictures; 0 for its own number")] = 0,
    img_size: Annotated[int, Range(0, 4096, help="side of its pictures, where the network is built for one")] = 0,
) -> Built:
    """Networks of timm by name, or as timm saved them: hf-hub:NAME, local-dir:FOLDER."""
    import timm as library
    from timm.data.config import resolve_model_data_config

    published = weights == "published"
    asked = {"in_chans": in_chans, "img_size": img_size}
    options: dict[str, Any] = {name: value for name, value in asked.items() if value}
    saved = hub.timm_folder(name) if name.startswith(("hf-hub:", "local-dir:")) else None
    if saved:
        called, options = saved.architecture, {**saved.arguments, **options}
    elif name not in (library.list_pretrained() if "." in name else library.list_models()):
        raise Unknown("timm model", name, library.list_pretrained() if "." in name else library.list_models())
    else:
        called = name
    if classes and not published:
        options["num_classes"] = len(classes)
    about: dict[str, Any] = {"weights": "published" if published else RANDOM, "source": "timm"}
    if saved or not published:
        net = make(lambda: library.create_model(called, pretrained=False, **options))
        if saved and published:
            about |= saved.apply(net)
    else:
        own = lambda: library.create_model(called, pretrained=True, **hub.timm_weights(called), **options)  # noqa: E731
        net = _published(own, f"timm:{name}")
    config = {**resolve_model_data_config(net), **(saved.config if saved else {})}  # type: ignore[no-untyped-call]
    if in_chans:
        config["input_size"] = (in_chans, *config["input_size"][1:])
        about["notes"] = [*about.get("notes", []), *_other_channels(in_chans, config, published)]
    if img_size:
        config |= {"input_size": (config["input_size"][0], img_size, img_size), "crop_pct": 1.0}
    about["preprocess_from"] = "timm's configuration of it"
    count = int(getattr(net, "num_classes", 0))
    names = classes if classes and len(classes) == count else hub.timm_classes(config, count)
    output = "softmax" if count > 1 else None  # one score, or features
    return Built(net, Preprocess.of_timm(config), names, about, output, saved.name if saved else "")


@SOURCES.register(label="Hugging Face")
def hf(name: str, classes: Sequence[str] | None, make: Make, *, weights: Weights = "published") -> Built:
    """Image classifiers of Hugging Face: a folder that transformers or timm saved, or a name on its hub."""
    saved = hub.folder(name)
    if hub.is_timms(saved):
        built: Built = timm(f"local-dir:{saved}", classes, make, weights=weights)
        return replace(built, name=hub.name_of(name))
    found = classifier(saved, name, None if weights == "published" else make, classes)
    about = {"source": "Hugging Face", **found.about}
    if weights != "published":
        about["weights"] = RANDOM
    return Built(found.net, found.preprocess, found.classes, about, "logits", hub.name_of(name))


def _lecture(name: str, given: Mapping[str, str], classes: Sequence[str] | None, make: Make) -> Built:
    entry = NETS[name]
    options = entry.check({**given, **({"classes": str(len(classes))} if classes else {})})
    net = make(lambda: entry(**options))
    names = classes or [str(i) for i in range(options["classes"])]
    about = {"weights": RANDOM, "source": "lectures", "architecture": name, "options": options}
    output = "softmax" if len(names) > 1 else None
    return Built(net, plain(options["channels"], options["size"]), names, about, output)


def _other_channels(count: int, config: dict[str, Any], published: bool) -> list[str]:
    """What to say of a first layer for other pictures; its means and deviations are those of the mean channel."""
    if len(config["mean"]) != count:
        config["mean"], config["std"] = ((sum(config[key]) / len(config[key]),) * count for key in ("mean", "std"))
    made = "The first layer is timm's own, made of the published one by repeating or adding its channels." * published
    return [
        f"Pictures have {count} channels here; each has the average of the published means and deviations.",
        *filter(None, [made]),
    ]


def _published(make: Callable[[], nn.Module], name: str) -> nn.Module:
    try:
        with redirect_stdout(sys.stderr):  # where torch says that it downloads
            return make()
    except Exception as error:
        raise NotSupported(
            f"The published weights of {name!r} could not be had ({reason_of(error)}); take {name}?weights=random for "
            "random ones, or give a local file as weights."
        ) from error
