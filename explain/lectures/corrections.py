"""What the slides get wrong, row by row (E01 to E42): what they say, what is right, why, and where.

A number that can be computed is: `found` gives the values that stand in braces in `right`. S0: FunML 16; S1: Machine
learning 7; S2: ML for embedded systems 3; S3: Deep learning; S4: CNNs 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import ceil, sqrt
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..nets import NETS
from ..nets.googlenet import Inception, NaiveInception
from ..nets.layers import lrn
from ..nets.resnet import DEPTHS
from ..network.costs import Counts, count, neurons
from ..network.layers import FLOAT_BYTES
from .arithmetic import conv_macs, output_size
from .counted import counts_of, published

__all__ = ["CORRECTIONS", "Correction"]

Values = dict[str, Any]


@dataclass(frozen=True)
class Correction:
    """One row; `right` has the names of `found`'s values in braces."""

    row: str
    about: str
    cite: str
    says: str
    right: str
    why: str
    found: Callable[[], Values] | None = None

    def counted(self) -> Values:
        """The numbers in `right`, by name."""
        return self.found() if self.found else {}


PAPER, UNGROUPED, TORCHVISION = "alexnet", "alexnet?form=ungrouped", "alexnet?form=torchvision&size=224"
MIB = 2**20


def _layer(network: str, name: str) -> Any:
    return next(layer for layer in counts_of(network).layers if layer.name == name)


def _times(sizes: tuple[int, ...]) -> str:
    return " × ".join(map(str, sizes))


@cache
def _library(name: str, size: int) -> tuple[nn.Module, Counts]:
    """A network of torchvision, without its values."""
    from torchvision import models

    with torch.device("meta"):
        net = getattr(models, name)(weights=None, aux_logits=False, init_weights=False).eval()
        return net, count(net, torch.zeros(1, 3, size, size))


def _modules(net: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(module, kind) for module in net.modules())


def _built(name: str, **options: Any) -> nn.Module:
    with torch.device("meta"):
        net: nn.Module = NETS[name](**options)
        return net


def _step(make: Callable[[list[Tensor]], Optimizer], gradient: tuple[float, ...], steps: int = 1) -> list[float]:
    """The last of some steps of torch's optimiser along one gradient, as multiples of its rate of 1."""
    point = torch.zeros(len(gradient), dtype=torch.double, requires_grad=True)
    optimiser, before = make([point]), point.detach().clone()
    for _ in range(steps):
        before = point.detach().clone()
        point.grad = torch.tensor(gradient, dtype=torch.double)
        optimiser.step()
    moved: list[float] = (before - point.detach()).tolist()
    return moved


def _adam() -> Values:
    """First steps for a gradient of 1: torch's, and by the slides' formulas."""
    b2, eps = 0.999, 1e-8
    squares = 1 - b2  # the running mean of squares after one gradient of 1
    return {
        "torch": _step(lambda p: torch.optim.Adam(p, 1.0), (1.0,))[0],
        "printed": 1 / sqrt(squares + eps),  # S0:435, the mean of gradients corrected, that of squares not
        "summed": 1 / (sqrt(squares) + eps),  # S4:292, the gradients summed
        "raw": 0.1 / sqrt(squares + eps),  # S0:375 without either correction
    }


def _updates() -> Values:
    """Ranks of what one update changes of a curvature estimate, by SciPy's own strategies."""
    from scipy.optimize import BFGS, SR1

    draws = np.random.default_rng(0).normal(size=(5, 5))
    curved, step = draws @ draws.T + np.eye(5), np.ones(5)
    ranks = {}
    for name, made in (("bfgs", BFGS(init_scale=1.0)), ("sr1", SR1(init_scale=1.0))):
        made.initialize(5, "hess")
        made.update(step, curved @ step)
        ranks[name] = int(np.linalg.matrix_rank(made.get_matrix() - np.eye(5), tol=1e-9))
    return ranks


def _saddle() -> Values:
    curvature: Tensor = torch.autograd.functional.hessian(  # type: ignore[no-untyped-call]
        lambda p: 5 * p[0] ** 2 - p[1] ** 2, torch.zeros(2)
    )
    low, high = torch.linalg.eigvalsh(curvature).tolist()
    return {"low": low, "high": high}


