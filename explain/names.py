"""The names that functions take, as types. Written by scripts/stubs.py."""

from typing import Literal

__all__ = [
    "Augmentation",
    "CheckedMethod",
    "Corruption",
    "Parametrization",
    "PictureView",
    "Projection",
    "RecipeName",
    "SaliencyMethod",
    "UnitMethod",
]

Augmentation = Literal[
    "flip",
    "vertical_flip",
    "crop",
    "shift",
    "resized_crop",
    "affine",
    "jitter",
    "pca_colour",
    "noise",
    "erase",
    "mixup",
    "cutmix",
    "cowmix",
]

CheckedMethod = Literal[
    "gradient",
    "input_x_gradient",
    "smooth_grad",
    "integrated_gradients",
    "gradient_shap",
    "deep_lift",
    "lrp",
    "guided_backprop",
    "deconvnet",
    "cam",
    "grad_cam",
    "grad_cam_plus_plus",
    "hires_cam",
    "layer_cam",
    "xgrad_cam",
    "eigen_cam",
    "guided_grad_cam",
    "occlusion",
    "rise",
    "score_cam",
    "ablation_cam",
    "feature_ablation",
    "kernel_shap",
    "lime",
    "edges",
]

Corruption = Literal[
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "snow",
    "frost",
    "fog",
    "brightness",
]

Parametrization = Literal[
    "fourier",
    "maco",
]

PictureView = Literal[
    "activations",
    "convolution",
    "unit",
    "saliency",
    "saliency_grid",
    "faithfulness",
    "corruptions",
    "segmentation",
    "paths",
    "hierarchy",
    "neighbours",
    "influence",
]

Projection = Literal[
    "pca",
    "tsne",
    "umap",
]

RecipeName = Literal[
    "lenet-fashion-mnist",
    "alexnet-fashion-mnist",
    "alexnet-small-fashion-mnist",
    "vgg11-fashion-mnist",
    "googlenet-fashion-mnist",
    "resnet18-fashion-mnist",
    "alexnet-imagenet",
    "vgg16-imagenet",
    "googlenet-imagenet",
    "resnet50-imagenet",
    "densenet121-imagenet",
    "resnet18-imagenet",
    "small-resnet-fashion-mnist",
    "deep-sigmoid-fashion-mnist",
    "edges-fashion-mnist",
    "pictures",
    "transfer",
]

SaliencyMethod = Literal[
    "gradient",
    "input_x_gradient",
    "smooth_grad",
    "integrated_gradients",
    "gradient_shap",
    "deep_lift",
    "lrp",
    "guided_backprop",
    "deconvnet",
    "cam",
    "grad_cam",
    "grad_cam_plus_plus",
    "hires_cam",
    "layer_cam",
    "xgrad_cam",
    "eigen_cam",
    "guided_grad_cam",
    "occlusion",
    "rise",
    "score_cam",
    "ablation_cam",
    "feature_ablation",
    "kernel_shap",
    "lime",
]

UnitMethod = Literal[
    "deconvnet",
    "guided",
    "gradient",
]
