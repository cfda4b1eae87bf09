"""The network of each suite: trained here in a minute or made by hand, with proof that the evidence decides."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from . import scenes, suites
from .scenes import Bool, Pixels, Scene
from .suites import SQUARES, Suite

__all__ = ["Case", "Planted", "planted"]

TRAINED_ON, TESTED_ON, EPOCHS, ENOUGH = 8_000, 500, 10, 0.99
FALLS = 0.5
"""By how much the chance of the target has to change without the evidence, in a picture that is asked about."""


@dataclass(frozen=True, eq=False)
class Case:
    """A picture, its target, and where the evidence for (+1) or against (-1) it is."""

    image: Pixels
    target: int
    mask: Bool
    sign: int


@dataclass(frozen=True, eq=False)
class Planted:
    """A suite's network, the proof that its evidence decides, and pictures."""

    suite: Suite
    model: object
    proof: dict[str, float]
    cases: tuple[Case, ...]


class Plain(nn.Sequential):
    def __init__(self, channels: int, classes: int) -> None:
        super().__init__(
            nn.Conv2d(channels, 24, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(24, 48, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(48 * 49, 96),
            nn.ReLU(),
            nn.Linear(96, classes),
        )


class Block(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside)
        self.conv2, self.norm2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False), nn.BatchNorm2d(outside)
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()
        self.shortcut = nn.Conv2d(inside, outside, 1, stride) if stride > 1 or inside != outside else nn.Identity()

    def forward(self, batch: Tensor) -> Tensor:
        inner = self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(batch)))))
        return self.relu2(inner + self.shortcut(batch))


