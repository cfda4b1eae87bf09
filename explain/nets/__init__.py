"""The lectures' architectures, one file a family; NETS names them."""

from .alexnet import alexnet, alexnet_small, overfeat, zfnet
from .densenet import densenet
from .googlenet import googlenet
from .layered import convnetjs, layered, practical
from .lenet import lenet
from .mlp import mlp
from .registry import NETS
from .resnet import resnet, resnet_cifar
from .vgg import vgg, vgg_block

__all__ = [
    "NETS",
    "alexnet",
    "alexnet_small",
    "convnetjs",
    "densenet",
    "googlenet",
    "layered",
    "lenet",
    "mlp",
    "overfeat",
    "practical",
    "resnet",
    "resnet_cifar",
    "vgg",
    "vgg_block",
    "zfnet",
]
