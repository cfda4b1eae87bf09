"""Pictures made for channels of efficientnet-lite0, 128 px and 256 steps of Adam, beside those of lucent (torch-lucent
and kornia, to be installed by hand) by its own defaults: Fourier space, its standard transformations, ImageNet's
colours, the mean of a channel.

Of each picture as it is drawn, not as it was seen on the way: the mean of the channel over its map, after its
rectifier, and its strongest place. Ours through theirs, the median over channels; and seconds a channel.
"""

import statistics
import tempfile
import time

import torch
from machine import machine

import explain
from explain.network.trace import record

MODEL, SIDE, STEPS = "efficientnet-lite0", 128, 256
LAYERS = ("bn1.act", "blocks.2.0.bn1.act", "blocks.4.1.bn1.act", "bn2.act")
CHANNELS = (3, 7, 20, 28)
MEASURES = ("mean", "strongest")


def main() -> None:
    print(machine())
    model = explain.load_model(MODEL)
    folder = tempfile.mkdtemp()
    index = explain.build_index(model, "photos", LAYERS, out=folder, k=4)
    for layer in LAYERS:
        began = time.perf_counter()
        drawn = explain.feature_visualization(index, layer, CHANNELS, side=SIDE, steps=STEPS)
        ours, channels = torch.from_numpy(drawn.values), drawn.channels  # without the dead
        taken = time.perf_counter() - began
        began = time.perf_counter()
        theirs = torch.cat([lucent(model, layer, channel) for channel in channels])
        other = time.perf_counter() - began
        own, peer = (measured(model, layer, channels, values) for values in (ours, theirs))
        said = ", ".join(
            f"{name} {statistics.median(a / b for a, b in zip(own[name], peer[name], strict=True)):.2f}"
            for name in MEASURES
        )
        print(
            f"{layer}: ours / lucent's {said}; {taken / len(channels):.1f} and {other / len(channels):.1f} s a channel"
        )
        print(f"  {own}\n  {peer}", flush=True)


def lucent(model: explain.Model, layer: str, channel: int) -> torch.Tensor:
    import kornia
    from lucent.optvis import param, render, transform
    from torchvision.transforms import Normalize

    for name in ("get_rotation_matrix2d", "warp_affine"):  # where lucent, of 2021, looks for them
        setattr(kornia, name, getattr(kornia.geometry, name))
    given = Normalize(model.preprocess.mean, model.preprocess.std)
    with model.exclusive() as net:
        name = layer.replace(".", "_")
        made = render.render_vis(
            net,
            f"{name}:{channel}",
            lambda: param.image(SIDE),
            transforms=[*transform.standard_transforms, given],
            preprocess=False,
            thresholds=(STEPS,),
            progress=False,
            show_image=False,
            fixed_image_size=SIDE,
        )
        for module in net.modules():
            module._forward_hooks.clear()  # which it leaves
    return torch.from_numpy(made[-1]).permute(0, 3, 1, 2)


def measured(
    model: explain.Model, layer: str, channels: tuple[int, ...], values: torch.Tensor
) -> dict[str, list[float]]:
    mean, std = (torch.tensor(one).view(1, -1, 1, 1) for one in (model.preprocess.mean, model.preprocess.std))
    with model.exclusive() as net:
        maps = record(net, (values.float() - mean) / std, [layer])[1][layer]
    own = torch.stack([maps[k, channel] for k, channel in enumerate(channels)]).flatten(1)
    found = (own.mean(1), own.amax(1))
    return {name: [round(one, 3) for one in values.tolist()] for name, values in zip(MEASURES, found, strict=True)}


if __name__ == "__main__":
    main()