class Residual(nn.Sequential):
    def __init__(self, channels: int, classes: int) -> None:
        super().__init__(
            nn.Conv2d(channels, 16, 3, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            Block(16, 32, 2),
            Block(32, 48, 1),
            Block(48, 64, 2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, classes),
        )


class Sums(nn.Module):
    """The score of a class is the sum of its square, so that a pixel's share of it is its value on paper."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(28 * 28, len(SQUARES), bias=False)
        weight = torch.zeros(len(SQUARES), 28, 28)
        for one, (row, column) in zip(weight, SQUARES, strict=True):
            one[row : row + 6, column : column + 6] = 0.3
        self.linear.weight = nn.Parameter(weight.flatten(1))

    def forward(self, batch: Tensor) -> Tensor:
        return self.linear(batch.flatten(1))


class Filters(nn.Module):
    """The score of a class is how well its pattern fits where it fits best, above what chance gives."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        kernels = np.stack(scenes.patterns(classes, 6, 7)) * 2.0 - 1
        self.conv, self.relu = nn.Conv2d(1, classes, 6), nn.ReLU()
        self.conv.weight = nn.Parameter(torch.from_numpy(kernels).float()[:, None])
        self.conv.bias = nn.Parameter(torch.full((classes,), -9.0))
        self.pool, self.flatten = nn.AdaptiveMaxPool2d(1), nn.Flatten()

    def forward(self, batch: Tensor) -> Tensor:
        return self.flatten(self.pool(self.relu(self.conv(batch))))


def planted(suite: Suite, count: int, folder: Path) -> Planted:
    """The network, from the folder where it was made before; its proof over TESTED_ON pictures; and so many cases."""
    import explain
    from explain.network.model import Preprocess

    drawn = _drawn(suite, TESTED_ON, 1)
    size, _, channels = drawn[0].background.shape
    level, spread = _level([one.drawn() for one in drawn]) if suite.mean else ((0.0,) * channels, (1.0,) * channels)
    if suite.net == "transfer":
        base = explain.load_model("efficientnet-lite0")
        preprocess, output = base.preprocess, "softmax"
        with base.exclusive() as whole:
            net = whole
            _learn_head(net, base, suite, folder)
    else:
        preprocess = Preprocess((size, size), size, level, spread, channels)
        output = "sigmoid" if suite.labels else "softmax"
        net = _net(suite, channels, preprocess, folder)
    model = explain.wrap(
        net.eval(), [str(k) for k in range(suite.classes)], preprocess, output, f"planted-{suite.name}"
    )
    decided = list(islice(_decided(model, _drawn(suite, 20 * count, 9)), count))
    if len(decided) < count:
        raise RuntimeError(f"the network of {suite.name} has not learned what decides")
    proof = {"accuracy": _accuracy(model, suite, drawn if size < 100 else drawn[:100])}
    for sign, word in ((1, ""), (-1, " against")):
        of = [chances for scene, chances in decided if scene.sign == sign]
        if of:
            proof |= dict(zip((f"whole{word}", f"without{word}", f"alone{word}"), np.mean(of, 0).tolist(), strict=True))
    cases = tuple(Case(_image(one.drawn()), one.target, one.mask, one.sign) for one, _ in decided)
    return Planted(suite, model, proof, cases)


def _drawn(suite: Suite, count: int, seed: int) -> list[Scene]:
    chance = np.random.default_rng([seed, *suite.name.encode()])
    return [suite.scene(chance) for _ in range(count)]


def _level(pictures: list[Pixels]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    values = np.stack(pictures) / 255
    return tuple(values.mean((0, 1, 2)).tolist()), tuple(values.std((0, 1, 2)).tolist())


def _net(suite: Suite, channels: int, preprocess, folder: Path) -> nn.Module:
    torch.manual_seed(0)
    made = {"sums": Sums, "filters": lambda: Filters(suite.classes)}.get(suite.net)
    if made is not None:
        return made()
    net = (Plain if suite.net == "plain" else Residual)(channels, suite.classes)
    file = folder / f"{suite.name}-{_digest()}.pt"
    if not file.exists():
        _learn(net, suite, preprocess)
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(net.state_dict(), file)
    net.load_state_dict(torch.load(file, weights_only=True))
    return net


def _digest() -> str:
    """Of the code that makes them."""
    made = inspect.getsource(Plain) + inspect.getsource(Block) + inspect.getsource(Residual) + inspect.getsource(_learn)
    text = "".join(map(inspect.getsource, (scenes, suites))) + made + inspect.getsource(_learn_head)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _tensors(pictures: list[Pixels], preprocess) -> Tensor:
    mean, std = (torch.tensor(one).view(-1, 1, 1) for one in (preprocess.mean, preprocess.std))
    return (torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 255 - mean) / std


def _learn(net: nn.Module, suite: Suite, preprocess) -> None:
    """Adam, until the answers to pictures not seen are right."""
    drawn, unseen = _drawn(suite, TRAINED_ON, 2), _drawn(suite, TESTED_ON, 3)
    batch, wanted = _tensors([one.drawn() for one in drawn], preprocess), torch.tensor([one.labels for one in drawn])
    test, answers = _tensors([one.drawn() for one in unseen], preprocess), torch.tensor([one.labels for one in unseen])
    loss = nn.MultiLabelSoftMarginLoss() if suite.labels else nn.CrossEntropyLoss()
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=EPOCHS * -(-len(batch) // 128))
    chance = torch.Generator().manual_seed(0)
    for _ in range(EPOCHS):
        net.train()
        for at in torch.randperm(len(batch), generator=chance).split(128):
            optimiser.zero_grad()
            loss(net(batch[at]), wanted[at].float() if suite.labels else wanted[at]).backward()
            optimiser.step()
            schedule.step()
        net.eval()
        with torch.no_grad():
            found = net(test)
        right = ((found > 0) == answers).all(1) if suite.labels else found.argmax(1) == answers
        if right.float().mean() >= ENOUGH:
            break


def _learn_head(net: nn.Module, base, suite: Suite, folder: Path, count: int = 1200) -> None:
    """A linear classifier of what the network's last layer takes."""
    file = folder / f"{suite.name}-{_digest()}.pt"
    head = nn.Linear(net.classifier.in_features, suite.classes)
    net.classifier = nn.Identity()
    if not file.exists():
        drawn = _drawn(suite, count, 2)
        with torch.no_grad():
            features = torch.cat([net(base.batch(one.drawn())) for one in drawn])
        wanted = torch.tensor([one.labels for one in drawn])
        optimiser = torch.optim.AdamW(head.parameters(), 1e-2, weight_decay=1e-2)
        for _ in range(300):
            optimiser.zero_grad()
            nn.functional.cross_entropy(head(features), wanted).backward()
            optimiser.step()
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(head.state_dict(), file)
    head.load_state_dict(torch.load(file, weights_only=True))
    net.classifier = head.requires_grad_(False)


# ------------------------------------------------------------ proof


def _accuracy(model, suite: Suite, drawn: list[Scene]) -> float:
    chances = _chances(model, [one.drawn() for one in drawn])
    if suite.labels:
        return float(np.mean([np.array_equal(row > 0.5, one.labels) for row, one in zip(chances, drawn, strict=True)]))
    return float(np.mean([row.argmax() == one.labels for row, one in zip(chances, drawn, strict=True)]))


def _decided(model, drawn: list[Scene]) -> Iterator[tuple[Scene, tuple[float, float, float]]]:
    """The scenes of which the evidence decides, with the chance of the target in the picture, without the evidence, and
    with it alone on one colour: without it the chance changes by FALLS at least."""
    for scene in drawn:
        if scene.mask.any():
            grey = np.full_like(scene.background, int(scene.background.mean()))
            chances = _chances(model, [scene.drawn(), scene.without(), scene.alone(grey)])[:, scene.target].tolist()
            if scene.sign * (chances[0] - chances[1]) >= FALLS:
                yield scene, tuple(chances)


def _chances(model, pictures: list[Pixels]) -> np.ndarray:
    with model.exclusive() as net, torch.no_grad():
        parts = (pictures[k : k + 50] for k in range(0, len(pictures), 50))
        outputs = torch.cat([net(torch.cat([model.batch(_image(one)) for one in part])) for part in parts])
    return model.chances(outputs).cpu().numpy()


def _image(picture: Pixels) -> Pixels:
    return picture[..., 0] if picture.shape[2] == 1 else picture
