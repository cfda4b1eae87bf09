"""Claims on CUDA, everything in full float32; each figure is the median over rounds in which the rivals alternate:

1. the whole index of resnet18 at 224 x 224 takes at most 1.10 of the bare eager pass over the same batches, which lie
   ready in memory that is not paged, while the index stacks them from single pictures;
2. gradient, Grad-CAM, integrated gradients, SmoothGrad of resnet18 take at most 1.05 of captum's time at equal
   settings, RISE at most 1.10 of the bare passes it asks for;
3. training takes at most 1.05 of the time of a bare loop over tensors on the GPU, the exercises' networks;
4. the memory that `batch_costs` tells is what torch counts when the same is done by hand.

    python benchmarks/gpu.py --parts index methods training memory
"""

import argparse
import copy
import statistics
import time

from machine import machine

import explain

PARTS = ("index", "methods", "training", "memory")
RECIPES = ("lenet", "alexnet", "vgg11", "googlenet", "resnet18")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(",")[0])
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--rounds", type=int, default=5, help="after one that does not count")
    parser.add_argument("--images", type=int, default=1024, help="of the index")
    parser.add_argument("--pictures", type=int, default=12_800, help="of an epoch")
    parser.add_argument("--masks", type=int, default=1000, help="of RISE")
    parser.add_argument("--device", default="cuda", help="cpu tries the script")
    given = parser.parse_args()
    import torch

    card = torch.cuda.get_device_name(0) if given.device == "cuda" else "no GPU"
    print(f"{card}, {machine()}", flush=True)
    for part in given.parts:
        {"index": index, "methods": methods, "training": training, "memory": memory}[part](given)


def alternate(runs, rounds, device) -> dict[str, list[float]]:
    """Seconds by name; each goes first in turn, and a first round does not count."""
    import torch

    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(-1, rounds):
        order = list(runs)
        for name in order[number % len(order) :] + order[: number % len(order)]:
            if device == "cuda":
                torch.cuda.synchronize()
            start = time.perf_counter()
            runs[name]()
            if device == "cuda":
                torch.cuda.synchronize()
            if number >= 0:
                times[name].append(time.perf_counter() - start)
    return times


def ratio(ours, theirs) -> str:
    pairs = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    return f"{statistics.median(pairs):.2f} ({pairs[0]:.2f} to {pairs[-1]:.2f})"