def _lrn() -> Values:
    """torch's module with the paper's constants, and how many maps one value depends on for n = 2."""
    batch = torch.ones(1, 8, 1, 1, requires_grad=True)
    (moved,) = torch.autograd.grad(lrn(2)(batch)[0, 4, 0, 0], batch)
    return {"alpha": lrn(5).alpha, "maps": int((moved != 0).sum()), "spanned": 2 // 2 * 2 + 1}


def _first_block() -> Values:
    names = {"Conv2d": "conv", "ReLU": "ReLU", "LocalResponseNorm": "LRN", "MaxPool2d": "pool"}
    return {"order": ", ".join(names[layer.kind] for layer in counts_of(PAPER).layers[:4])}


def _inception() -> Values:
    with torch.device("meta"):
        entering = torch.zeros(1, 256, 28, 28)
        ours = count(Inception(256, 128, (64, 192), (64, 96), 64).eval(), entering).macs
        naive = count(NaiveInception(256, 128, 192, 96).eval(), entering).macs
    return {"sum": ours, "twice": (ours + conv_macs(3, 64, 192, 28)) / 1e6, "naive": naive / 1e6}


def _googlenets() -> Values:
    theirs, counted = _library("googlenet", 224)
    return {
        "theirs": theirs,
        "macs": counts_of("googlenet").macs / 1e9,
        "convs": counts_of("googlenet").conv_macs / 1e9,
        "library": counted.macs / 1e9,
        "batch_norms": _modules(theirs, nn.BatchNorm2d),
        "response_norms": _modules(_built("googlenet"), nn.LocalResponseNorm),
        "largest": max(counts_of("googlenet").windows[:-1]),  # behind the first layer's 7
        "library_largest": max(counted.windows[:-1]),
    }


def _inception_v3() -> str:
    net, _ = _library("inception_v3", 299)
    sides = {module.kernel_size for module in net.modules() if isinstance(module, nn.Conv2d)}
    return ", ".join(f"{rows} × {columns}" for rows, columns in sorted(sides) if max(rows, columns) > 3)


def _features() -> Values:
    networks = {
        "alexnet": "alexnet?form=torchvision&size=224",
        "vgg": "vgg?config=D",
        "resnet18": "resnet?depth=18",
        "resnet50": "resnet?depth=50",
        "googlenet": "googlenet",
        "densenet": "densenet?depth=121",
        "lenet": "lenet",
    }
    widths = {}
    for name, network in networks.items():
        architecture, _, query = network.partition("?")
        options = dict(one.split("=") for one in query.split("&") if one)
        net = _built(architecture, **NETS[architecture].check(dict(options)))
        widths[name] = [module for module in net.modules() if isinstance(module, nn.Linear)][-1].in_features
    return widths


def _caffe() -> Counts:
    return counts_of("lenet?conv1=20&conv2=50&padding=0&fc1=500&fc2=0")


CORRECTIONS = (
    Correction(
        "E01",
        "first filters of AlexNet",
        "S0:676,688; S3:763",
        "64 filters; other slides: 96",
        "{paper} in the paper's net, {torchvision} in torchvision's",
        "Two networks share one name: the paper's 96 are 48 on each of two GPUs; the 64 are those of the one-GPU form "
        "that torchvision ships.",
        lambda: {
            "paper": _layer(PAPER, "conv1").shape[0],
            "torchvision": _layer(TORCHVISION, "conv1").shape[0],
        },
    ),
    Correction(
        "E02",
        "AlexNet's input",
        "S3:124-125; S2:917",
        "224 with 11 × 11, stride 4, padding 0 gives 55",
        "it gives {misfit:.2f}; {whole} needs an input of 227, or 224 with padding 2 ({floored}, rounded down)",
        "The windows do not end where the picture does. d2l's exercise pads by 1 and has one column less.",
        lambda: {
            "misfit": float(output_size(224, 11, 4)),
            "whole": int(output_size(227, 11, 4)),
            "floored": int(output_size(224, 11, 4, 2)),
        },
    ),
    Correction(
        "E03",
        "order of AlexNet's first block",
        "S3:126-130",
        "conv, pool, norm",
        "{order}",
        "The slide's order is that of Caffe's variant, CaffeNet. Shapes are the same, values are not.",
        _first_block,
    ),
    Correction(
        "E04",
        "neurons of AlexNet's first layer",
        "S1:1186",
        "253,440",
        "{conv1:,}; the whole net has {all:,}",
        "253,440 multiplies by the 48 maps of one GPU: a slip in the paper itself, whose total of 650,000 is rounded.",
        lambda: {"conv1": _layer(PAPER, "conv1").units, "all": neurons(counts_of(PAPER).layers)},
    ),
    Correction(
        "E05",
        "conv5 of AlexNet",
        "S0:774",
        "128 × 13 × 13",
        "{whole}, {half} on each GPU",
        "The slide shows the half that one of the paper's two GPUs computed. torchvision's conv5 has as many maps.",
        lambda: {
            "whole": _times(_layer(PAPER, "conv5").shape),
            "half": _layer(PAPER, "conv5").shape[0] // 2,
        },
    ),
    Correction(
        "E06",
        "convolutions of AlexNet",
        "S2:935",
        "2.3M weights, 666M MACs",
        "{weights:.2f}M and {macs:.0f}M in two halves; {full:.2f}M and {full_macs:.0f}M in one; torchvision's "
        "{library:.2f}M and {library_macs:.1f}M",
        "The slide's numbers need groups of 2, by which conv2, conv4 and conv5 see one half of the maps each; the net "
        "on S3's slides has none.",
        lambda: {
            "weights": counts_of(PAPER).conv_weights / 1e6,
            "macs": counts_of(PAPER).conv_macs / 1e6,
            "full": counts_of(UNGROUPED).conv_weights / 1e6,
            "full_macs": counts_of(UNGROUPED).conv_macs / 1e6,
            "library": counts_of(TORCHVISION).conv_weights / 1e6,
            "library_macs": counts_of(TORCHVISION).conv_macs / 1e6,
        },
    ),
    Correction(
        "E07",
        "MACs of AlexNet",
        "S2:917 and S2:944",
        "727M; on the other slide 724M",
        "{macs:.1f}M; torchvision's form {library:.1f}M",
        "727M is a count of operations in which ReLU, pooling and normalisation are as well.",
        lambda: {"macs": counts_of(PAPER).macs / 1e6, "library": counts_of(TORCHVISION).macs / 1e6},
    ),
    Correction(
        "E08",
        "constants of response normalisation",
        "S2:460-468",
        "alpha = 0.0001 with n = 5; the figure has n = 2",
        "in torch alpha = {alpha:g} for n = 5; for n = 2 the formula spans {spanned} maps, torch {maps}",
        "torch divides alpha by n, so n times the paper's has to be given. An even n has no middle: the formula rounds "
        "the window up, torch does not.",
        _lrn,
    ),
    Correction(
        "E09",
        "top-5 error of AlexNet",
        "S2:424,926; S1:1179",
        "16.4; 17.0; 15.3; 19.8",
        "four different things; torchvision's weights have {error:.2f} %",
        "17.0 is the test of 2010. Of 2012 are 16.4 (five nets), 15.3 (seven nets, two of them trained on more "
        "pictures) and 19.8 (one crop of one net).",
        lambda: {"error": published("alexnet")},
    ),
    Correction(
        "E10",
        "who used ReLU first",
        "S2:422",
        "AlexNet",
        "Jarrett et al. 2009, Nair and Hinton 2010",
        "AlexNet was the first to win ImageNet's contest with it.",
    ),
    Correction(
        "E11",
        "VGG-16",
        "S2:510; S2:943; S3:303",
        "140M parameters, 16G MACs",
        "{parameters:,} and {macs:.3f}G",
        "Rounded up on one slide and not on the others.",
        lambda: {"parameters": counts_of("vgg?config=D").parameters, "macs": counts_of("vgg?config=D").macs / 1e9},
    ),
    Correction(
        "E12",
        "top-5 error of VGG",
        "S2:506; S2:926-927; S3:159",
        "7.3; 7.4; 8.8",
        "7.3 is the submission of 2014, 8.8 one crop; torchvision's weights have {error:.2f} %",
        "A submission averages several nets and many crops.",
        lambda: {"error": published("vgg16")},
    ),
    Correction(
        "E13",
        "Inception block with bottlenecks",
        "S3:439",
        "358M operations",
        "{sum:,} MACs ({twice:.0f}M with the 3 × 3 term taken twice); the naive block's {naive:.0f}M is right",
        "The slide's own six terms give the smaller sum. Its operations are multiply-accumulates.",
        _inception,
    ),
    Correction(
        "E14",
        "MACs of GoogLeNet",
        "S2:936,944; S2:919",
        "1.43G; 2G",
        "{macs:.3f}G, {convs:.4f}G of them in convolutions; torchvision's form {library:.3f}G",
        "1.43G fits neither form; 2G is a rounding.",
        _googlenets,
    ),
    Correction(
        "E15",
        "memory of GoogLeNet",
        "S2:919 and S2:943",
        "51 MB, and 7M weights",
        "{heads:.1f} MiB with both auxiliary heads ({heads_count:.2f}M), {plain:.1f} MiB without ({count:.2f}M)",
        "The heads are there in training only and nearly double it.",
        lambda: {
            "heads": counts_of("googlenet?auxiliary=true").parameters * FLOAT_BYTES / MIB,
            "heads_count": counts_of("googlenet?auxiliary=true").parameters / 1e6,
            "plain": counts_of("googlenet").parameters * FLOAT_BYTES / MIB,
            "count": counts_of("googlenet").parameters / 1e6,
        },
    ),
    Correction(
        "E16",
        "normalisation in GoogLeNet",
        "S2:605",
        "response normalisation",
        "{response_norms} of them in the paper; torchvision's has {batch_norms} batch norms instead, and "
        "{library_largest} × {library_largest} where the paper has {largest} × {largest}",
        "Both are known of torchvision's: it is another network than the paper's under the same name.",
        _googlenets,
    ),
    Correction(
        "E17",
        "LeNet in the table of six",
        "S2:932-944",
        "filters 20 and 50; weights 2.6k and 58k; MACs 283k and 341k",
        "LeNet-5: filters 6 and 16, {conv:,} and {linear:,} weights, {macs:,} MACs on 28 × 28 padded by 2. "
        "Caffe's with 20 and 50: {caffe_conv:,} and {caffe_linear:,} weights, {caffe_macs:,} MACs",
        "Two networks in one column, and MACs of neither. LeCun's input is 32 × 32. The slide leaves out the last "
        "840 weights.",
        lambda: {
            "conv": counts_of("lenet").conv_weights,
            "linear": counts_of("lenet").linear_weights,
            "macs": counts_of("lenet").macs,
            "caffe_conv": _caffe().conv_weights,
            "caffe_linear": _caffe().linear_weights,
            "caffe_macs": _caffe().macs,
        },
    ),
    Correction(
        "E18",
        "parameters of batch normalisation",
        "S2:705,727,732",
        "2, for each pixel",
        "2 for each channel: {parameters} for 64 channels",
        "Behind a convolution the mean runs over pictures, rows and columns, and all places of a map share scale and "
        "shift.",
        lambda: {"parameters": sum(p.numel() for p in nn.BatchNorm2d(64).parameters())},
    ),
    Correction(
        "E19",
        "how ResNet was trained",
        "S2:863,866",
        "weight decay 0.00001; warm-up at 0.01",
        "weight decay 0.0001; the warm-up was for the 110 layers on CIFAR-10 alone",
        "He et al. 2016, sections 3.4 and 4.2. The preset resnet50-imagenet keeps the slide's and says so.",
    ),
    Correction(
        "E20",
        "the largest filters",
        "S2:913-914; S2:931",
        "ResNet, DenseNet and Inception V3 have at most 3 × 3",
        "{resnet} × {resnet} in ResNet, {densenet} × {densenet} in DenseNet, {inception} in torchvision's Inception V3",
        "The first layer was left out, though the same deck lists it.",
        lambda: {
            "resnet": counts_of("resnet?depth=34").windows[-1],
            "densenet": counts_of("densenet?depth=121").windows[-1],
            "inception": _inception_v3(),
        },
    ),
    Correction(
        "E21",
        "depths of ResNet and DenseNet",
        "S2:853; S2:913-914",
        "34 to 152; DenseNet-264",
        "ResNet: {depths}; DenseNet-264 has {layers} layers",
        "18 is a ResNet too. DenseNet's name counts one less than its convolutions and the last layer.",
        lambda: {"depths": ", ".join(map(str, DEPTHS)), "layers": counts_of("densenet?depth=264").depth[1]},
    ),
    Correction(
        "E22",
        "more than 1,000 layers",
        "S2:837",
        "still difficult to optimise",
        "they train, to under 0.1 % error, and test worse than 110 layers: 7.93 against 6.43 %",
        "The paper puts it down to overfitting (section 4.2, CIFAR-10).",
    ),
    Correction(
        "E23",
        "labels of the residual block",
        "S2:794-796",
        "F is the original, W_s x the residual mapping",
        "F is the residual mapping, W_s x the shortcut's projection",
        "What was wanted is H = F + x; F is what is left to learn.",
    ),
    Correction(
        "E24",
        "top-5 error of ResNet",
        "S2:855,926-927",
        "3.57; 5.3; 7.0",
        "3.57 is an ensemble on the test set, 5.3 ResNet-50 at several scales, 7.0 one crop; torchvision's first "
        "weights have {error:.2f} %",
        "Numbers of different protocols are no ranking.",
        lambda: {"error": published("resnet50")},
    ),
    Correction(
        "E25",
        "Adam's correction at the first step",
        "S0:431",
        "divide by 1 − β^t, t from 0",
        "by 1 − β^(t+1): at the first step the slide's is {slide:g}, the right ones are {first:.1g} and {second:.1g}; "
        "torch's step is then {torch:.4g} rate",
        "The slide's first step divides by zero; torch counts steps from 1.",
        lambda: {"slide": 1 - 0.9**0, "first": 1 - 0.9, "second": 1 - 0.999, **_adam()},
    ),
    Correction(
        "E26",
        "Adam's denominator",
        "S0:435",
        "the root of G + ε",
        "the root of the corrected G, plus ε: the first step is {torch:.4g} rate in torch, {printed:.1f} as printed",
        "Squares are averaged from zero, so early means are too small by 1 − β₂; without that correction the first "
        "steps are far too long.",
        _adam,
    ),
    Correction(
        "E27",
        "Adam on the other deck",
        "S4:292-294",
        "gradients summed without 1 − β₁, nothing corrected",
        "means with 1 − β₁ and both corrections: the first step is {torch:.4g} rate in torch, {summed:.1f} as printed "
        "({raw:.2f} with means and no corrections)",
        "The two decks contradict each other; the paper that both cite has the corrections.",
        _adam,
    ),
    Correction(
        "E28",
        "where ε stands",
        "S0:327,354; S4:276,284",
        "inside the root on one deck, outside on the other",
        "outside: RMSProp's first step for a gradient of 0.0001 is {torch:.3g} rates in torch, {inside:.3g} with ε "
        "inside",
        "Inside, an ε of 0.00000001 acts like 0.0001 and slows small gradients down.",
        lambda: {
            "torch": _step(lambda p: torch.optim.RMSprop(p, 1.0), (1e-4,))[0],
            "inside": 1e-4 / sqrt(0.01 * 1e-4**2 + 1e-8),
        },
    ),
    Correction(
        "E29",
        "what AdaGrad, RMSProp and Adam square",
        "S4:276,283,293",
        "the norm of the gradient",
        "each element: for a gradient of (3, 4) AdaGrad's first step is ({first:.3g}, {second:.3g}) rates, by the norm "
        "({norm_first:.3g}, {norm_second:.3g})",
        "A rate of its own for each parameter is the point of these methods; one norm for all is a plain rescaling.",
        lambda: dict(
            zip(("first", "second"), _step(lambda p: torch.optim.Adagrad(p, 1.0), (3.0, 4.0)), strict=True),
            norm_first=3 / sqrt(3**2 + 4**2),
            norm_second=4 / sqrt(3**2 + 4**2),
        ),
    ),
    Correction(
        "E30",
        "momentum's velocity",
        "S0:257; S4:252",
        "a running average of gradients",
        "a weighted sum: along one slope steps grow to {steps:.4g} rates for β = 0.9",
        "Without a factor 1 − β weights add up to 1 / (1 − β): the rate is that much larger than it looks.",
        lambda: {"steps": _step(lambda p: torch.optim.SGD(p, 1.0, momentum=0.9), (1.0,), 300)[0]},
    ),
    Correction(
        "E31",
        "BFGS's update",
        "S0:516",
        "rank 1",
        "rank {bfgs}; SR1's has rank {sr1}",
        "One term takes old curvature away along the step, one puts the measured one in.",
        _updates,
    ),
    Correction(
        "E32",
        "the Hessian",
        "S0:471",
        "positive semi-definite",
        "only where the loss is convex: 5x² − y² has curvatures {high:g} and {low:g}",
        "The same deck says that a network's loss is not convex (S0:43, 494).",
        _saddle,
    ),
    Correction(
        "E33",
        "size of the learning rate",
        "S0:64; S0:535",
        "usually below 0.5; the exercise takes 0.9",
        "both: LeNet's {sigmoids} sigmoids leave at most {share:.2g} of a gradient, so plain SGD needs about 0.9",
        "A sigmoid's slope is at most 1/4, and factors multiply from layer to layer. It is no rule for other networks.",
        lambda: {
            "sigmoids": _modules(_built("lenet"), nn.Sigmoid),
            "share": 0.25 ** _modules(_built("lenet"), nn.Sigmoid),
        },
    ),
    Correction(
        "E34",
        "what t counts",
        "S0:64",
        "epochs",
        "steps: Fashion-MNIST in batches of 256 has {steps} an epoch",
        "Weights change after each mini-batch.",
        lambda: {"steps": ceil(60_000 / 256)},
    ),
    Correction(
        "E35",
        "t-SNE",
        "S3:818",
        "keeps pairwise distances",
        "keeps who is probably whose neighbour",
        "Distances between clusters and their sizes mean little; the page of the map says so.",
    ),
    Correction(
        "E36",
        "length of an embedding",
        "S0:792,820,842",
        "4096",
        "AlexNet {alexnet}, VGG {vgg}; ResNet-18 {resnet18}, ResNet-50 {resnet50}, GoogLeNet {googlenet}, DenseNet-121 "
        "{densenet}, LeNet {lenet}",
        "It is what the last layer is given, and differs from net to net.",
        _features,
    ),
    Correction(
        "E37",
        "filters of the weight pictures",
        "S0:727-739",
        "16 × 3 × 7 × 7, 20 × 16 × 7 × 7, 20 × 20 × 7 × 7",
        "the demo that they show has 5 × 5: convnetjs?window=5 builds it",
        "CS231n took the pictures from ConvNetJS's CIFAR-10 demo. Any size is drawn here.",
    ),
    Correction(
        "E38",
        "light and dark in weight pictures",
        "S2:226-227; S3:752-759",
        "dark is large; on the other deck bright is",
        "opposite conventions; every picture has to say which",
        "Bright is large here by default, and a switch turns it round; the scale stands beside it.",
    ),
    Correction(
        "E39",
        "stride 3 over 7 with a window of 3",
        "S1:849",
        "does not fit",
        "{exact:.2f}: torch gives {torch} and does not say so",
        "It rounds down and never looks at the last row and column.",
        lambda: {
            "exact": float(output_size(7, 3, 3)),
            "torch": nn.functional.conv2d(torch.zeros(1, 1, 7, 7), torch.zeros(1, 1, 3, 3), stride=3).shape[-1],
        },
    ),
    Correction(
        "E40",
        "pooling by 2 × 2",
        "S1:1126,1131",
        "stride 2 in the text, 1 in the figure",
        "both are poolings: 4 × 4 becomes {two} × {two} or {one} × {one}",
        "Most networks take the window's side as stride; torch does where none is given.",
        lambda: {
            "two": nn.functional.max_pool2d(torch.zeros(1, 1, 4, 4), 2).shape[-1],
            "one": nn.functional.max_pool2d(torch.zeros(1, 1, 4, 4), 2, 1).shape[-1],
        },
    ),
    Correction(
        "E41",
        "memory in MB",
        "S2:916-921",
        "233 MB for AlexNet",
        "{mib:.1f} MiB, which are {mb:.1f} MB",
        "A MiB is 1,048,576 bytes; the table divides float32's bytes by that.",
        lambda: {
            "mib": counts_of(TORCHVISION).parameters * FLOAT_BYTES / MIB,
            "mb": counts_of(TORCHVISION).parameters * FLOAT_BYTES / 1e6,
        },
    ),
    Correction(
        "E42",
        "the exercises' settings",
        "S0:568-598",
        "not given",
        "VGG-11 at a quarter of its width ({quarter:,} parameters, not {full:,}); GoogLeNet and ResNet on 96 × 96; "
        "Xavier's uniform weights, pixels from 0 to 1, plain SGD, accuracy after the last epoch",
        "They are d2l's defaults. Without them d2l's accuracies are not what to expect; the presets here have them.",
        lambda: {
            "quarter": counts_of("vgg?config=A&ratio=4&channels=1&classes=10").parameters,
            "full": counts_of("vgg?config=A&channels=1&classes=10").parameters,
        },
    ),
)
