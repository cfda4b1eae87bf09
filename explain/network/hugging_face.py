"""Image classifiers as Hugging Face's transformers saves them, with a processor that is followed and compared."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image
from torch import nn

from ..errors import BadFile, BadValue, NotSupported, shorten
from ..extras import extra
from .checkpoint import read_json
from .hub import name_of
from .preprocess import Interpolation, Preprocess

__all__ = ["Classifier", "classifier"]

OFF = 0.01
"""By how much of white a picture may be off what the processor makes before it is said."""


@dataclass(frozen=True)
class Classifier:
    """An image classifier of transformers, ready to be a Model."""

    net: nn.Module
    preprocess: Preprocess
    classes: tuple[str, ...]
    about: dict[str, Any] = field(default_factory=dict)


def classifier(
    saved: Path, name: str, make: Callable[[Callable[[], Any]], Any] | None, classes: Sequence[str] | None
) -> Classifier:
    """What a folder's config.json, weights and processor say. Raises BadFile, NotSupported.

    make: has the network built without the folder's weights; None for those.
    """
    extra("transformers")
    content = read_json(saved / "config.json")
    if content.get("auto_map"):
        raise NotSupported(f"{shorten(name)} brings code of its own, which is not run; build the network yourself.")
    kinds = content.get("architectures") or []
    if not any(str(kind).endswith("ForImageClassification") for kind in kinds):
        raise NotSupported(
            f"{shorten(name)} is {kinds or 'no network that transformers knows'}, not an image classifier."
        )
    with _quiet():
        net = _loaded(saved, name) if make is None else make(lambda: _from_config(saved, name))
        own = net.config.id2label
        if classes and len(classes) != len(own) and make is not None:
            raise BadValue(f"{shorten(name)} has {len(own)} classes and {len(classes)} names were given.")
        preprocess, about = _preprocess(saved, name, int(getattr(net.config, "num_channels", 3)))
    if make is None:
        about["weights"] = f"model.safetensors of {name_of(name)}"
    return Classifier(net, preprocess, tuple(str(own[k]) for k in range(len(own))), about)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the bars and warnings of transformers: what matters of them is said here."""
    from transformers.utils import logging as library

    theirs: Any = library

    level, bars = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    theirs.set_verbosity(logging.CRITICAL)
    theirs.disable_progress_bar()
    try:
        yield
    finally:
        theirs.set_verbosity(level)
        if bars:
            theirs.enable_progress_bar()


def _loaded(saved: Path, name: str) -> Any:
    from transformers import AutoModelForImageClassification

    try:
        net, report = AutoModelForImageClassification.from_pretrained(
            saved, local_files_only=True, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
    except Exception as error:
        raise BadFile(
            f"{shorten(name)} cannot be loaded: {shorten(str(error).strip().partition(chr(10))[0], 200)}."
        ) from error
    for key in ("missing_keys", "mismatched_keys"):
        if report.get(key):
            lacking = sorted(map(str, report[key]))
            raise BadFile(f"{shorten(name)}: weights are {key.partition('_')[0]} for {', '.join(lacking[:3])}.")
    return net


def _from_config(saved: Path, name: str) -> Any:
    from transformers import AutoConfig, AutoModelForImageClassification

    auto: Any = AutoModelForImageClassification
    try:
        return auto.from_config(AutoConfig.from_pretrained(saved, local_files_only=True))
    except Exception as error:
        raise BadFile(f"{shorten(name)} cannot be built: {shorten(str(error), 200)}.") from error


def _preprocess(saved: Path, name: str, channels: int) -> tuple[Preprocess, dict[str, Any]]:
    """What its processor does to a picture, checked against the processor itself on a picture."""
    if not (saved / "preprocessor_config.json").is_file():
        raise BadFile(f"{shorten(name)} has no preprocessor_config.json; save its processor beside it.")
    given = read_json(saved / "preprocessor_config.json")
    try:
        preprocess = _as_preprocess(given, channels)
        from transformers import AutoImageProcessor

        auto: Any = AutoImageProcessor
        processor = auto.from_pretrained(saved, local_files_only=True, trust_remote_code=False)
        picture = _chart()
        theirs = np.asarray(processor(picture, return_tensors="pt")["pixel_values"][0])
    except (KeyError, TypeError, ValueError, OSError, ImportError) as error:
        raise BadFile(f"{shorten(name)}: its processor cannot be followed: {shorten(str(error), 200)}.") from None
    ours = preprocess.tensor(picture).numpy()
    if theirs.shape != ours.shape:
        raise NotSupported(
            f"{shorten(name)}: its processor makes pictures of {theirs.shape}, which is not followed here "
            f"({ours.shape}); wrap the network with a Preprocess of your own."
        )
    off = float(np.abs(theirs - ours).mean() * np.mean(preprocess.std))
    about: dict[str, Any] = {"preprocess_from": "its processor, preprocessor_config.json"}
    if off > OFF:
        about["notes"] = [f"Pictures are off what its own processor makes by {off:.1%} of white on average."]
    return preprocess, about


def _as_preprocess(given: Mapping[str, Any], channels: int) -> Preprocess:
    """The fields of a processor as ours; what it cannot say shows in the comparison."""
    kind = str(given.get("image_processor_type") or given.get("feature_extractor_type") or "")
    size = given.get("size", 224)
    cut = _sides(given["crop_size"]) if given.get("do_center_crop") else None
    edge = size.get("shortest_edge") if isinstance(size, Mapping) else size if cut else None
    resize: Any = _sides(size) if edge is None else int(edge)
    if "ConvNext" in kind and edge is not None:  # cuts by itself, but for large pictures
        cut = (int(edge),) * 2
        resize = int(edge / float(given.get("crop_pct") or 0.875)) if edge < 384 else cut
    means, deviations = (0.0,) * channels, (1.0,) * channels
    if given.get("do_normalize", True):
        means, deviations = tuple(given["image_mean"]), tuple(given["image_std"])
    if given.get("include_top") and "EfficientNet" in kind:  # which divides once more
        deviations = tuple(one * one for one in deviations)
    white = 255 * float(given.get("rescale_factor", 1 / 255)) if given.get("do_rescale", True) else 255.0
    moved = 1.0 if given.get("rescale_offset") else 0.0
    return Preprocess(
        size=cut or (resize if edge is None else (resize,) * 2),
        resize=resize,
        mean=tuple((moved + one) / white for one in means),
        std=tuple(one / white for one in deviations),
        channels=channels,
        interpolation=cast(
            Interpolation, Image.Resampling(int(given.get("resample", 2))).name.lower()
        ),  # it is checked
    )


def _sides(size: Any) -> tuple[int, int]:
    return (int(size["height"]), int(size["width"])) if isinstance(size, Mapping) else (int(size),) * 2


def _chart() -> Image.Image:
    """A picture on which a turn, another crop, another order of channels or other means show."""
    y, x = np.mgrid[0:300, 0:260]
    planes = [y * 255 / 299, x * 255 / 259, 127 + 127 * np.sin(x / 9) * np.cos(y / 13)]
    return Image.fromarray(np.stack(planes, -1).astype(np.uint8))