def index(given) -> None:
    import torch

    from explain.index.build import _Pass, default_layers
    from explain.network.exact import exact

    model = explain.load_model("torchvision:resnet18?weights=random", device=given.device)
    place, cuda = model.device, given.device == "cuda"
    chance = torch.Generator().manual_seed(0)
    # Not zeros, and not one picture again and again.
    pictures = [torch.randn(3, 224, 224, generator=chance) for _ in range(min(given.images, 256))]
    pictures = [pictures[k % len(pictures)].roll(k // len(pictures), 2) for k in range(given.images)]
    photos = explain.load_images("photos")
    images = explain.load_images([photos.files[k % len(photos)] for k in range(given.images)])
    whole = _Pass(model, {name: model.layer(name) for name in default_layers(model)}, images, 16, 0)
    with model.exclusive() as net:
        plain, last = copy.deepcopy(net), copy.deepcopy(net).to(memory_format=torch.channels_last)

    def ready(positions):
        yield from ((at, pictures[at]) for at in positions)

    def bare(net, some, layout=torch.contiguous_format, full=True):
        with torch.inference_mode(), exact(place if full else torch.device("cpu")):
            for batch in some:
                net(batch.to(place, non_blocking=True).contiguous(memory_format=layout))

    def runs_of(size):
        batches = [torch.stack(pictures[k : k + size]) for k in range(0, given.images, size)]
        batches = [batch.pin_memory() if cuda else batch for batch in batches]
        there = [batch.to(place) for batch in batches]
        return {
            "index": lambda: whole.shard(ready, list(range(given.images)), size, 0, lambda *_: None),
            "bare": lambda: bare(plain, batches),
            "bare, pictures there": lambda: bare(plain, there),
            "bare, channels_last": lambda: bare(last, batches, torch.channels_last),
            "bare, TF32": lambda: bare(plain, batches, full=False),
            "bare, TF32, channels_last": lambda: bare(last, batches, torch.channels_last, False),
        }

    for size in (16, 64, 128):
        times = alternate(runs_of(size), given.rounds, given.device)
        each = ", ".join(f"{name} {statistics.median(t) / given.images * 1e3:.3f}" for name, t in times.items())
        print(
            f"index of resnet18, batch {size}: {ratio(times['index'], times['bare'])} of the bare pass (target 1.10); "
            f"ms a picture: {each}",
            flush=True,
        )


def methods(given) -> None:
    import torch

    from explain.attribution import METHODS
    from explain.network.exact import exact

    model = explain.load_model("torchvision:resnet18?weights=random", device=given.device)
    picture = model.batch([explain.open_picture("photos/chelsea")])
    samples, steps, noisy = given.masks, 50, 25
    try:
        from captum import attr
    except ImportError:
        attr = None
    with model.exclusive() as net, exact(model.device):
        target, input_range = net(picture).argmax(1), model.input_range
        black = input_range[0].expand_as(picture)
        many = picture.repeat(64, 1, 1, 1)

        def ours(name, **options):
            return lambda: METHODS[name](net, "layer4", picture, target, input_range, **options).cpu()

        def slopes(count):
            """The bare passes forward and back, at once."""

            def run():
                batch = picture.repeat(count, 1, 1, 1).requires_grad_()
                torch.autograd.grad(net(batch)[:, int(target)].sum(), batch)[0].sum(0).cpu()

            return run

        def scores():
            with torch.inference_mode():
                for _ in range(-(-samples // 64)):
                    net(many)

        rows = [("rise", "bare passes", ours("rise", samples=samples), scores)]
        rows += [("integrated_gradients", "bare passes", ours("integrated_gradients", steps=steps), slopes(steps))]
        rows += [("smooth_grad", "bare passes", ours("smooth_grad", samples=noisy), slopes(noisy))]
        if attr:
            saliency, tunnel = attr.Saliency(net), attr.NoiseTunnel(attr.Saliency(net))
            path, cam = attr.IntegratedGradients(net), attr.LayerGradCam(net, net.get_submodule("layer4"))
            window = {"sliding_window_shapes": (3, 28, 28), "strides": (3, 14, 14), "perturbations_per_eval": 64}
            rows += [
                ("gradient", "captum", ours("gradient"), lambda: saliency.attribute(picture.clone(), target).cpu()),
                ("grad_cam", "captum", ours("grad_cam"), lambda: cam.attribute(picture.clone(), target).cpu()),
                (
                    "integrated_gradients",
                    "captum",
                    ours("integrated_gradients", steps=steps),
                    lambda: path.attribute(
                        picture.clone(), black, target, n_steps=steps, internal_batch_size=steps
                    ).cpu(),
                ),
                (
                    "smooth_grad",
                    "captum",
                    ours("smooth_grad", samples=noisy),
                    lambda: tunnel.attribute(
                        picture.clone(), nt_samples=noisy, nt_samples_batch_size=noisy, stdevs=0.5, target=target
                    ).cpu(),
                ),
                (
                    "occlusion",
                    "captum, 64 a pass",
                    ours("occlusion", window=28, stride=14),
                    lambda: attr.Occlusion(net).attribute(picture.clone(), target=target, **window).cpu(),
                ),
            ]
        for name, other, mine, theirs in rows:
            times = alternate({"ours": mine, "theirs": theirs}, given.rounds, given.device)
            print(
                f"{name} of resnet18: {ratio(times['ours'], times['theirs'])} of {other} "
                f"({statistics.median(times['ours']) * 1e3:.1f} ms, {statistics.median(times['theirs']) * 1e3:.1f} ms)",
                flush=True,
            )


def training(given) -> None:
    import torch
    from torch.nn import functional as F

    from explain.nets import NETS
    from explain.training import recipe

    try:
        images = explain.load_images("fashion-mnist-train", limit=given.pictures)
    except explain.ExplainError:
        images = explain.load_images("fashion-mnist", limit=given.pictures)
    for short in RECIPES:
        plan, times = recipe(f"{short}-fashion-mnist"), {"ours": [], "bare": []}
        size = NETS[plan.architecture].check(dict(plan.options))["size"]
        x = torch.from_numpy(images.array)[:, None].to(given.device)
        y = torch.from_numpy(images.labels).to(given.device)

        def bare(plan=plan, size=size, x=x, y=y) -> float:
            net = NETS[plan.architecture](**plan.options).to(given.device).train()
            optimiser = torch.optim.SGD(net.parameters(), plan.learning_rate)
            order = torch.randperm(len(x)).to(given.device)
            began = time.perf_counter()
            for chosen in order.split(plan.batch_size):
                batch = x[chosen].float().div_(255)
                batch = batch if size == 28 else F.interpolate(batch, (size, size), mode="bilinear")
                loss = F.cross_entropy(net(batch), y[chosen])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            float(loss.detach())
            return time.perf_counter() - began

        def ours(plan=plan) -> float:
            model = explain.train(
                plan, images, test=images.head(256), epochs=1, test_every_epoch=False, device=given.device
            )
            return model.about["history"][0]["seconds"]

        for number in range(-1, given.rounds):
            for name, run in (("ours", ours), ("bare", bare))[:: 1 if number % 2 else -1]:
                seconds = run()
                if number >= 0:
                    times[name].append(seconds)
        rates = ", ".join(f"{name} {len(images) / statistics.median(t):,.0f}" for name, t in times.items())
        print(
            f"epoch of {plan.name}: {ratio(times['ours'], times['bare'])} of the bare loop (target 1.05); "
            f"pictures a second: {rates}",
            flush=True,
        )


def memory(given) -> None:
    model = explain.load_model("torchvision:resnet18?weights=random", device=given.device)
    sizes = (1, 8, 64) if given.device == "cuda" else (1, 2)
    for training in (False, True):
        told = explain.batch_costs(model, sizes, training=training).costs
        for size, found, estimate in zip(sizes, told.mebibytes, told.estimates, strict=True):
            counted = by_hand(model, size, training) if given.device == "cuda" else float("nan")
            print(
                f"resnet18, batch {size}, {'training' if training else 'forward'}: told {found:.1f} MiB ({told.how}), "
                f"by hand {counted:.1f}, ratio {found / counted:.3f}; estimate {estimate:.1f}",
                flush=True,
            )


def by_hand(model, size, training) -> float:
    import torch

    with model.exclusive() as net, torch.set_grad_enabled(training):
        for parameter in net.parameters():
            parameter.requires_grad_(training)
        torch.cuda.synchronize()
        batch = torch.zeros(size, 3, 224, 224, device=model.device)
        for _ in range(2):  # the second finds gradients and cuDNN's plans
            torch.cuda.reset_peak_memory_stats()
            scores = net(batch)
            if training:
                scores.square().mean().backward()
            del scores
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() / 2**20


if __name__ == "__main__":
    main()
