"""What the lectures' tables print, with deck and line, and why some of it is not what a count gives.

Only what the lectures say stands here; the numbers to compare with are counted from the networks. A slide's number is
text, as printed. S1: Machine learning 7; S2: ML for embedded systems 3; S3: Deep learning.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "ALEXNET",
    "ERRORS",
    "MEMORY",
    "NETWORKS",
    "NOTES",
    "REASONS",
    "SIX",
    "SUMMARY",
    "VGG_MEMORY",
    "VGG_WEIGHTS",
    "Printed",
]


class Printed(NamedTuple):
    """Cells of one row by network, as printed; `cite` is where it stands."""

    row: str
    cite: str
    cells: dict[str, str]


# The networks that the tables mean, as `load_model` knows them.
NETWORKS = {
    "LeNet-5": "lenet",
    "AlexNet": "alexnet",
    "OverFeat fast": "overfeat",
    "VGG-11": "vgg?config=A",
    "VGG-16": "vgg?config=D",
    "VGG-19": "vgg?config=E",
    "GoogLeNet": "googlenet",
    "GoogLeNet with both heads": "googlenet?auxiliary=true",
    "ResNet-18": "resnet?depth=18",
    "ResNet-34": "resnet?depth=34",
    "ResNet-50": "resnet?depth=50&early=true",
    "ResNet-152": "resnet?depth=152&early=true",
    "DenseNet-121": "densenet?depth=121",
    "DenseNet-264": "densenet?depth=264",
}

# The table of six nets (after Sze et al. 2017). Cells that our notes of the slide do not hold are left out.
SIX = (
    Printed("input", "S2:928", {"LeNet-5": "28", "AlexNet": "227"}),
    Printed("convolutions", "S2:929", {"GoogLeNet": "57", "ResNet-50": "53"}),
    Printed("depth in convolutions", "S2:930", {"ResNet-50": "49"}),
    Printed("filters of the convolutions", "S2:933", {"LeNet-5": "20, 50"}),
    Printed(
        "convolution weights",
        "S2:935",
        {
            "LeNet-5": "2.6k",
            "AlexNet": "2.3M",
            "OverFeat fast": "16M",
            "VGG-16": "14.7M",
            "GoogLeNet": "6.0M",
            "ResNet-50": "23.5M",
        },
    ),
    Printed(
        "convolution MACs",
        "S2:936",
        {
            "LeNet-5": "283k",
            "AlexNet": "666M",
            "OverFeat fast": "2.67G",
            "VGG-16": "15.3G",
            "GoogLeNet": "1.43G",
        },
    ),
    Printed(
        "fully connected weights",
        "S2:941",
        {"LeNet-5": "58k", "AlexNet": "58.6M", "OverFeat fast": "130M", "VGG-16": "124M"},
    ),
    Printed(
        "weights",
        "S2:943",
        {
            "LeNet-5": "60k",
            "AlexNet": "61M",
            "OverFeat fast": "146M",
            "VGG-16": "138M",
            "GoogLeNet": "7M",
            "ResNet-50": "25.5M",
        },
    ),
    Printed(
        "MACs",
        "S2:944",
        {
            "LeNet-5": "341k",
            "AlexNet": "724M",
            "OverFeat fast": "2.8G",
            "VGG-16": "15.5G",
            "GoogLeNet": "1.43G",
            "ResNet-50": "3.9G",
        },
    ),
)

MEMORY = (
    Printed("input", "S2:917", {"AlexNet": "224"}),
    Printed(
        "memory, MB",
        "S2:916-921",
        {
            "AlexNet": "233",
            "VGG-16": "528",
            "VGG-19": "548",
            "GoogLeNet with both heads": "51",
            "ResNet-18": "45",
            "ResNet-34": "83",
            "DenseNet-121": "31",
        },
    ),
    Printed(
        "MACs",
        "S2:916-921",
        {
            "AlexNet": "727M",
            "VGG-16": "16G",
            "VGG-19": "20G",
            "GoogLeNet with both heads": "2G",
            "ResNet-18": "2G",
            "ResNet-34": "4G",
            "DenseNet-121": "3G",
        },
    ),
)

SUMMARY = (
    Printed(
        "depth in layers with weights",
        "S2:910-914",
        {
            "AlexNet": "8",
            "VGG-16": "16",
            "VGG-19": "19",
            "GoogLeNet": "22",
            "ResNet-34": "34",
            "ResNet-152": "152",
            "DenseNet-121": "121",
            "DenseNet-264": "264",
        },
    ),
    Printed(
        "largest filter",
        "S2:913-914",
        {"ResNet-34": "3", "ResNet-152": "3", "DenseNet-121": "3", "DenseNet-264": "3"},
    ),
)

# VGG-16 layer by layer: values held for one picture, of the first four; weights without biases.
VGG_MEMORY = ("150K", "3.2M", "3.2M", "800K")
VGG_WEIGHTS = {
    **{"block1.conv1": "1,728", "block1.conv2": "36,864", "block2.conv1": "73,728", "block2.conv2": "147,456"},
    **{"block3.conv1": "294,912", "block3.conv2": "589,824", "block3.conv3": "589,824"},
    **{"block4.conv1": "1,179,648", "block4.conv2": "2,359,296", "block4.conv3": "2,359,296"},
    **{"block5.conv1": "2,359,296", "block5.conv2": "2,359,296", "block5.conv3": "2,359,296"},
    **{"fc1": "102,760,448", "fc2": "16,777,216", "fc3": "4,096,000"},
}

# AlexNet without groups (S3:123-137).
ALEXNET = {
    **{"conv1": "96×55×55", "pool1": "96×27×27", "conv2": "256×27×27", "pool2": "256×13×13"},
    **{"conv3": "384×13×13", "conv4": "384×13×13", "conv5": "256×13×13", "pool5": "256×6×6"},
    **{"fc6": "4096", "fc7": "4096", "fc8": "1000"},
}

# Top-5 errors on ImageNet in per cent: of a submission, and of one crop of one net (S2:926-927).
ERRORS = {
    "AlexNet": ("16.4", "19.8"),
    "VGG-16": ("7.4", "8.8"),
    "GoogLeNet": ("6.7", "10.7"),
    "ResNet-50": ("5.3", "7.0"),
}

# Why a slide's cell is not what a count gives; by table, row and network, "" for any.
REASONS = {
    ("six", "filters of the convolutions", "LeNet-5"): (
        "The slide's 20 and 50 filters are Caffe's LeNet; its weights are those of the 6/16/120/84 LeNet-5."
    ),
    (
        "six",
        "convolution MACs",
        "LeNet-5",
    ): "No consistent LeNet gives 283k or 341k: 28 × 28 with padding 2 has 357.6k.",
    ("six", "fully connected weights", "LeNet-5"): "The slide leaves the 84 × 10 weights of the output out.",
    ("six", "weights", "LeNet-5"): "The slide leaves the 84 × 10 weights of the output out.",
    ("six", "MACs", "LeNet-5"): "No consistent LeNet gives 283k or 341k.",
    (
        "six",
        "convolution MACs",
        "GoogLeNet",
    ): "The slide's 1.43G is too low; torchvision's form, 3 × 3 for 5 × 5, has 1.498G.",
    ("six", "MACs", "GoogLeNet"): "The slide's 1.43G is too low; torchvision's form, 3 × 3 for 5 × 5, has 1.498G.",
    ("memory", "input", "AlexNet"): (
        "224 with 11 × 11, stride 4 and no padding gives 54 1/4: it does not fit. 227 does, or 224 with padding 2."
    ),
    ("memory", "MACs", "AlexNet"): "The slide's 727M counts ReLU, pooling and LRN as well.",
    ("memory", "MACs", "VGG-16"): "The slide rounds up; another says 15.5G (S2:944).",
    ("summary", "largest filter", ""): "The first layer has 7 × 7 filters, as the same deck says (S2:931).",
    ("summary", "depth in layers with weights", "DenseNet-264"): (
        "The paper's name counts one layer fewer than for DenseNet-121."
    ),
    ("alexnet", "input", "AlexNet"): (
        "The slide prints 224 with padding 0: 54 1/4 does not fit. It is 227, or 224 with padding 2."
    ),
    ("alexnet", "order of the first block", "AlexNet"): (
        "conv, pool, norm is CaffeNet's order; the paper and S2:458 have conv, ReLU, LRN, pool. The shapes are equal."
    ),
    (
        "alexnet",
        "neurons of conv1",
        "AlexNet",
    ): "253,440 = 55 · 48 · 96 is the paper's own slip; conv1 gives 55 · 55 · 96.",
    ("norms", "parameters", "batch normalisation"): "The slide means 2 for each channel: scale and shift.",
    ("norms", "pictures, positions, channels that a value depends on", "batch normalisation"): (
        'The slide says "for each pixel"; behind a convolution statistics run over pictures and positions, per channel.'
    ),
    ("blocks", "MACs", "Inception with 1 × 1"): (
        "The slide's own six terms add up to 271,351,808; 358M counts the 3 × 3 term twice."
    ),
}

# What is to be known of a table as a whole.
NOTES = {
    "six": "Weights without biases and normalisations, as the slide counts. ResNet-50 has its stride in the first "
    "1 × 1, as in the paper: torchvision's form has 4.09G MACs. AlexNet's 2.3M and 666M hold with its two halves only.",
    "errors": "The slide's first row mixes ensembles and several crops: 17.0 (S1:1179) is AlexNet on the test of 2010, "
    "15.3 seven nets, 7.3 VGG's submission, 3.57 ResNet's. torchvision's weights were trained by other recipes.",
    "memory": "The slide's MB are MiB of float32: AlexNet's 233 MiB are 244 MB. GoogLeNet's 51 include both "
    "auxiliary heads, DenseNet's 31 the batch norms' buffers. Weights are not all: each layer of "
    "DenseNet reads all maps before it, which training has to hold.",
    "summary": "Depth is the longest path, in convolutions and fully connected layers. ResNet comes in 18, 34, 50, "
    "101 and 152 layers (S2:853), not from 34 on.",
    "norms": "Counted on modules for 64 channels: which inputs move one output, and how many values can be learned.",
    "vgg": "The whole list adds up to 15,237,608 values, 58.1 MiB a picture.",
    "alexnet": "AlexNet without groups, as on the slide. 96 first filters are the paper's, 64 torchvision's form.",
    "blocks": 'The slides\' "ops" are MACs. A 1 × 1 convolution to fewer channels drops information for good; it pays '
    "because channels are redundant and what is saved buys depth.",
    "sizes": "Exercise S0:590 asks for these; VGG-11 moves and multiplies ten times as much as AlexNet (S0:573).",
    "corrections": "Where the slides contradict themselves, the papers or arithmetic. Numbers on the right are counted "
    "here or torch's own; errors and what papers report are as published.",
    "complexity": "Errors as published, by the lectures or with torchvision's first weights; MACs and parameters are "
    "counted here.",
}
