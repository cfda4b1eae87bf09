"""Claim: an epoch of the LeNet exercise takes at most 1.05 times a bare loop over one tensor, and a fifth of the
textbook's loop over torchvision's data set with a DataLoader; a checkpoint and the live report cost under 2 % of it.

The three alternate, with the exercise's settings; each figure is the median over the rounds of one time through the
other. On a GPU, also pictures a second of the exercises' networks against the bare forward and backward pass of the
same network on a batch that stays where it is.

    python benchmarks/training_speed.py --rounds 3
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from machine import machine

import explain

BATCH, RATE = 256, 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(".")[0])
    parser.add_argument("--rounds", type=int, default=3, help="after one that does not count")
    given = parser.parse_args()
    import torch

    print(f"{torch.get_num_threads()} threads of {machine()}")
    images = explain.load_images("fashion-mnist-train")
    runs = {"ours": ours, "bare": bare, "textbook": textbook}
    taken = {name: [] for name in runs}
    for _ in range(given.rounds + 1):
        for name, run in runs.items():
            taken[name].append(run(images))
    rows = list(zip(*(taken[name][1:] for name in runs), strict=True))
    print(f"epoch of LeNet: {statistics.median(a / b for a, b, _ in rows):.2f} of the bare loop's time (target 1.05)")
    print(f"textbook: {statistics.median(c / a for a, _, c in rows):.1f} times ours (target 5)")
    print("seconds: " + ", ".join(f"{name} {statistics.median(times[1:]):.2f}" for name, times in taken.items()))
    costs(images)
    if torch.cuda.is_available():
        for name in ("alexnet", "vgg11", "googlenet", "resnet18"):
            throughput(f"{name}-fashion-mnist", images)


def ours(images) -> float:
    """The seconds that the history says, without reading pictures and without the test."""
    return explain.train("lenet-fashion-mnist", images, epochs=1, device="cpu").about["history"][0]["seconds"]


def bare(images) -> float:
    import torch
    from torch.nn import functional as F

    from explain.nets import NETS

    net = NETS["lenet"]().train()
    optimiser = torch.optim.SGD(net.parameters(), RATE)
    x, y = torch.from_numpy(images.array)[:, None].float() / 255, torch.from_numpy(images.labels)
    began = time.perf_counter()
    for chosen in torch.randperm(len(x)).split(BATCH):
        scores = net(x[chosen])
        loss = F.cross_entropy(scores, y[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return time.perf_counter() - began


def textbook(images) -> float:
    """torchvision's data set reads a PIL picture at a time, and a DataLoader puts them together."""
    import torch
    from torch.nn import functional as F
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import FashionMNIST

    from explain.nets import NETS

    class Here(FashionMNIST):
        """The same class over pictures that are here already."""

        def __init__(self):
            self.data, self.targets = torch.from_numpy(images.array), torch.from_numpy(images.labels)
            self.transform, self.target_transform = transforms.ToTensor(), None

        def __len__(self):
            return len(self.data)

    net = NETS["lenet"]().train()
    optimiser = torch.optim.SGD(net.parameters(), RATE)
    began = time.perf_counter()
    for x, y in DataLoader(Here(), BATCH, shuffle=True, num_workers=0):
        loss = F.cross_entropy(net(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return time.perf_counter() - began


def costs(images) -> None:
    """What a checkpoint each epoch, and a live report each second, take of it."""
    from explain.training import checkpoint

    spent = {"checkpoint": 0.0, "live": 0.0}
    real = checkpoint.save

    def save(*args) -> None:
        began = time.perf_counter()
        real(*args)
        spent["checkpoint"] += time.perf_counter() - began

    checkpoint.save = save
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        model = explain.train(
            "lenet-fashion-mnist", images, epochs=2, device="cpu", folder=Path(folder) / "run",
            on_step=lambda row: None,
        )  # fmt: skip
        whole = time.perf_counter() - began
    checkpoint.save = real
    epochs = sum(row["seconds"] for row in model.about["history"])
    print(f"a checkpoint each epoch: {spent['checkpoint'] / epochs:.1%} of the epochs (target 2 %); all {whole:.1f} s")


def throughput(name: str, images) -> None:
    import torch
    from torch.nn import functional as F

    from explain.nets import NETS
    from explain.training import recipe

    plan = recipe(name)
    net = NETS[plan.architecture](**plan.options).cuda().train()
    size = NETS[plan.architecture].check(plan.options)["size"]
    x, y = torch.rand(plan.batch_size, 1, size, size, device="cuda"), torch.arange(plan.batch_size).cuda() % 10
    optimiser = torch.optim.SGD(net.parameters(), plan.learning_rate)
    for k in range(30):
        if k == 10:
            torch.cuda.synchronize()
            began = time.perf_counter()
        optimiser.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimiser.step()
    torch.cuda.synchronize()
    peak = 20 * plan.batch_size / (time.perf_counter() - began)
    history = explain.train(name, images, epochs=2, device="cuda").about["history"]
    found = len(images) / history[-1]["seconds"]
    print(f"{name}: {found:,.0f} pictures a second, {found / peak:.2f} of the bare pass (target 0.90)")


if __name__ == "__main__":
    main()
