"""Claim: occlusion, KernelSHAP, RISE and Score-CAM take at most half the time of captum's defaults, of a loop with one
mask a pass and of pytorch-grad-cam; no other method takes more than 1.05 times captum's time at equal settings, nor
Grad-CAM more than half of pytorch-grad-cam's; and memory does not grow with the number of masks.

Both alternate on one photograph at 224 x 224, with the same options; each figure is the median over the rounds of the
other's time through ours, by the clock and by the processor's seconds, which other work on the machine moves less. The
memory is the greatest of a fresh process (VmHWM: ru_maxrss begins with the parent's), at 64 x 64 to have many masks in
seconds.

    python benchmarks/attribution_speed.py --rounds 5 --methods occlusion score_cam memory
"""

import argparse
import contextlib
import io
import statistics
import subprocess
import sys
import time
import warnings

from machine import ROOT, machine

import explain

MASKS = 500, 4_000
SEGMENTS, MANY = 50, 300  # superpixels, and pictures with some of them, as the methods take by default
LAYERS = {"resnet18": "layer4", "efficientnet-lite0": "blocks.6"}

MEMORY = """
import re, sys
sys.path.insert(0, {root!r})
import torch
from torchvision.models import resnet18
from explain.attribution import METHODS
net, input_range = resnet18().eval().requires_grad_(False), (torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1))
METHODS["rise"](net, "", torch.rand(1, 3, 64, 64), torch.tensor([1]), input_range, samples=int(sys.argv[1]))
print(int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) * 1024)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(".")[0])
    parser.add_argument(
        "--rounds", type=int, default=5, help="after one that does not count, unless it is the only one"
    )
    parser.add_argument("--threads", type=int, help="of torch; by default as many as it takes itself")
    parser.add_argument("--nets", nargs="+", default=list(LAYERS), choices=LAYERS)
    parser.add_argument("--methods", nargs="+", metavar="METHOD", help="those of explain's METHODS, or 'memory'")
    given = parser.parse_args()
    import torch

    if given.threads:
        torch.set_num_threads(given.threads)
    warnings.filterwarnings("ignore")
    print(f"{torch.get_num_threads()} threads of {machine()}")
    for name in given.nets:
        for method, other, pair in pairs(name):
            if not given.methods or method in given.methods:
                print(f"{name:<18} {method:<20} {compare(pair, given.rounds, other)}", flush=True)
    if not given.methods or "memory" in given.methods:
        few, many = (peak(count) for count in MASKS)
        print(
            f"RISE of resnet18: {(many - few) / 1e6:+.1f} MB from {MASKS[0]} to {MASKS[1]:,} masks, of {few / 1e6:.0f}"
        )


def pairs(name):
    """Method, whose it is compared with, and what runs ours and theirs."""
    import torch
    from captum import attr
    from pytorch_grad_cam import AblationCAM, GradCAM, ScoreCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    from torch import nn
    from torchvision.models import resnet18

    from explain.attribution import METHODS
    from explain.attribution.masks import _Grids
    from explain.attribution.passes import room
    from explain.attribution.superpixels import superpixels

    torch.manual_seed(0)
    model = explain.load_model("efficientnet-lite0")
    picture = model.batch([explain.load_images("photos")[0]])
    with model.exclusive() as net:
        net = net if name == "efficientnet-lite0" else resnet18(weights=None).eval().requires_grad_(False)
        input_range, layer = model.input_range, LAYERS[name]
        target = net(picture).argmax(1)
        place, k, size = net.get_submodule(layer), int(target), room(net, picture, gradients=True)
        black, labels = input_range[0].expand_as(picture), superpixels(picture[0], input_range, SEGMENTS)[None, None]
        wanted = [ClassifierOutputTarget(k)]

        def ours(method, **options):
            return lambda: METHODS[method](net, layer, picture, target, input_range, **options)

        def captum(kind, method="attribute", of=(), **options):
            made = getattr(attr, kind)(net, *of)
            return lambda: made.attribute(picture.clone(), target=target, **options)

        def noisy():
            tunnel = attr.NoiseTunnel(attr.Saliency(net))
            return lambda: tunnel.attribute(
                picture.clone(), nt_samples=25, nt_samples_batch_size=size, stdevs=0.5, target=target
            )

        def gradcam(kind):
            def run():
                with kind(net, [place]) as made, contextlib.redirect_stderr(io.StringIO()):
                    return made(picture.clone().requires_grad_(), wanted)  # it needs something that asks for gradients

            return run

        def loop():
            with torch.no_grad():
                masks, likely = _Grids(MANY, 7, picture[0], 0), nn.Softmax(1)
                return sum(likely(net(picture * masks(i, i + 1)))[0, k] * masks(i, i + 1) for i in range(MANY))

        blend = {"baselines": black, "n_samples": 50, "stdevs": 0.0}
        window = {"sliding_window_shapes": (3, 28, 28), "strides": (3, 14, 14)}
        many = {"feature_mask": labels}
        rows = [
            ("gradient", "captum", lambda: captum("Saliency")),
            ("input_x_gradient", "captum", lambda: captum("InputXGradient")),
            (
                "integrated_gradients",
                "captum",
                lambda: captum("IntegratedGradients", n_steps=50, internal_batch_size=size),
            ),
            ("smooth_grad", "captum", noisy),
            ("gradient_shap", "captum", lambda: captum("GradientShap", **blend)),
            ("deep_lift", "captum", lambda: captum("DeepLift", baselines=black)),
            ("grad_cam", "captum", lambda: captum("LayerGradCam", of=(place,))),
            ("grad_cam", "pytorch-grad-cam", lambda: gradcam(GradCAM)),
            ("occlusion", "captum", lambda: captum("Occlusion", **window)),
            ("feature_ablation", "captum", lambda: captum("FeatureAblation", **many)),
            ("kernel_shap", "captum", lambda: captum("KernelShap", n_samples=MANY, **many)),
            ("lime", "captum", lambda: captum("Lime", n_samples=MANY, **many)),
            ("rise", "one mask a pass", lambda: loop),
            ("score_cam", "pytorch-grad-cam", lambda: gradcam(ScoreCAM)),
            ("ablation_cam", "pytorch-grad-cam", lambda: gradcam(AblationCAM)),
        ]
        options = {
            "occlusion": {"window": 28, "stride": 14},
            "feature_ablation": {"segments": SEGMENTS},
            "kernel_shap": {"segments": SEGMENTS, "samples": MANY},
            "lime": {"segments": SEGMENTS, "samples": MANY},
            "rise": {"samples": MANY},
            "smooth_grad": {"samples": 25},
            "gradient_shap": {"samples": 50},
            "integrated_gradients": {"steps": 50},
        }
        for method, other, theirs in rows:
            if method in METHODS:
                yield method, other, (ours(method, **options.get(method, {})), theirs())


def compare(pair, rounds, other) -> str:
    """Theirs through ours, both alternating; or why the other gives nothing."""
    taken = []
    for _ in range(rounds + 1):
        try:
            taken.append([once(run) for run in pair])
        except (AssertionError, RuntimeError) as error:
            return f"{other} refuses: {str(error).splitlines()[0][:90]}"
    taken = taken[1:] or taken
    ours, theirs = (statistics.median(each[k][0] for each in taken) for k in (0, 1))
    clock, cpu = (statistics.median(theirs[k] / mine[k] for mine, theirs in taken) for k in (0, 1))
    return f"{clock:5.2f} times as fast as {other} ({cpu:.2f} by CPU; {ours:.3f} s and {theirs:.3f} s)"


def once(run) -> tuple[float, float]:
    clock, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - clock, time.process_time() - cpu


def peak(count: int) -> int:
    command = [sys.executable, "-c", MEMORY.format(root=str(ROOT)), str(count)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


if __name__ == "__main__":
    main()
