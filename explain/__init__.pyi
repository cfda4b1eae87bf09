"""Look inside a convolutional network. Written by scripts/stubs.py."""

from .data import list_images as list_images
from .data import load_images as load_images
from .data.image_sets import ImageSet
from .errors import ExplainError as ExplainError
from .figure import read_facts as read_facts
from .images import cover as cover
from .images.bands import Bands
from .index import Index as Index
from .index import merge_indexes as merge_indexes
from .names import Augmentation
from .names import CheckedMethod
from .names import Corruption
from .names import Parametrization
from .names import Projection
from .names import SaliencyMethod
from .names import UnitMethod
from .network.model import Model as Model
from .network.preprocess import Preprocess as Preprocess
from .network.wrap import wrap as wrap
from .network.zoo import save_model as save_model
from .progress import Progress
from .training import train as train
from .training.history import Run
from .views import View
from .views.activations import Activations
from .views.agreement import Agreement
from .views.anatomy import Anatomy
from .views.augmentations import Augmentations
from .views.batch_costs import BatchCosts
from .views.calibration import Calibration
from .views.channel import Channel
from .views.channel_health import ChannelHealth
from .views.channel_names import ChannelNames
from .views.cka import Cka
from .views.compare import Comparison
from .views.concepts import Concepts
from .views.confusion import Confusion
from .views.convolution import Convolution
from .views.corruptions import Corruptions
from .views.duplicates import Duplicates
from .views.embedding import Embedding
from .views.ensemble import Ensemble
from .views.faithfulness import Faithfulness
from .views.feature_visualization import FeatureVisualization
from .views.filters import Filters
from .views.fixes import Fixes
from .views.flips import Flips
from .views.gallery import Gallery
from .views.hand_set_filter import HandSetFilter
from .views.hierarchy import Hierarchy
from .views.influence import Influence
from .views.label_errors import LabelErrors
from .views.leaderboard import Leaderboard
from .views.lecture_tables import LectureTables
from .views.loss_surface import LossSurface
from .views.neighbours import Neighbours
from .views.optimiser_paths import OptimiserPaths
from .views.outliers import Outliers
from .views.output_size import OutputSize
from .views.patches import Patches
from .views.paths import PathsResult
from .views.relevant_patches import RelevantPatches
from .views.response_normalisation import ResponseNormalisation
from .views.robustness import Robustness
from .views.saliency import Saliency
from .views.saliency_grid import SaliencyGrid
from .views.segmentation import Segmentation
from .views.slices import Slices
from .views.study import Study
from .views.training_curves import TrainingCurves
from .views.unit import Unit
from .views.view import Kept
from .views.wiring import Wiring
from .workspace import build_index as build_index
from .workspace import list_models as list_models
from .workspace import load_model as load_model
from .workspace import open_index as open_index
from .workspace import open_picture as open_picture
from .workspace import open_run as open_run
from .workspace.batch import batch as batch
from .workspace.lecture_classifier import classify_image as classify_image
from .workspace.lecture_classifier import predict as predict
from .workspace.redraw import redraw as redraw
from PIL.Image import Image
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from numpy.typing import NDArray
from pathlib import Path
from torch import Tensor
from torch.nn.modules.module import Module
from torch.utils.data.dataset import Dataset
from typing import Any
from typing import Literal

__version__: str
VIEWS: dict[str, View]

def filters(
    model: Model,
    layer: str | Module | None = None,
    second: Model | None = None,
    *,
    second_layer: str | Module | None = None,
) -> Filters:
    """The filters of a layer as pictures.

    The filters of a layer, by default the first; beside those of a second model. Raises Unknown, or NotSupported
    with the reason.

    Parameters:
        model: from load_model or wrap
        layer: a name that `anatomy` lists
        second: from load_model or wrap
        second_layer: of the second model

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        scale: what black and white stand for; filter, layer, range; by default filter
        polarity: how a large weight is drawn; bright, dark; by default bright
        sort: index, norm, similarity; by default index
        page: rows of slices come in pages; 1 to 100,000; by default 1
        factor: whole-number enlargement of the pixels; 1 to 64; by default 1
    """

def activations(
    model: Model,
    image: Image | Bands | NDArray[Any] | Tensor | bytes | str | Path,
    layer: str | Module,
    second: Image | Bands | NDArray[Any] | Tensor | bytes | str | Path | None = None,
) -> Activations:
    """What the channels of a layer do with a picture.

    The outputs of a layer for one picture; beside those for a second. Raises NotSupported where they are no maps.

    Parameters:
        model: from load_model or wrap
        image: a path, a PIL image, an array (H, W) or (H, W, bands), a tensor (C, H, W), bytes, or of
            load_images
        layer: a name that `anatomy` lists
        second: a path, a PIL image, an array (H, W) or (H, W, bands), a tensor (C, H, W), bytes, or of
            load_images

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        sort: index, mean, max; by default index
        scale: one for all, or one a channel: auto where values have signs; auto, layer, channel; by
            default auto
        factor: whole-number enlargement of the pixels; 1 to 64; by default 1
        channel: one channel large instead of all; 0 to 1,000,000
        opacity: of one channel's map on the picture; 0 to 1; by default 0.6
        smooth: interpolate between units of one channel; by default False
        count: channels of two pictures, at most; 1 to 64; by default 16
    """

def convolution(
    model: Model,
    image: Image | Bands | NDArray[Any] | Tensor | bytes | str | Path,
    layer: str | Module,
    channel: int,
    position: Sequence[int] | None = None,
) -> Convolution:
    """One output of a convolution: its window times its weights, plus the bias.

    One output of a convolution on a picture; position None is where the channel responds most.

    Raises NotSupported for a layer that is no two-dimensional convolution.

    Parameters:
        model: from load_model or wrap
        image: a path, a PIL image, an array (H, W) or (H, W, bands), a tensor (C, H, W), bytes, or of
            load_images
        layer: a name that `anatomy` lists
        channel: a number from 0
        position: row and column; by default its strongest response

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        slices: input channels shown, those that add most; 1 to 8; by default 3
    """

def unit(
    model: Model,
    image: Image | Bands | NDArray[Any] | Tensor | bytes | str | Path,
    layer: str | Module,
    channel: int,
    position: Sequence[int] | None = None,
    method: UnitMethod | Callable[..., Any] = "deconvnet",
) -> Unit:
    """What excites one unit, projected to the pixels.

    One unit projected to the pixels; position None is the channel's strongest on this picture, of several the one
    that is most before the rectifier.

    Raises Unknown or BadValue for what the net has not, NotSupported where the method's rule says nothing.

    Parameters:
        model: from load_model or wrap
        image: a path, a PIL image, an array (H, W) or (H, W, bands), a tensor (C, H, W), bytes, or of
            load_images
        layer: a name that `anatomy` lists
        channel: a number from 0
        position: row and column; by default its strongest response
        method: see below; by default "deconvnet"

    Values of method, each with its options:
        deconvnet: Back through the filters, keeping at each ReLU what is positive of the signal (Zeiler
            and Fergus 2014).
        guided: The gradient, keeping at each ReLU only what is positive of it (guided backprop,
            Springenberg et al. 2015).
        gradient: How much the unit changes with each pixel: its gradient (Simonyan et al. 2014).

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        clip: percentile of absolute values, zeros apart, where colours end; 50 to 100; by default 100.0
    """

def saliency(
    model: Model,
    image: Image | Bands | NDArray[Any] | Tensor | bytes | str | Path,
    method: CheckedMethod | Callable[..., Any] = "gradient",
    target: int | str | None = None,
    layer: str | Module | None = None,
    unit: str | Module | None = None,
    region: str | Sequence[int] | NDArray[Any] | None = None,
    *,
    checked: bool = False,
    progress: Progress = ...,
    reduce: Literal["max", "sum", "signed"] = "max",
    samples: int = ...,
    noise: float = ...,
    seed: int = 0,
    steps: int = 50,
    baseline: Literal["black", "white", "mean", "blur"] = ...,
    composite: Literal["epsilon", "epsilon_plus", "epsilon_alpha2_beta1", "epsilon_gamma_box"] = "epsilon",
    epsilon: float = 0.01,
    positive: bool = ...,
    window: int = 0,
    stride: int = 0,
    cells: int = 7,
    segments: int = 50,
    width: float = 0.25,
    ridge: float = 1.0,
) -> Saliency:
    """What a prediction rests on.

    The map of one picture for one class (number, name, or None for the predicted one).

    `layer` is used by methods that look into one; by default the last with maps as fine as the last convolution's.
    With `unit`, a layer's name, the target is a channel of that layer instead, averaged over its positions; by default
    the one that stands out most on this picture.
    With `region`, the score of a class is the sum of its map over a part of the picture, for networks that segment:
    "predicted" for where the class is on this picture, a box (y0, x0, y1, x1), half open, in pixels of the network's
    input, or a boolean mask (H, W) of its size.
    With `checked` the map carries the verdict that `faithfulness` has of it, which takes some hundred passes more.

    Parameters:
        model: from load_model or wrap
        image: a path, a PIL image, an array (H, W) or (H, W, bands), a tensor (C, H, W), bytes, or of
            load_images
        method: see below; by default "gradient"
        target: a class by number or name, or a unit's channel; by default the likeliest
        layer: for methods that look into one
        unit: explain a channel of this layer instead of a class
        region: "predicted", a box (y0, x0, y1, x1) or a mask (H, W)
        checked: with the verdict on how far it can be trusted; by default False
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Values of method, each with its options:
        gradient: How much the class score changes with each pixel: the input gradient (Simonyan et al.
            2014).
            reduce: how the colour channels become one map; max, sum, signed; by default max
        input_x_gradient: What each pixel would add if the network were linear: pixel times gradient
            (Shrikumar et al. 2016).
        smooth_grad: The gradient, averaged over noisy copies of the picture (Smilkov et al. 2017).
            samples: 1 to 500; by default 25
            noise: standard deviation, as a share of the picture's range; 0 to 1; by default 0.15
            reduce: how the colour channels become one map; max, sum, signed; by default max
            seed: 0 to 2,147,483,647; by default 0
        integrated_gradients: What each pixel adds on the way from a baseline to the picture
            (Sundararajan et al. 2017).
            steps: 1 to 1,000; by default 50
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default black
        gradient_shap: Integrated gradients from many baselines, here plain colours drawn by chance
            (Lundberg and Lee 2017).
            samples: 1 to 1,000; by default 50
            noise: standard deviation, as a share of the picture's range; 0 to 1; by default 0.0
            seed: 0 to 2,147,483,647; by default 0
        deep_lift: What each pixel adds when it turns from a baseline's into the picture's (Shrikumar et
            al. 2017, Rescale rule).
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default black
        lrp: The score, handed back from layer to layer by each summand's share (LRP, Bach et al. 2015,
            epsilon rule).
            composite: the rule at convolutions, by zennit's names; epsilon, epsilon_plus,
                epsilon_alpha2_beta1, epsilon_gamma_box; by default epsilon
            epsilon: damps weak sums, as a share of a layer's strength; 0 to 1; by default 0.01
        guided_backprop: The gradient, keeping at each ReLU only what is positive of it (Springenberg et
            al. 2015).
            reduce: how the colour channels become one map; max, sum, signed; by default max
        deconvnet: Back from the class through the filters, keeping at each ReLU what is positive
            (Zeiler and Fergus 2014).
            reduce: how the colour channels become one map; max, sum, signed; by default max
        cam: Where the maps behind the classifier speak for the class, weighted by the classifier itself
            (Zhou et al. 2016).
            positive: keep only evidence for the class, as in the paper; by default False
        grad_cam: Where a layer's maps speak for the class: maps weighted by their mean gradient
            (Selvaraju et al. 2017).
            positive: keep only evidence for the class, as in the paper; by default True
        grad_cam_plus_plus: Grad-CAM that gives several objects of a class the same weight (Chattopadhay
            et al. 2018).
            positive: keep only evidence for the class, as in the paper; by default True
        hires_cam: Maps times their gradient, place by place: no place without influence is marked
            (Draelos and Carin 2020).
            positive: keep only evidence for the class, as in the paper; by default True
        layer_cam: Maps times the positive part of their gradient, also usable in early layers (Jiang et
            al. 2021).
            positive: keep only evidence for the class, as in the paper; by default True
        xgrad_cam: Grad-CAM with gradients averaged where the map is active, so that maps add up better
            (Fu et al. 2020).
            positive: keep only evidence for the class, as in the paper; by default True
        eigen_cam: What a layer's maps have in common: their first principal component over positions
            (Muhammad and Yeasin 2020).
            positive: keep only evidence for the class, as in the paper; by default True
        guided_grad_cam: Guided backprop within what Grad-CAM marks: fine and for a class (Selvaraju et
            al. 2017).
            reduce: how the colour channels become one map; max, sum, signed; by default max
        occlusion: How much the score falls when a window around the place is covered (Zeiler and Fergus
            2014).
            window: side in pixels; 0 is an eighth of the picture's shorter one; 0 to 256; by default 0
            stride: from window to window, at most its side; 0 is half of it; 0 to 256; by default 0
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default mean
        rise: The class's mean probability over random covers that leave the place open (Petsiuk et al.
            2018).
            samples: 2 to 8,000; by default 1000
            cells: of a mask's grid, along each side; 2 to 32; by default 7
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default mean
            seed: 0 to 2,147,483,647; by default 0
        score_cam: Maps weighted by the score of the picture where only what they mark is left (Wang et
            al. 2020).
            positive: keep only evidence for the class, as in the paper; by default True
        ablation_cam: Maps weighted by how much the score falls without them (Ramaswamy and Desai 2020).
            positive: keep only evidence for the class, as in the paper; by default True
        feature_ablation: How much the score falls when one superpixel is covered.
            segments: superpixels asked for; there can be a few more or less; 4 to 400; by default 50
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default mean
        kernel_shap: What each superpixel adds on average, in whatever order they are uncovered
            (Lundberg and Lee 2017).
            samples: pictures with a random choice of superpixels; 2 to 8,000; by default 300
            segments: superpixels asked for; there can be a few more or less; 4 to 400; by default 50
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default mean
            seed: 0 to 2,147,483,647; by default 0
        lime: The weights of a linear model of the score near the picture, over its superpixels (Ribeiro
            et al. 2016).
            samples: pictures with a random choice of superpixels; 2 to 8,000; by default 300
            segments: superpixels asked for; there can be a few more or less; 4 to 400; by default 50
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default mean
            width: how unlike the picture a sample may be and still count; 0.01 to 10; by default 0.25
            ridge: pull of the weights towards zero; 0 to 1,000; by default 1.0
            seed: 0 to 2,147,483,647; by default 0
        edges: Where the picture has edges, by Sobel's filter: no explanation, since it knows nothing of
            the network.

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        mode: which values are drawn; absolute, positive, signed; by default absolute
        opacity: of the map over the picture; 0 to 1; by default 0.5
        clip: percentile of absolute values at which the colours end; 50 to 100; by default 99.5
        colours: of unsigned values; inferno, viridis, grey; by default inferno
    """

def saliency_grid(
    model: Model,
    image: Image | Bands | NDArray[Any] | Tensor | bytes | str | Path,
    methods: Sequence[CheckedMethod | Callable[..., Any]],
    targets: Sequence[int | str] | None = None,
    layer: str | Module | None = None,
    unit: str | Module | None = None,
    region: str | Sequence[int] | NDArray[Any] | None = None,
    second: Image | Bands | NDArray[Any] | Tensor | bytes | str | Path | None = None,
    second_model: Model | None = None,
    progress: Progress = ...,
    **options: Any,
) -> SaliencyGrid:
    """Saliency maps side by side: methods by classes, pictures or models.

    A row a method; a column a target, by default the predicted one. With a second picture, or a second model, each
    target has a column more, about it.

    A class that the second model lacks is its predicted one there, and layers are its own. `region` is what
    `saliency` takes, for every column. A method that refuses one of
    the maps is left out with its reason. Raises NotSupported where all do, BadValue for more than 100 maps.

    Parameters:
        model: from load_model or wrap
        image: a path, a PIL image, an array (H, W) or (H, W, bands), a tensor (C, H, W), bytes, or of
            load_images
        methods: see below
        targets: a class by number or name, or a unit's channel; by default the likeliest
        layer: for methods that look into one
        unit: explain channels of this layer instead of classes
        region: "predicted", a box (y0, x0, y1, x1) or a mask (H, W)
        second: a path, a PIL image, an array (H, W) or (H, W, bands), a tensor (C, H, W), bytes, or of
            load_images
        second_model: from load_model or wrap
        progress: called with (done, total, message) as the work goes on; what it raises stops the work
        options: of the methods, as **{'NAME.OPTION': value}; see below

    Values of methods, each with its options:
        gradient: How much the class score changes with each pixel: the input gradient (Simonyan et al.
            2014).
            reduce: how the colour channels become one map; max, sum, signed; by default max
        input_x_gradient: What each pixel would add if the network were linear: pixel times gradient
            (Shrikumar et al. 2016).
        smooth_grad: The gradient, averaged over noisy copies of the picture (Smilkov et al. 2017).
            samples: 1 to 500; by default 25
            noise: standard deviation, as a share of the picture's range; 0 to 1; by default 0.15
            reduce: how the colour channels become one map; max, sum, signed; by default max
            seed: 0 to 2,147,483,647; by default 0
        integrated_gradients: What each pixel adds on the way from a baseline to the picture
            (Sundararajan et al. 2017).
            steps: 1 to 1,000; by default 50
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default black
        gradient_shap: Integrated gradients from many baselines, here plain colours drawn by chance
            (Lundberg and Lee 2017).
            samples: 1 to 1,000; by default 50
            noise: standard deviation, as a share of the picture's range; 0 to 1; by default 0.0
            seed: 0 to 2,147,483,647; by default 0
        deep_lift: What each pixel adds when it turns from a baseline's into the picture's (Shrikumar et
            al. 2017, Rescale rule).
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default black
        lrp: The score, handed back from layer to layer by each summand's share (LRP, Bach et al. 2015,
            epsilon rule).
            composite: the rule at convolutions, by zennit's names; epsilon, epsilon_plus,
                epsilon_alpha2_beta1, epsilon_gamma_box; by default epsilon
            epsilon: damps weak sums, as a share of a layer's strength; 0 to 1; by default 0.01
        guided_backprop: The gradient, keeping at each ReLU only what is positive of it (Springenberg et
            al. 2015).
            reduce: how the colour channels become one map; max, sum, signed; by default max
        deconvnet: Back from the class through the filters, keeping at each ReLU what is positive
            (Zeiler and Fergus 2014).
            reduce: how the colour channels become one map; max, sum, signed; by default max
        cam: Where the maps behind the classifier speak for the class, weighted by the classifier itself
            (Zhou et al. 2016).
            positive: keep only evidence for the class, as in the paper; by default False
        grad_cam: Where a layer's maps speak for the class: maps weighted by their mean gradient
            (Selvaraju et al. 2017).
            positive: keep only evidence for the class, as in the paper; by default True
        grad_cam_plus_plus: Grad-CAM that gives several objects of a class the same weight (Chattopadhay
            et al. 2018).
            positive: keep only evidence for the class, as in the paper; by default True
        hires_cam: Maps times their gradient, place by place: no place without influence is marked
            (Draelos and Carin 2020).
            positive: keep only evidence for the class, as in the paper; by default True
        layer_cam: Maps times the positive part of their gradient, also usable in early layers (Jiang et
            al. 2021).
            positive: keep only evidence for the class, as in the paper; by default True
        xgrad_cam: Grad-CAM with gradients averaged where the map is active, so that maps add up better
            (Fu et al. 2020).
            positive: keep only evidence for the class, as in the paper; by default True
        eigen_cam: What a layer's maps have in common: their first principal component over positions
            (Muhammad and Yeasin 2020).
            positive: keep only evidence for the class, as in the paper; by default True
        guided_grad_cam: Guided backprop within what Grad-CAM marks: fine and for a class (Selvaraju et
            al. 2017).
            reduce: how the colour channels become one map; max, sum, signed; by default max
        occlusion: How much the score falls when a window around the place is covered (Zeiler and Fergus
            2014).
            window: side in pixels; 0 is an eighth of the picture's shorter one; 0 to 256; by default 0
            stride: from window to window, at most its side; 0 is half of it; 0 to 256; by default 0
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default mean
        rise: The class's mean probability over random covers that leave the place open (Petsiuk et al.
            2018).
            samples: 2 to 8,000; by default 1000
            cells: of a mask's grid, along each side; 2 to 32; by default 7
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default mean
            seed: 0 to 2,147,483,647; by default 0
        score_cam: Maps weighted by the score of the picture where only what they mark is left (Wang et
            al. 2020).
            positive: keep only evidence for the class, as in the paper; by default True
        ablation_cam: Maps weighted by how much the score falls without them (Ramaswamy and Desai 2020).
            positive: keep only evidence for the class, as in the paper; by default True
        feature_ablation: How much the score falls when one superpixel is covered.
            segments: superpixels asked for; there can be a few more or less; 4 to 400; by default 50
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default mean
        kernel_shap: What each superpixel adds on average, in whatever order they are uncovered
            (Lundberg and Lee 2017).
            samples: pictures with a random choice of superpixels; 2 to 8,000; by default 300
            segments: superpixels asked for; there can be a few more or less; 4 to 400; by default 50
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default mean
            seed: 0 to 2,147,483,647; by default 0
        lime: The weights of a linear model of the score near the picture, over its superpixels (Ribeiro
            et al. 2016).
            samples: pictures with a random choice of superpixels; 2 to 8,000; by default 300
            segments: superpixels asked for; there can be a few more or less; 4 to 400; by default 50
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default mean
            width: how unlike the picture a sample may be and still count; 0.01 to 10; by default 0.25
            ridge: pull of the weights towards zero; 0 to 1,000; by default 1.0
            seed: 0 to 2,147,483,647; by default 0
        edges: Where the picture has edges, by Sobel's filter: no explanation, since it knows nothing of
            the network.

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        mode: which values are drawn; absolute, positive, signed; by default absolute
        opacity: of the map over the picture; 0 to 1; by default 0.5
        clip: percentile of absolute values at which the colours end; 50 to 100; by default 99.5
        colours: of unsigned values; inferno, viridis, grey; by default inferno
        scale: maps that have one scale; row, all; by default row
    """

def faithfulness(
    model: Model,
    image: Image | Bands | NDArray[Any] | Tensor | bytes | str | Path,
    method: CheckedMethod | Callable[..., Any] = "gradient",
    target: int | str | None = None,
    layer: str | Module | None = None,
    unit: str | Module | None = None,
    region: str | Sequence[int] | NDArray[Any] | None = None,
    *,
    portions: int = 12,
    check_seed: int = 0,
    stages: Literal["cascading", "independent"] = "cascading",
    control: Model | None = None,
    progress: Progress = ...,
    reduce: Literal["max", "sum", "signed"] = "max",
    samples: int = ...,
    noise: float = ...,
    seed: int = 0,
    steps: int = 50,
    baseline: Literal["black", "white", "mean", "blur"] = ...,
    composite: Literal["epsilon", "epsilon_plus", "epsilon_alpha2_beta1", "epsilon_gamma_box"] = "epsilon",
    epsilon: float = 0.01,
    positive: bool = ...,
    window: int = 0,
    stride: int = 0,
    cells: int = 7,
    segments: int = 50,
    width: float = 0.25,
    ridge: float = 1.0,
) -> Faithfulness:
    """How far one saliency map can be trusted.

    Everything that can be measured of one map; of it, `region` and `options`, which are the method's, as `saliency`
    has it.

    The method "edges" is a control that no check may pass, and `control` the same network trained on shuffled labels.
    Pixels are hidden by the picture's mean colour and by its blurred self, the mean of both is shown. `progress` hears
    percents; what it raises stops the check and leaves all as it was.

    Parameters:
        model: from load_model or wrap
        image: a path, a PIL image, an array (H, W) or (H, W, bands), a tensor (C, H, W), bytes, or of
            load_images
        method: see below; by default "gradient"
        target: a class by number or name, or a unit's channel; by default the likeliest
        layer: for methods that look into one
        unit: explain a channel of this layer instead of a class
        region: "predicted", a box (y0, x0, y1, x1) or a mask (H, W)
        portions: in which pixels are replaced; they grow by the square; 2 to 500; by default 12
        check_seed: of the controls and of the weights put in; 0 to 2,147,483,647; by default 0
        stages: how weights are randomised; cascading, independent; by default "cascading"
        control: from load_model or wrap
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Values of method, each with its options:
        gradient: How much the class score changes with each pixel: the input gradient (Simonyan et al.
            2014).
            reduce: how the colour channels become one map; max, sum, signed; by default max
        input_x_gradient: What each pixel would add if the network were linear: pixel times gradient
            (Shrikumar et al. 2016).
        smooth_grad: The gradient, averaged over noisy copies of the picture (Smilkov et al. 2017).
            samples: 1 to 500; by default 25
            noise: standard deviation, as a share of the picture's range; 0 to 1; by default 0.15
            reduce: how the colour channels become one map; max, sum, signed; by default max
            seed: 0 to 2,147,483,647; by default 0
        integrated_gradients: What each pixel adds on the way from a baseline to the picture
            (Sundararajan et al. 2017).
            steps: 1 to 1,000; by default 50
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default black
        gradient_shap: Integrated gradients from many baselines, here plain colours drawn by chance
            (Lundberg and Lee 2017).
            samples: 1 to 1,000; by default 50
            noise: standard deviation, as a share of the picture's range; 0 to 1; by default 0.0
            seed: 0 to 2,147,483,647; by default 0
        deep_lift: What each pixel adds when it turns from a baseline's into the picture's (Shrikumar et
            al. 2017, Rescale rule).
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default black
        lrp: The score, handed back from layer to layer by each summand's share (LRP, Bach et al. 2015,
            epsilon rule).
            composite: the rule at convolutions, by zennit's names; epsilon, epsilon_plus,
                epsilon_alpha2_beta1, epsilon_gamma_box; by default epsilon
            epsilon: damps weak sums, as a share of a layer's strength; 0 to 1; by default 0.01
        guided_backprop: The gradient, keeping at each ReLU only what is positive of it (Springenberg et
            al. 2015).
            reduce: how the colour channels become one map; max, sum, signed; by default max
        deconvnet: Back from the class through the filters, keeping at each ReLU what is positive
            (Zeiler and Fergus 2014).
            reduce: how the colour channels become one map; max, sum, signed; by default max
        cam: Where the maps behind the classifier speak for the class, weighted by the classifier itself
            (Zhou et al. 2016).
            positive: keep only evidence for the class, as in the paper; by default False
        grad_cam: Where a layer's maps speak for the class: maps weighted by their mean gradient
            (Selvaraju et al. 2017).
            positive: keep only evidence for the class, as in the paper; by default True
        grad_cam_plus_plus: Grad-CAM that gives several objects of a class the same weight (Chattopadhay
            et al. 2018).
            positive: keep only evidence for the class, as in the paper; by default True
        hires_cam: Maps times their gradient, place by place: no place without influence is marked
            (Draelos and Carin 2020).
            positive: keep only evidence for the class, as in the paper; by default True
        layer_cam: Maps times the positive part of their gradient, also usable in early layers (Jiang et
            al. 2021).
            positive: keep only evidence for the class, as in the paper; by default True
        xgrad_cam: Grad-CAM with gradients averaged where the map is active, so that maps add up better
            (Fu et al. 2020).
            positive: keep only evidence for the class, as in the paper; by default True
        eigen_cam: What a layer's maps have in common: their first principal component over positions
            (Muhammad and Yeasin 2020).
            positive: keep only evidence for the class, as in the paper; by default True
        guided_grad_cam: Guided backprop within what Grad-CAM marks: fine and for a class (Selvaraju et
            al. 2017).
            reduce: how the colour channels become one map; max, sum, signed; by default max
        occlusion: How much the score falls when a window around the place is covered (Zeiler and Fergus
            2014).
            window: side in pixels; 0 is an eighth of the picture's shorter one; 0 to 256; by default 0
            stride: from window to window, at most its side; 0 is half of it; 0 to 256; by default 0
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default mean
        rise: The class's mean probability over random covers that leave the place open (Petsiuk et al.
            2018).
            samples: 2 to 8,000; by default 1000
            cells: of a mask's grid, along each side; 2 to 32; by default 7
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default mean
            seed: 0 to 2,147,483,647; by default 0
        score_cam: Maps weighted by the score of the picture where only what they mark is left (Wang et
            al. 2020).
            positive: keep only evidence for the class, as in the paper; by default True
        ablation_cam: Maps weighted by how much the score falls without them (Ramaswamy and Desai 2020).
            positive: keep only evidence for the class, as in the paper; by default True
        feature_ablation: How much the score falls when one superpixel is covered.
            segments: superpixels asked for; there can be a few more or less; 4 to 400; by default 50
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default mean
        kernel_shap: What each superpixel adds on average, in whatever order they are uncovered
            (Lundberg and Lee 2017).
            samples: pictures with a random choice of superpixels; 2 to 8,000; by default 300
            segments: superpixels asked for; there can be a few more or less; 4 to 400; by default 50
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default mean
            seed: 0 to 2,147,483,647; by default 0
        lime: The weights of a linear model of the score near the picture, over its superpixels (Ribeiro
            et al. 2016).
            samples: pictures with a random choice of superpixels; 2 to 8,000; by default 300
            segments: superpixels asked for; there can be a few more or less; 4 to 400; by default 50
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default mean
            width: how unlike the picture a sample may be and still count; 0.01 to 10; by default 0.25
            ridge: pull of the weights towards zero; 0 to 1,000; by default 1.0
            seed: 0 to 2,147,483,647; by default 0
        edges: Where the picture has edges, by Sobel's filter: no explanation, since it knows nothing of
            the network.

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        part: maps by stage, deletion and insertion, or likeness by stage; strip, curves, stages; by
            default strip
        opacity: of the map over the picture; 0 to 1; by default 0.5
    """

def corruptions(
    model: Model,
    image: Image | Bands | NDArray[Any] | Tensor | bytes | str | Path,
    corruptions: Sequence[Corruption | Callable[..., Any]] | None = None,
    *,
    severity: int = 3,
    method: CheckedMethod | Callable[..., Any] | None = None,
    layer: str | Module | None = None,
    seed: int = 0,
    progress: Progress = ...,
) -> Corruptions:
    """One picture under corruptions, and what the network then says of it.

    A picture under corruptions as in ImageNet-C (Hendrycks and Dietterich 2019), in the network's own crop; with a
    method also the map of the answer that the picture has as it is, on each.

    Raises NotSupported for networks of other than grey or coloured pictures.

    Parameters:
        model: from load_model or wrap
        image: a path, a PIL image, an array (H, W) or (H, W, bands), a tensor (C, H, W), bytes, or of
            load_images
        corruptions: see below
        severity: how strong they are; 1 to 5; by default 3
        method: see below
        layer: a name that `anatomy` lists
        seed: of chance in the corruptions; 0 to 2,147,483,647; by default 0
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Values of corruptions:
        defocus_blur: The mean over a disc, as by a lens out of focus.
        glass_blur: Each pixel in turn replaced by one near it, between two Gaussian blurs, as through
            frosted glass.
        motion_blur: Smeared one way, within 45 degrees of the horizontal, as by a camera that moves.
        zoom_blur: The mean of the picture and its enlargements about the centre, as by a camera that
            moves towards it.
        contrast: Each channel's distance to its mean shrunk to a share of it.
        elastic_transform: Turned and sheared a little, then each region stretched by a smooth field of
            chance.
        pixelate: Reduced to a share of its sides by averaging, and enlarged again by repeating.
        jpeg_compression: Stored as a JPEG of low quality and read again.
        gaussian_noise: Gaussian noise of one deviation on every value, as in little light.
        shot_noise: Poisson noise, as of light that comes in so few photons.
        impulse_noise: A share of the values turned black or white, as by errors of bits.
        snow: Flakes smeared as they fall, over a picture that is whitened.
        frost: A texture of crystals over a darkened picture, as on a window.
        fog: Clouds of light over the picture, whose contrast they take.
        brightness: So much added to the value of the HSV model, as by another daylight.

    Values of method:
        gradient: How much the class score changes with each pixel: the input gradient (Simonyan et al.
            2014).
        input_x_gradient: What each pixel would add if the network were linear: pixel times gradient
            (Shrikumar et al. 2016).
        smooth_grad: The gradient, averaged over noisy copies of the picture (Smilkov et al. 2017).
        integrated_gradients: What each pixel adds on the way from a baseline to the picture
            (Sundararajan et al. 2017).
        gradient_shap: Integrated gradients from many baselines, here plain colours drawn by chance
            (Lundberg and Lee 2017).
        deep_lift: What each pixel adds when it turns from a baseline's into the picture's (Shrikumar et
            al. 2017, Rescale rule).
        lrp: The score, handed back from layer to layer by each summand's share (LRP, Bach et al. 2015,
            epsilon rule).
        guided_backprop: The gradient, keeping at each ReLU only what is positive of it (Springenberg et
            al. 2015).
        deconvnet: Back from the class through the filters, keeping at each ReLU what is positive
            (Zeiler and Fergus 2014).
        cam: Where the maps behind the classifier speak for the class, weighted by the classifier itself
            (Zhou et al. 2016).
        grad_cam: Where a layer's maps speak for the class: maps weighted by their mean gradient
            (Selvaraju et al. 2017).
        grad_cam_plus_plus: Grad-CAM that gives several objects of a class the same weight (Chattopadhay
            et al. 2018).
        hires_cam: Maps times their gradient, place by place: no place without influence is marked
            (Draelos and Carin 2020).
        layer_cam: Maps times the positive part of their gradient, also usable in early layers (Jiang et
            al. 2021).
        xgrad_cam: Grad-CAM with gradients averaged where the map is active, so that maps add up better
            (Fu et al. 2020).
        eigen_cam: What a layer's maps have in common: their first principal component over positions
            (Muhammad and Yeasin 2020).
        guided_grad_cam: Guided backprop within what Grad-CAM marks: fine and for a class (Selvaraju et
            al. 2017).
        occlusion: How much the score falls when a window around the place is covered (Zeiler and Fergus
            2014).
        rise: The class's mean probability over random covers that leave the place open (Petsiuk et al.
            2018).
        score_cam: Maps weighted by the score of the picture where only what they mark is left (Wang et
            al. 2020).
        ablation_cam: Maps weighted by how much the score falls without them (Ramaswamy and Desai 2020).
        feature_ablation: How much the score falls when one superpixel is covered.
        kernel_shap: What each superpixel adds on average, in whatever order they are uncovered
            (Lundberg and Lee 2017).
        lime: The weights of a linear model of the score near the picture, over its superpixels (Ribeiro
            et al. 2016).
        edges: Where the picture has edges, by Sobel's filter: no explanation, since it knows nothing of
            the network.

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        mode: which values are drawn; absolute, positive, signed; by default absolute
        opacity: of the map over the picture; 0 to 1; by default 0.5
    """

def robustness(
    model: Model,
    images: ImageSet | str | Path | Sequence[Any] | Dataset[Any],
    *,
    baseline: Model | None = None,
    corruptions: Sequence[Corruption | Callable[..., Any]] | None = None,
    severities: Sequence[int] | None = None,
    shifts: bool = True,
    count: int = 200,
    drifting: int = 50,
    layer: str | Module | None = None,
    seed: int = 0,
    progress: Progress = ...,
) -> Robustness:
    """How a network holds out against corrupted and shifted pictures.

    What a network says of pictures that are corrupted as in ImageNet-C, at each severity, and shifted as in
    ImageNet-P (Hendrycks and Dietterich 2019): in its own crop, by the numbers that fit its size.

    Where pictures have labels that are its classes, these tell what is right; else its answer on the picture itself.
    The layer is the one whose channels are followed, by default the one that moves first. Raises NotSupported for
    networks of other than grey or coloured pictures, BadValue and BadFile where there are no pictures.

    Parameters:
        model: from load_model or wrap
        images: from load_images, or what that takes: a name of list_images, a folder, pictures
        baseline: from load_model or wrap
        corruptions: see below
        severities: by default all five
        shifts: whether pictures are shifted to the sides, too; by default True
        count: pictures, drawn by the seed, at most; 1 to 10,000; by default 200
        drifting: of them, those for which layers are followed; 0 for none; 0 to 10,000; by default 50
        layer: a name that `anatomy` lists
        seed: of the pictures and of chance in the corruptions; 0 to 2,147,483,647; by default 0
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Values of corruptions:
        defocus_blur: The mean over a disc, as by a lens out of focus.
        glass_blur: Each pixel in turn replaced by one near it, between two Gaussian blurs, as through
            frosted glass.
        motion_blur: Smeared one way, within 45 degrees of the horizontal, as by a camera that moves.
        zoom_blur: The mean of the picture and its enlargements about the centre, as by a camera that
            moves towards it.
        contrast: Each channel's distance to its mean shrunk to a share of it.
        elastic_transform: Turned and sheared a little, then each region stretched by a smooth field of
            chance.
        pixelate: Reduced to a share of its sides by averaging, and enlarged again by repeating.
        jpeg_compression: Stored as a JPEG of low quality and read again.
        gaussian_noise: Gaussian noise of one deviation on every value, as in little light.
        shot_noise: Poisson noise, as of light that comes in so few photons.
        impulse_noise: A share of the values turned black or white, as by errors of bits.
        snow: Flakes smeared as they fall, over a picture that is whitened.
        frost: A texture of crystals over a darkened picture, as on a window.
        fog: Clouds of light over the picture, whose contrast they take.
        brightness: So much added to the value of the HSV model, as by another daylight.

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        part: accuracy, errors, layers, channels, pictures; by default accuracy
        most: channels, those that move farthest; 1 to 200; by default 20
    """

def segmentation(
    model: Model,
    image: Image | Bands | NDArray[Any] | Tensor | bytes | str | Path,
) -> Segmentation:
    """Which class is predicted where, by networks that give maps of classes.

    The likeliest class at each place, of networks that give maps of classes: at the resolution of those maps, each
    place as many pixels large as it is. Raises NotSupported for other networks.

    Parameters:
        model: from load_model or wrap
        image: a path, a PIL image, an array (H, W) or (H, W, bands), a tensor (C, H, W), bytes, or of
            load_images

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        opacity: of the classes over the picture; 0 to 1; by default 0.7
        count: classes in the legend, at most, the largest first; 1 to 50; by default 12
    """

def gallery(
    model: Model,
    images: ImageSet | str | Path | Sequence[Any] | Dataset[Any],
    method: CheckedMethod | Callable[..., Any] = "grad_cam",
    *,
    which: Literal["first", "spread", "mistakes"] = "first",
    count: int = 24,
    target: int | str | None = None,
    layer: str | Module | None = None,
    region: str | Sequence[int] | NDArray[Any] | None = None,
    where: str = "",
    progress: Progress = ...,
    kept: Kept | None = None,
    reduce: Literal["max", "sum", "signed"] = "max",
    samples: int = ...,
    noise: float = ...,
    seed: int = 0,
    steps: int = 50,
    baseline: Literal["black", "white", "mean", "blur"] = ...,
    composite: Literal["epsilon", "epsilon_plus", "epsilon_alpha2_beta1", "epsilon_gamma_box"] = "epsilon",
    epsilon: float = 0.01,
    positive: bool = ...,
    window: int = 0,
    stride: int = 0,
    cells: int = 7,
    segments: int = 50,
    width: float = 0.25,
    ridge: float = 1.0,
) -> Gallery:
    """The maps of one method for many pictures: of a set, or its surest mistakes.

    The maps of some pictures of a set, each for its own predicted class, or all for one class.

    `region` as saliency takes it: the same box or mask on all, or on each where its class is predicted. What is
    finished is `kept`, so that work which was interrupted goes on where it was. Files that cannot be read, and pictures
    on which the class is predicted nowhere, are left out and said. Raises BadFile where none can be read, BadValue for
    mistakes of pictures without labels, NotSupported where there is no mistake.

    Parameters:
        model: from load_model or wrap
        images: from load_images, or what that takes: a name of list_images, a folder, pictures
        method: see below; by default "grad_cam"
        which: mistakes: those it is surest of, of pictures with labels; first, spread, mistakes; by
            default "first"
        count: pictures, at most; 1 to 1,000; by default 24
        target: a class by number or name, for all pictures; by default each one's likeliest
        layer: for methods that look into one
        region: "predicted", a box (y0, x0, y1, x1) or a mask (H, W)
        where: COLUMN=VALUE: only these pictures; of label or their table
        progress: called with (done, total, message) as the work goes on; what it raises stops the work
        kept: where what took long to make is kept, by a name

    Values of method, each with its options:
        gradient: How much the class score changes with each pixel: the input gradient (Simonyan et al.
            2014).
            reduce: how the colour channels become one map; max, sum, signed; by default max
        input_x_gradient: What each pixel would add if the network were linear: pixel times gradient
            (Shrikumar et al. 2016).
        smooth_grad: The gradient, averaged over noisy copies of the picture (Smilkov et al. 2017).
            samples: 1 to 500; by default 25
            noise: standard deviation, as a share of the picture's range; 0 to 1; by default 0.15
            reduce: how the colour channels become one map; max, sum, signed; by default max
            seed: 0 to 2,147,483,647; by default 0
        integrated_gradients: What each pixel adds on the way from a baseline to the picture
            (Sundararajan et al. 2017).
            steps: 1 to 1,000; by default 50
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default black
        gradient_shap: Integrated gradients from many baselines, here plain colours drawn by chance
            (Lundberg and Lee 2017).
            samples: 1 to 1,000; by default 50
            noise: standard deviation, as a share of the picture's range; 0 to 1; by default 0.0
            seed: 0 to 2,147,483,647; by default 0
        deep_lift: What each pixel adds when it turns from a baseline's into the picture's (Shrikumar et
            al. 2017, Rescale rule).
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default black
        lrp: The score, handed back from layer to layer by each summand's share (LRP, Bach et al. 2015,
            epsilon rule).
            composite: the rule at convolutions, by zennit's names; epsilon, epsilon_plus,
                epsilon_alpha2_beta1, epsilon_gamma_box; by default epsilon
            epsilon: damps weak sums, as a share of a layer's strength; 0 to 1; by default 0.01
        guided_backprop: The gradient, keeping at each ReLU only what is positive of it (Springenberg et
            al. 2015).
            reduce: how the colour channels become one map; max, sum, signed; by default max
        deconvnet: Back from the class through the filters, keeping at each ReLU what is positive
            (Zeiler and Fergus 2014).
            reduce: how the colour channels become one map; max, sum, signed; by default max
        cam: Where the maps behind the classifier speak for the class, weighted by the classifier itself
            (Zhou et al. 2016).
            positive: keep only evidence for the class, as in the paper; by default False
        grad_cam: Where a layer's maps speak for the class: maps weighted by their mean gradient
            (Selvaraju et al. 2017).
            positive: keep only evidence for the class, as in the paper; by default True
        grad_cam_plus_plus: Grad-CAM that gives several objects of a class the same weight (Chattopadhay
            et al. 2018).
            positive: keep only evidence for the class, as in the paper; by default True
        hires_cam: Maps times their gradient, place by place: no place without influence is marked
            (Draelos and Carin 2020).
            positive: keep only evidence for the class, as in the paper; by default True
        layer_cam: Maps times the positive part of their gradient, also usable in early layers (Jiang et
            al. 2021).
            positive: keep only evidence for the class, as in the paper; by default True
        xgrad_cam: Grad-CAM with gradients averaged where the map is active, so that maps add up better
            (Fu et al. 2020).
            positive: keep only evidence for the class, as in the paper; by default True
        eigen_cam: What a layer's maps have in common: their first principal component over positions
            (Muhammad and Yeasin 2020).
            positive: keep only evidence for the class, as in the paper; by default True
        guided_grad_cam: Guided backprop within what Grad-CAM marks: fine and for a class (Selvaraju et
            al. 2017).
            reduce: how the colour channels become one map; max, sum, signed; by default max
        occlusion: How much the score falls when a window around the place is covered (Zeiler and Fergus
            2014).
            window: side in pixels; 0 is an eighth of the picture's shorter one; 0 to 256; by default 0
            stride: from window to window, at most its side; 0 is half of it; 0 to 256; by default 0
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default mean
        rise: The class's mean probability over random covers that leave the place open (Petsiuk et al.
            2018).
            samples: 2 to 8,000; by default 1000
            cells: of a mask's grid, along each side; 2 to 32; by default 7
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default mean
            seed: 0 to 2,147,483,647; by default 0
        score_cam: Maps weighted by the score of the picture where only what they mark is left (Wang et
            al. 2020).
            positive: keep only evidence for the class, as in the paper; by default True
        ablation_cam: Maps weighted by how much the score falls without them (Ramaswamy and Desai 2020).
            positive: keep only evidence for the class, as in the paper; by default True
        feature_ablation: How much the score falls when one superpixel is covered.
            segments: superpixels asked for; there can be a few more or less; 4 to 400; by default 50
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default mean
        kernel_shap: What each superpixel adds on average, in whatever order they are uncovered
            (Lundberg and Lee 2017).
            samples: pictures with a random choice of superpixels; 2 to 8,000; by default 300
            segments: superpixels asked for; there can be a few more or less; 4 to 400; by default 50
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default mean
            seed: 0 to 2,147,483,647; by default 0
        lime: The weights of a linear model of the score near the picture, over its superpixels (Ribeiro
            et al. 2016).
            samples: pictures with a random choice of superpixels; 2 to 8,000; by default 300
            segments: superpixels asked for; there can be a few more or less; 4 to 400; by default 50
            baseline: the picture of nothing; mean is the data's mean colour; black, white, mean, blur;
                by default mean
            width: how unlike the picture a sample may be and still count; 0.01 to 10; by default 0.25
            ridge: pull of the weights towards zero; 0 to 1,000; by default 1.0
            seed: 0 to 2,147,483,647; by default 0
        edges: Where the picture has edges, by Sobel's filter: no explanation, since it knows nothing of
            the network.

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        mode: which values are drawn; absolute, positive, signed; by default absolute
        opacity: of the map over the picture; 0 to 1; by default 0.5
        clip: percentile of absolute values at which the colours end; 50 to 100; by default 99.5
        colours: of unsigned values; inferno, viridis, grey; by default inferno
        scale: maps that have one scale; each, all; by default each
        pair: the picture itself beside each map; by default False
        columns: pictures in a row, of which a pair is two; 1 to 40; by default 6
    """

def leaderboard(
    model: Model,
    images: ImageSet | str | Path | Sequence[Any] | Dataset[Any],
    methods: Sequence[CheckedMethod | Callable[..., Any]] | None = None,
    *,
    count: int = 20,
    portions: int = 16,
    seed: int = 0,
    layer: str | Module | None = None,
    measured: Any = None,
    progress: Progress = ...,
) -> Leaderboard:
    """Which saliency methods can be trusted on a network, as a ranking.

    Methods with their default options, each for the predicted class, ranked by insertion less deletion area, both as
    shares (at most 1) of the probability that the class has on the whole picture.

    Without `methods` all that are quick and apply, and "edges" as a control. What `progress` raises stops the work.
    Seconds that were measured before, and reasons of methods that had been left out, are taken as they were.

    Parameters:
        model: from load_model or wrap
        images: from load_images, or what that takes: a name of list_images, a folder, pictures
        methods: see below
        count: pictures, drawn by the seed, at most; 2 to 10,000; by default 20
        portions: in which pixels are replaced; 2 to 500; by default 16
        seed: of the pictures and of the weights put in; 0 to 2,147,483,647; by default 0
        layer: for methods that look into one
        measured: what was measured or answered before, as the facts of a figure have it
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Values of methods:
        gradient: How much the class score changes with each pixel: the input gradient (Simonyan et al.
            2014).
        input_x_gradient: What each pixel would add if the network were linear: pixel times gradient
            (Shrikumar et al. 2016).
        smooth_grad: The gradient, averaged over noisy copies of the picture (Smilkov et al. 2017).
        integrated_gradients: What each pixel adds on the way from a baseline to the picture
            (Sundararajan et al. 2017).
        gradient_shap: Integrated gradients from many baselines, here plain colours drawn by chance
            (Lundberg and Lee 2017).
        deep_lift: What each pixel adds when it turns from a baseline's into the picture's (Shrikumar et
            al. 2017, Rescale rule).
        lrp: The score, handed back from layer to layer by each summand's share (LRP, Bach et al. 2015,
            epsilon rule).
        guided_backprop: The gradient, keeping at each ReLU only what is positive of it (Springenberg et
            al. 2015).
        deconvnet: Back from the class through the filters, keeping at each ReLU what is positive
            (Zeiler and Fergus 2014).
        cam: Where the maps behind the classifier speak for the class, weighted by the classifier itself
            (Zhou et al. 2016).
        grad_cam: Where a layer's maps speak for the class: maps weighted by their mean gradient
            (Selvaraju et al. 2017).
        grad_cam_plus_plus: Grad-CAM that gives several objects of a class the same weight (Chattopadhay
            et al. 2018).
        hires_cam: Maps times their gradient, place by place: no place without influence is marked
            (Draelos and Carin 2020).
        layer_cam: Maps times the positive part of their gradient, also usable in early layers (Jiang et
            al. 2021).
        xgrad_cam: Grad-CAM with gradients averaged where the map is active, so that maps add up better
            (Fu et al. 2020).
        eigen_cam: What a layer's maps have in common: their first principal component over positions
            (Muhammad and Yeasin 2020).
        guided_grad_cam: Guided backprop within what Grad-CAM marks: fine and for a class (Selvaraju et
            al. 2017).
        occlusion: How much the score falls when a window around the place is covered (Zeiler and Fergus
            2014).
        rise: The class's mean probability over random covers that leave the place open (Petsiuk et al.
            2018).
        score_cam: Maps weighted by the score of the picture where only what they mark is left (Wang et
            al. 2020).
        ablation_cam: Maps weighted by how much the score falls without them (Ramaswamy and Desai 2020).
        feature_ablation: How much the score falls when one superpixel is covered.
        kernel_shap: What each superpixel adds on average, in whatever order they are uncovered
            (Lundberg and Lee 2017).
        lime: The weights of a linear model of the score near the picture, over its superpixels (Ribeiro
            et al. 2016).
        edges: Where the picture has edges, by Sobel's filter: no explanation, since it knows nothing of
            the network.

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
    """

def feature_visualization(
    index: Index,
    layer: str | Module,
    channels: Sequence[int],
    method: Parametrization | Callable[..., Any] = "fourier",
    *,
    objective: Literal["channel", "unit"] = "channel",
    negative: bool = False,
    facets: int = 1,
    side: int | None = None,
    steps: int = 256,
    seed: int = 0,
    progress: Progress = ...,
    rate: float = ...,
) -> FeatureVisualization:
    """Pictures made for what excites channels, beside the real ones that do.

    What channels of a layer look for, as pictures made by gradient ascent (Olah et al. 2017).

    Frequencies and colours begin as strong as in the index's own pictures, and with method "maco" stay so (Fel et al.
    2023). Raises Unknown for a layer that the index has not, NotSupported where all channels are dead, BadValue for a
    size that the network does not take.

    Parameters:
        index: from build_index or open_index
        layer: a name that `anatomy` lists
        channels: a number from 0
        method: see below; by default "fourier"
        objective: in the whole picture, or in its middle; channel, unit; by default "channel"
        negative: what makes the channel least; by default False
        facets: pictures a channel, each kept unlike the others; 1 to 6; by default 1
        side: pixels a side, by default 128 where the network takes it; 16 to 512
        steps: of the optimiser; 8 to 4,096; by default 256
        seed: of chance; 0 to 2,147,483,647; by default 0
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Values of method, each with its options:
        fourier: Every Fourier coefficient, in units of its usual strength, beginning near grey (Olah et
            al. 2017).
            rate: Adam's step, as a share of a frequency's usual strength; 0.0001 to 1; by default 0.05
        maco: The phases alone: each frequency is as strong as in the pictures (MACO, Fel et al. 2023).
            rate: Adam's step, in radians; 0.001 to 3; by default 0.15

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        beside: the real patches that excite it most; by default True
        factor: whole-number enlargement of the pixels; 1 to 16; by default 1
    """

def patches(
    index: Index,
    layer: str | Module,
    channels: Sequence[int],
    ranking: Literal["best", "lowest", "random"] = "best",
    count: int | None = None,
    where: str = "",
    per_picture: int = 1,
    *,
    progress: Progress | None = None,
) -> Patches:
    """The patches of many pictures that channels respond to most.

    Up to `count` patches of each channel: nine, or as many as the index keeps.

    Among the pictures of a condition alone, which go through the network once more. So do the best pictures for more
    than one patch `per_picture`; two of a picture have less than half of the smaller in common. Raises Unknown for a
    layer that the index has not, BadValue for a count beyond what it keeps, or several patches that are not the best.

    Parameters:
        index: from build_index or open_index
        layer: a name that `anatomy` lists
        channels: a number from 0
        ranking: best, lowest, random; by default "best"
        count: patches a channel, by default 9 or what the index keeps; 1 to 100
        where: COLUMN=VALUE: only these pictures; of label, prediction, right or their table, or their
            numbers, as pictures=3,17,40-60
        per_picture: most patches from one picture, of the best; 1 to 16; by default 1
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        whole: whole pictures, with the box drawn; by default False
        factor: whole-number enlargement of the pixels; 1 to 64; by default 1
    """

def channel(
    index: Index,
    layer: str | Module,
    channel: int,
    image: int | Image | Bands | NDArray[Any] | Tensor | bytes | str | Path | None = None,
    replace: Literal["mean", "zero"] = "mean",
    where: str = "",
    *,
    progress: Progress | None = None,
) -> Channel:
    """All that an index knows of a channel, and the prediction without it.

    One channel over the index, and on a picture: any, the number of an indexed one, or by default its best.

    Raises Unknown for a layer that the index has not, BadValue or BadFile for the picture.

    Parameters:
        index: from build_index or open_index
        layer: a name that `anatomy` lists
        channel: a number from 0
        image: a number of the index, or a path, a PIL image, an array (H, W) or (H, W, bands), a tensor
            (C, H, W), bytes, or of load_images
        replace: what the channel is set to: its mean over the data; mean, zero; by default "mean"
        where: COLUMN=VALUE: only these pictures; of label, prediction, right or their table, or their
            numbers, as pictures=3,17,40-60
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        opacity: of the map on the picture; 0 to 1; by default 0.6
    """

def wiring(
    index: Index,
    layer: str | Module,
    channel: int,
    image: int | Image | Bands | NDArray[Any] | Tensor | bytes | str | Path | None = None,
    direction: Literal["in", "out"] = "in",
    *,
    count: int = 4,
    pictures: int = 8,
    seed: int = 0,
    progress: Progress = ...,
) -> Wiring:
    """Which channels feed a channel, or which it feeds, each edge verified by ablation.

    Expanded weights (Voss et al. 2021, "Visualizing Weights") between a channel and the nearest convolutions, each
    edge verified by ablation. On a picture: any, the number of an indexed one, or by default its best.

    Raises Unknown for a layer that the network has not, NotSupported for one that nothing feeds, or that feeds nothing.

    Parameters:
        index: from build_index or open_index
        layer: a name that `anatomy` lists
        channel: a number from 0
        image: a number of the index, or a path, a PIL image, an array (H, W) or (H, W, bands), a tensor
            (C, H, W), bytes, or of load_images
        direction: what feeds the channel, or what it feeds; in, out; by default "in"
        count: edges of each kind; 1 to 12; by default 4
        pictures: that excite the fed channel, on which effects are measured; 2 to 64; by default 8
        seed: of the intervals; 0 to 2,147,483,647; by default 0
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        factor: whole-number enlargement of the pixels; 1 to 4; by default 1
    """

def channel_names(
    index: Index,
    layer: str | Module,
    column: str = "",
    *,
    rate: float = 0.05,
    pictures: int = 2000,
    permutations: int = 2000,
    count: int = 12,
    seed: int = 0,
    progress: Progress = ...,
) -> ChannelNames:
    """Which labels and attributes go with which channels, and which with none.

    Average precision of each channel's strongest response for each group of pictures, against permuted groups; no
    name where chance does as well, by the false discovery rate over the layer (Benjamini and Hochberg 1995).

    By default the groups are the labels, or where there are none the predictions, and those of the pictures' table.
    Raises Unknown for a column that is not there, NotSupported where no group has three pictures.

    Parameters:
        index: from build_index or open_index
        layer: a name that `anatomy` lists
        column: of the pictures' table, label or prediction: its groups; ; by default all
        rate: of names that may be by chance; 0.001 to 0.5; by default 0.05
        pictures: of the index, spread over it; 20 to 100,000; by default 2000
        permutations: of the control; 100 to 100,000; by default 2000
        count: channels shown; 1 to 48; by default 12
        seed: of chance; 0 to 2,147,483,647; by default 0
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        factor: whole-number enlargement of the pixels; 1 to 4; by default 1
    """

def channel_health(
    index: Index,
    layer: str | Module,
) -> ChannelHealth:
    """Channels of a layer that are dead, or equal to others.

    Dead and duplicate channels of a layer. Raises Unknown for one that is not in the index.

    Parameters:
        index: from build_index or open_index
        layer: a name that `anatomy` lists

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
    """

def paths(
    index: Index,
    image: int | Image | Bands | NDArray[Any] | Tensor | bytes | str | Path,
    target: int | str | None = None,
    unit: str | Module | None = None,
    *,
    levels: int = 3,
    width: int = 4,
    progress: Progress = ...,
) -> PathsResult:
    """The strongest paths from pixels to an answer on a picture.

    From a class (by default the predicted one), or a unit's channel averaged over its positions, back through what
    feeds it on this picture. To go on, start at one of the last channels.

    Raises BadValue or BadFile for the picture, NotSupported for a network without layers.

    Parameters:
        index: from build_index or open_index
        image: a number of the index, or a path, a PIL image, an array (H, W) or (H, W, bands), a tensor
            (C, H, W), bytes, or of load_images
        target: a class by number or name, or a unit's channel; by default the likeliest
        unit: start at a channel of this layer instead of a class
        levels: convolutions back from the start; 1 to 5; by default 3
        width: channels kept at each level; 1 to 8; by default 4
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        factor: whole-number enlargement of the pixels; 1 to 4; by default 1
    """

def relevant_patches(
    index: Index,
    layer: str | Module,
    target: int | str | None = None,
    image: int | Image | Bands | NDArray[Any] | Tensor | bytes | str | Path | None = None,
    *,
    count: int = 4,
    patches: int = 4,
    pictures: int = 32,
    composite: Literal["epsilon", "epsilon_plus", "epsilon_alpha2_beta1", "epsilon_gamma_box"] = "epsilon_plus",
    progress: Progress = ...,
) -> RelevantPatches:
    """Channels and patches by relevance for a class, beside those by activation.

    Concept-conditional relevance (Achtibat et al. 2023): channels and patches by their share of a class's score.

    The class is by default the picture's likeliest, or without one that which the network sees most in the index.
    Raises Unknown for a layer that the index has not, BadValue for a class that it sees in no picture of the index,
    NotSupported for a network that LRP has no rules for.

    Parameters:
        index: from build_index or open_index
        layer: a name that `anatomy` lists
        target: a class by number or name, or a unit's channel; by default the likeliest
        image: a number of the index, or a path, a PIL image, an array (H, W) or (H, W, bands), a tensor
            (C, H, W), bytes, or of load_images
        count: channels of each kind; 1 to 12; by default 4
        patches: of each channel; 1 to 12; by default 4
        pictures: that the network takes for the class, surest first; 1 to 512; by default 32
        composite: LRP's rule at convolutions; epsilon, epsilon_plus, epsilon_alpha2_beta1,
            epsilon_gamma_box; by default "epsilon_plus"
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        opacity: of the maps over the picture; 0 to 1; by default 0.7
        factor: whole-number enlargement of the patches; 1 to 4; by default 1
    """

def hierarchy(
    index: Index,
    image: int | Image | Bands | NDArray[Any] | Tensor | bytes | str | Path,
    *,
    channels: int = 3,
) -> Hierarchy:
    """A picture through early, middle and late layers.

    The first, the middle and the last layer of the index that have maps, on any picture or a numbered one of it.

    Dead channels are passed over. Raises BadValue or BadFile for the picture, NotSupported for an index without maps.

    Parameters:
        index: from build_index or open_index
        image: a number of the index, or a path, a PIL image, an array (H, W) or (H, W, bands), a tensor
            (C, H, W), bytes, or of load_images
        channels: of each layer, those that respond most; 1 to 6; by default 3

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        opacity: of the maps; 0 to 1; by default 0.7
    """

def neighbours(
    index: Index,
    image: int | Image | Bands | NDArray[Any] | Tensor | bytes | str | Path,
    *,
    k: int = 8,
    metric: Literal["euclidean", "cosine"] = "euclidean",
    where: str = "",
) -> Neighbours:
    """The pictures of an index nearest to one, in features and in pixels.

    The k nearest pictures of the index to one of its own (by number or reference; left out itself) or to another.

    Pictures that could not be read are nobody's neighbours; by default there may be fewer. Raises BadValue or BadFile
    for the picture, BadValue for a k beyond the pictures that there are.

    Parameters:
        index: from build_index or open_index
        image: a number of the index, or a path, a PIL image, an array (H, W) or (H, W, bands), a tensor
            (C, H, W), bytes, or of load_images
        k: how many neighbours; 1 to 50; by default 8
        metric: euclidean, cosine; by default "euclidean"
        where: COLUMN=VALUE: only these pictures; of label, prediction, right or their table, or their
            numbers, as pictures=3,17,40-60

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        frame: width of the classes' colours around the pictures; 0 to 16; by default 5
        names: the class after the distance; by default True
    """

def agreement(
    index: Index,
    *,
    k: int = 5,
    metric: Literal["euclidean", "cosine"] = "euclidean",
    count: int = 10000,
    mirrored: int = 100,
    seed: int = 0,
    progress: Progress | None = None,
) -> Agreement:
    """Whether neighbours share labels, in features and in pixels.

    How often the k nearest pictures have a picture's label, and how near its mirrored copy would be to it, which
    shows the same with other pixels in other places: in features and in pixels.

    Parameters:
        index: from build_index or open_index
        k: how many neighbours; 1 to 50; by default 5
        metric: euclidean, cosine; by default "euclidean"
        count: pictures whose neighbours' labels are compared, at most; 1 to 1,000,000,000; by default
            10000
        mirrored: pictures whose mirrored copies are looked for; 1 to 1,000; by default 100
        seed: by which these are drawn; 0 to 2,147,483,647; by default 0
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
    """

def study(
    index: Index,
    *,
    method: SaliencyMethod | Callable[..., Any] = "gradient",
    count: int = 20,
    seed: int = 0,
    even: bool = True,
    answers: Any = ...,
) -> Study:
    """Whether maps let people foresee a network's mistakes: what is asked, and what came out.

    The pictures to ask about, every second one with its map, and the answers given to the first of them, each
    whether the network is guessed to be right and after how many seconds.

    Raises BadValue where labels or mistakes are lacking, and for what are no answers.

    Parameters:
        index: from build_index or open_index
        method: see below; by default "gradient"
        count: of pictures, at most; 2 to 200; by default 20
        seed: by which they are drawn; 0 to 2,147,483,647; by default 0
        even: half of them mistakes, else as many as chance brings; by default True
        answers: what was measured or answered before, as the facts of a figure have it

    Values of method:
        gradient: How much the class score changes with each pixel: the input gradient (Simonyan et al.
            2014).
        input_x_gradient: What each pixel would add if the network were linear: pixel times gradient
            (Shrikumar et al. 2016).
        smooth_grad: The gradient, averaged over noisy copies of the picture (Smilkov et al. 2017).
        integrated_gradients: What each pixel adds on the way from a baseline to the picture
            (Sundararajan et al. 2017).
        gradient_shap: Integrated gradients from many baselines, here plain colours drawn by chance
            (Lundberg and Lee 2017).
        deep_lift: What each pixel adds when it turns from a baseline's into the picture's (Shrikumar et
            al. 2017, Rescale rule).
        lrp: The score, handed back from layer to layer by each summand's share (LRP, Bach et al. 2015,
            epsilon rule).
        guided_backprop: The gradient, keeping at each ReLU only what is positive of it (Springenberg et
            al. 2015).
        deconvnet: Back from the class through the filters, keeping at each ReLU what is positive
            (Zeiler and Fergus 2014).
        cam: Where the maps behind the classifier speak for the class, weighted by the classifier itself
            (Zhou et al. 2016).
        grad_cam: Where a layer's maps speak for the class: maps weighted by their mean gradient
            (Selvaraju et al. 2017).
        grad_cam_plus_plus: Grad-CAM that gives several objects of a class the same weight (Chattopadhay
            et al. 2018).
        hires_cam: Maps times their gradient, place by place: no place without influence is marked
            (Draelos and Carin 2020).
        layer_cam: Maps times the positive part of their gradient, also usable in early layers (Jiang et
            al. 2021).
        xgrad_cam: Grad-CAM with gradients averaged where the map is active, so that maps add up better
            (Fu et al. 2020).
        eigen_cam: What a layer's maps have in common: their first principal component over positions
            (Muhammad and Yeasin 2020).
        guided_grad_cam: Guided backprop within what Grad-CAM marks: fine and for a class (Selvaraju et
            al. 2017).
        occlusion: How much the score falls when a window around the place is covered (Zeiler and Fergus
            2014).
        rise: The class's mean probability over random covers that leave the place open (Petsiuk et al.
            2018).
        score_cam: Maps weighted by the score of the picture where only what they mark is left (Wang et
            al. 2020).
        ablation_cam: Maps weighted by how much the score falls without them (Ramaswamy and Desai 2020).
        feature_ablation: How much the score falls when one superpixel is covered.
        kernel_shap: What each superpixel adds on average, in whatever order they are uncovered
            (Lundberg and Lee 2017).
        lime: The weights of a linear model of the score near the picture, over its superpixels (Ribeiro
            et al. 2016).

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
    """

def embedding(
    index: Index,
    method: Projection | Callable[..., Any] = "tsne",
    *,
    layer: str | Module | None = None,
    pooling: Literal["mean", "flat"] = "mean",
    where: str = "",
    count: int | None = None,
    measure: bool = True,
    place: Sequence[Image | Bands | NDArray[Any] | Tensor | bytes | str | Path] = ...,
    progress: Progress = ...,
    preview: Callable[[Any], object] = ...,
    kept: Kept | None = None,
    dimensions: Literal[2, 3] = 2,
    perplexity: float = 30.0,
    iterations: int = 500,
    metric: Literal["euclidean", "cosine"] = "euclidean",
    pca_first: bool = ...,
    seed: int = 0,
    neighbours: int = 15,
    spread: float = 0.1,
) -> Embedding:
    """The pictures of an index as points of a map.

    A map of the index's pictures by a projection, with that method's options.

    Of the features that the index keeps, or of another layer's output; `place` are pictures to be marked where they
    lie, on maps of features only. What is slow is computed in a process of its own; `preview` hears the points so far.
    Raises Unknown, BadValue.

    Parameters:
        index: from build_index or open_index
        method: see below; by default "tsne"
        layer: by default the features, which the classifier decides by
        pooling: of a layer's maps: averaged over positions, or all values; mean, flat; by default
            "mean"
        where: COLUMN=VALUE: only these pictures; of label, prediction, right or their table, or their
            numbers, as pictures=3,17,40-60
        count: pictures, at most, drawn by the seed; by default all; 1 to 10,000,000
        measure: how far each point can be trusted; by default True
        place: pictures to be marked on the map
        progress: called with (done, total, message) as the work goes on; what it raises stops the work
        preview: called with what there is so far
        kept: where what took long to make is kept, by a name

    Values of method, each with its options:
        pca: The directions of greatest variance (Pearson 1901); each one's largest weight is positive.
            dimensions: of the map; 2, 3; by default 2
        tsne: Near pictures stay near (van der Maaten 2008), from a start by PCA (Kobak and Berens
            2019).
            perplexity: neighbours of a picture, about; at most a third of all; 2 to 500; by default
                30.0
            iterations: of the descent, after the early exaggeration; 50 to 5,000; by default 500
            metric: what makes two feature vectors near; euclidean, cosine; by default euclidean
            pca_first: reduce to 50 principal components before; by default True
            seed: the same seed gives the same map; 0 to 2,147,483,647; by default 0
        umap: Neighbourhoods as a graph, laid out (McInnes et al. 2018).
            neighbours: pictures that count as a neighbourhood, at most all others; 2 to 200; by default
                15
            spread: how near pictures may come on the map; 0.0 to 1.0; by default 0.1
            metric: what makes two feature vectors near; euclidean, cosine; by default euclidean
            pca_first: reduce to 50 principal components before; by default False
            seed: the same seed gives the same map; 0 to 2,147,483,647; by default 0

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        colour: class is the label where it is known; class, label, prediction, right, confidence,
            trust, kept, a column of the pictures' table; by default class
        palette: of more than ten classes the nine, or up to 30, most frequent have a colour each; nine,
            many; by default nine
        names: class names in the map; by default True
        legend: class names with counts under it; by default True
        thumbnails: pictures instead of dots, where there is room; by default False
        size: of a dot in points; 0 fits it to their number; 0 to 20; by default 0.0
        turn: of a map in three dimensions, in degrees; -180 to 180; by default 30.0
        tilt: of a map in three dimensions, in degrees; -90 to 90; by default 20.0
    """

def confusion(
    index: Index,
    pictures: Sequence[int] | None = None,
    *,
    count: int = 18,
    where: str = "",
) -> Confusion:
    """Which classes are taken for which, and the worst mistakes.

    From an index whose pictures have labels that are classes of its model; of all of them, or of these numbers, and
    of these only where a condition holds.

    Raises BadValue where there are none. What has no such label, or cannot be read, is left out.

    Parameters:
        index: from build_index or open_index
        pictures: by default all
        count: of the worst mistakes, at most; 0 to 120; by default 18
        where: COLUMN=VALUE: only these pictures; of label, prediction, right or their table, or their
            numbers, as pictures=3,17,40-60

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        part: matrix, confusions, classes, mistakes; by default matrix
        numbers: in the cells of the matrix; pictures, shares; by default pictures
        most: classes in the matrix, the most confused; numbers fit beside 23 others; 2 to 200; by
            default 40
    """

def calibration(
    index: Index,
    *,
    where: str = "",
    bins: int = 15,
    seed: int = 0,
    progress: Progress | None = None,
) -> Calibration:
    """Whether a network is right as often as it is sure, and the temperature that mends it.

    How right the network is for how sure it is (Guo et al. 2017), over the labelled pictures of an index.

    The temperature is what the scores are divided by for the least loss; its effect is measured on pictures that it was
    not found on. Raises BadValue where no picture has a label of the model's, NotSupported for outputs that are no
    probabilities of classes of which one is right.

    Parameters:
        index: from build_index or open_index
        where: COLUMN=VALUE: only these pictures; of label, prediction, right or their table, or their
            numbers, as pictures=3,17,40-60
        bins: of equal width, from 0 to 1; 2 to 100; by default 15
        seed: of the intervals and of the halves; 0 to 2,147,483,647; by default 0
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        part: what is drawn; reliability, pictures; by default reliability
    """

def label_errors(
    index: Index,
    *,
    count: int = 24,
    where: str = "",
) -> LabelErrors:
    """Labels that are likely wrong, by confident learning.

    Confident learning (Northcutt et al. 2021) by the probabilities that an index holds: a label is suspected where
    another class has at least the probability that it has on average over the pictures labelled so.

    The probability of the label is always known; of classes beyond the five likeliest no more than what is left, which
    nearly always decides. Raises BadValue where no picture has a label of the model's, NotSupported for outputs that
    are no probabilities of classes of which one is right.

    Parameters:
        index: from build_index or open_index
        count: of the suspects as pictures, at most; 0 to 120; by default 24
        where: COLUMN=VALUE: only these pictures; of label, prediction, right or their table, or their
            numbers, as pictures=3,17,40-60

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        part: what is drawn; pictures, pairs; by default pictures
    """

def duplicates(
    index: Index,
    train: Index | None = None,
    *,
    near: float = 2.0,
    correlation: float = 0.99,
    space: Literal["features", "pixels", "both"] = "features",
    k: int = 5,
    count: int = 16,
    progress: Progress | None = None,
) -> Duplicates:
    """Pictures that are there more than once, or in two sets, as a train-test leak.

    Pictures of the index that are there more than once; with train, an index of the same model over other pictures,
    those that are in both.

    Pairs are sought in features, so they may be resized, compressed or brightened; the thumbnails of each pair decide.
    Sought in pixels too, copies are found that the network takes for other pictures.

    Raises BadValue for an index of another model.

    Parameters:
        index: from build_index or open_index
        train: from build_index or open_index
        near: how far, as a multiple of the median distance of nearest neighbours; 0 to 100; by default
            2.0
        correlation: of the thumbnails, at least; 0 to 1; by default 0.99
        space: where near pictures are sought; pixels reads all; features, pixels, both; by default
            "features"
        k: nearest pictures of each that are looked at; 1 to 50; by default 5
        count: pairs as pictures, at most; 0 to 60; by default 16
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        pairs_a_row: of the pairs of pictures; 1 to 12; by default 4
    """

def outliers(
    index: Index,
    train: Index | None = None,
    *,
    k: int = 50,
    usual: float = 0.99,
    count: int = 24,
    progress: Progress | None = None,
) -> Outliers:
    """Pictures unlike all others to a network.

    How far each picture is from its k-th nearest one in features of length one (Sun et al. 2022): among the others
    of the index, or among those of train, an index of the same model, whose pictures are the measure then.

    More than k pictures that are alike are no outliers to each other: give train, or a larger k, where there may be.
    Raises BadValue for an index of another model, and where there is nothing to compare with.

    Parameters:
        index: from build_index or open_index
        train: from build_index or open_index
        k: which nearest neighbour; 1 to 200; by default 50
        usual: share of the pictures that are none; 0.5 to 0.9999; by default 0.99
        count: of the outliers as pictures, at most; 0 to 120; by default 24
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        columns: pictures in a row; 1 to 24; by default 8
    """

def slices(
    index: Index,
    *,
    count: int = 8,
    seed: int = 0,
    where: str = "",
    progress: Progress | None = None,
) -> Slices:
    """Where mistakes cluster: what the pictures share, and the error against the rest.

    Clusters of the mistakes of one half of the labelled pictures of an index, in features and probabilities, judged
    on the other half: which share what, and which channels are excited most by their pictures.

    Raises BadValue where no picture has a label of the model's, NotSupported for outputs that are no probabilities of
    classes of which one is right.

    Parameters:
        index: from build_index or open_index
        count: slices, at most; 1 to 30; by default 8
        seed: of the halves and the clusters; 0 to 2,147,483,647; by default 0
        where: COLUMN=VALUE: only these pictures; of label, prediction, right or their table, or their
            numbers, as pictures=3,17,40-60
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        part: what is drawn; errors, pictures; by default errors
    """

def concepts(
    index: Index,
    layer: str | Module | None = None,
    target: int | str | None = None,
    image: int | Image | Bands | NDArray[Any] | Tensor | bytes | str | Path | None = None,
    where: str = "",
    *,
    count: int = 8,
    pictures: int = 48,
    window: float = 0.5,
    masks: Literal[16, 32, 64, 128, 256] = 32,
    seed: int = 0,
    progress: Progress = ...,
) -> Concepts:
    """What the pictures of a class share at a layer, and what each of it is worth to the score.

    What pictures share at a layer, by non-negative factorisation of its activations on their crops (CRAFT: Fel et
    al. 2023), each concept with its importance to the score of the predicted class.

    target: only pictures that are predicted as this class; without it each picture's score is that of its own class.
    layer: by default the last with maps and nothing below zero. image: a picture whose concepts are told too. Raises
    NotSupported for a layer with values below zero, BadValue for fewer than four pictures, Unknown for a class.

    Parameters:
        index: from build_index or open_index
        layer: with maps and nothing below zero; by default the last such
        target: only pictures predicted as this class, by number or name; by default all
        image: a number of the index, or a path, a PIL image, an array (H, W) or (H, W, bands), a tensor
            (C, H, W), bytes, or of load_images
        where: COLUMN=VALUE: only these pictures; of label, prediction, right or their table, or their
            numbers, as pictures=3,17,40-60
        count: concepts; 1 to 30; by default 8
        pictures: looked at, at most; evenly spread over those meant; 4 to 400; by default 48
        window: of crops: their sides, as a share of the picture's; 0.1 to 1; by default 0.5
        masks: designs of a picture for the Sobol indices; 16, 32, 64, 128, 256; by default 32
        seed: of chance; 0 to 2,147,483,647; by default 0
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        shown: crops of each concept; 1 to 12; by default 5
        opacity: of what covers the places where the concept is not; 0 to 1; by default 0.75
        factor: whole-number enlargement of the pixels; 1 to 16; by default 1
    """

def influence(
    index: Index,
    image: int | Image | Bands | NDArray[Any] | Tensor | bytes | str | Path,
    target: int | str | None = None,
    snapshots: Sequence[Index] | None = None,
    *,
    method: Literal["tracin", "influence_function"] = "tracin",
    damping: float = 0.001,
    count: int = 8,
    progress: Progress | None = None,
) -> Influence:
    """The training pictures behind a prediction, for and against it.

    Which pictures of an index, that of the training pictures, speak for a class of a picture and which against it,
    were the last layer trained on them: TracIn (Pruthi et al. 2020) or influence functions (Koh and Liang 2017).

    target: by default the picture's label where the index has it, else what the network says. A picture of the index is
    left out itself. With snapshots, TracIn is the sum over these and the index's own network, each weighing alike.

    Raises BadValue for snapshots over other pictures, NotSupported for a network whose scores are not a layer's of the
    features that are kept.

    Parameters:
        index: from build_index or open_index
        image: a number of the index, or a path, a PIL image, an array (H, W) or (H, W, bands), a tensor
            (C, H, W), bytes, or of load_images
        target: a class by number or name, or a unit's channel; by default the likeliest
        snapshots: indexes of the same pictures by snapshots of the training, such as RUN@2, over which
            tracin is summed
        method: tracin, influence_function; by default "tracin"
        damping: of influence_function: the L2 penalty of the training; 1e-08 to 10; by default 0.001
        count: proponents, and opponents; 1 to 40; by default 8
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        columns: pictures in a row; 1 to 20; by default 8
    """

def fixes(
    index: Index,
    train: Index | None = None,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Fixes:
    """One ranked list of what to fix in pictures, labels and network, with reasons.

    What `label_errors`, `duplicates`, `slices` and `calibration` find with their defaults, as one list; with train,
    an index of the same model over the pictures it was trained on, leaks too.

    Raises BadValue where no picture has a label of the model's, NotSupported for outputs that are no probabilities of
    classes of which one is right.

    Parameters:
        index: from build_index or open_index
        train: from build_index or open_index
        seed: of halves, clusters and intervals; 0 to 2,147,483,647; by default 0
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        part: what is drawn; list, pictures; by default list
    """

def anatomy(
    model: Model,
) -> Anatomy:
    """Layers with shape, parameters, MACs, memory, receptive field.

    Shapes, parameters, MACs, memory, traffic, receptive field and stride of every layer call, and their sums.

    `parameters` counts the whole network, also heads that a pass in eval mode does not reach.

    Parameters:
        model: from load_model or wrap

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        part: layers, shares, field; by default layers
    """

def compare(
    model: Model,
    second: Model,
) -> Comparison:
    """Two networks side by side.

    The same counts as `anatomy`, for both.

    Parameters:
        model: from load_model or wrap
        second: from load_model or wrap

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
    """

def flips(
    index: Index,
    second: Index,
    *,
    count: int = 18,
) -> Flips:
    """Pictures on which two networks differ in being right, and classes that gained and lost.

    From two indexes over the same pictures, as of two networks or two states of one: the first is before, the second
    now. Nothing runs through a network.

    Intervals by drawing pictures anew; p is McNemar's, exact: the chance of flips at least as one-sided if both ways
    were alike. Raises BadValue for other pictures, or none that both can be judged on.

    Parameters:
        index: from build_index or open_index
        second: from build_index or open_index
        count: pictures shown of each kind, at most; 0 to 120; by default 18

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        part: classes, pictures; by default classes
    """

def cka(
    model: Model,
    second: Model,
    images: ImageSet | str | Path | Sequence[Any] | Dataset[Any],
    *,
    layer: str | Module | None = None,
    second_layer: str | Module | None = None,
    count: int = 256,
    batch: int = 64,
    seed: int = 0,
    progress: Progress = ...,
) -> Cka:
    """How alike the layers of two networks are, and which of their channels match.

    Linear CKA between all layers, in the unbiased minibatch form of Nguyen et al. 2021, and the channels of two
    layers matched one to one by their correlation.

    These are by default the last layer of the first network that has maps, or its last, and the one most like it.
    Raises BadValue for fewer than 4 pictures, NotSupported for a network that mixes the pictures of a batch.

    Parameters:
        model: from load_model or wrap
        second: from load_model or wrap
        images: from load_images, or what that takes: a name of list_images, a folder, pictures
        layer: a name that `anatomy` lists
        second_layer: of the second model
        count: pictures, drawn by the seed, at most; 4 to 10,000; by default 256
        batch: pictures that are compared with each other at a time; 4 to 1,024; by default 64
        seed: by which the pictures are drawn; 0 to 2,147,483,647; by default 0
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        part: layers, channels; by default layers
    """

def batch_costs(
    model: Model,
    sizes: Sequence[int] = ...,
    *,
    training: bool = False,
    measured: Any = None,
    progress: Progress | None = None,
) -> BatchCosts:
    """Memory and seconds of batches.

    Batches of empty pictures, one size after the other, on the model's device.

    Memory is the peak that torch allocates on CUDA, everything there included; elsewhere it is estimated: weights and
    the largest layer's input and output, or in training weights, gradients and all activations. What was measured
    before is taken as it was. Raises BadValue where not one batch fits.

    Parameters:
        model: from load_model or wrap
        sizes: pictures a batch; by default (1, 2, 4, 8, 16)
        training: with gradients of all weights, as in training; by default False
        measured: what was measured or answered before, as the facts of a figure have it
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
    """

def output_size(
    *,
    size: int = 7,
    window: int = 3,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    in_channels: int = 3,
    out_channels: int = 64,
    groups: int = 1,
    bias: bool = True,
) -> OutputSize:
    """How large a convolution's output is, and what it costs.

    One convolution, by formulas alone; for a pooling only the sizes count.

    Raises BadValue where not one window fits, or the channels do not divide into the groups.

    Parameters:
        size: side of the square input; 1 to 100,000; by default 7
        window: side of the filter or pooling window; 1 to 10,000; by default 3
        stride: 1 to 10,000; by default 1
        padding: zeros on each side; 0 to 10,000; by default 0
        dilation: step between the filter's weights; 1 to 10,000; by default 1
        in_channels: 1 to 100,000; by default 3
        out_channels: filters; 1 to 100,000; by default 64
        groups: 1 to 100,000; by default 1
        bias: by default True

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
    """

def lecture_tables(
    table: Literal["six", "memory", "summary", "vgg", "alexnet", "norms", "blocks", "sizes", "errors", "complexity", "corrections"] = "six",
    *,
    progress: Progress = ...,
) -> LectureTables:
    """The lectures' tables beside ours, and why they differ.

    One of TABLES. Networks are built and run without memory for their values; each is counted once.

    Parameters:
        table: six, memory, summary, vgg, alexnet, norms, blocks, sizes, errors, complexity,
            corrections; by default "six"
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
    """

def optimiser_paths(
    surface: Literal["bowl", "saddle", "monkey saddle", "two wells"] = "two wells",
    optimisers: Sequence[Literal["gd", "mini_batch", "sgd", "momentum", "adagrad", "rmsprop", "adam"]] = ...,
    *,
    rates: Sequence[float] = ...,
    steps: int = 200,
    x: float | None = None,
    y: float | None = None,
    condition: float = 20.0,
    momentum: float = 0.9,
    noise: float = 1.0,
    seed: int = 0,
) -> OptimiserPaths:
    """Where optimisers go on a surface, by torch's own steps.

    Steps of torch's optimisers on a function of two numbers, in float64, from one start.

    A path ends early where it leads away without end. Raises BadValue where rates are neither one nor one each.

    Parameters:
        surface: bowl: a quadratic; two wells: a shallow one before a deep one; bowl, saddle, monkey
            saddle, two wells; by default "two wells"
        optimisers: whose paths; by default ('gd', 'momentum', 'adagrad', 'rmsprop', 'adam')
        rates: one for all or one each; none: one that suits each
        steps: 1 to 2,000; by default 200
        x: of the start; none: where the surface is known for something; -3 to 3
        y: of the start; -3 to 3
        condition: of the bowl: largest curvature through smallest; 1 to 1,000; by default 20.0
        momentum: share of the last step that momentum takes again; 0 to 0.999; by default 0.9
        noise: deviation of one picture's gradient; 16 have a quarter; 0 to 10; by default 1.0
        seed: of the noise; 0 to 2,147,483,647; by default 0

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        levels: lines of equal height; 3 to 60; by default 18
        until: steps drawn; 0: all; 0 to 2,000; by default 0
    """

def loss_surface(
    model: Model,
    images: ImageSet | str | Path | Sequence[Any] | Dataset[Any],
    second: Model | None = None,
    snapshots: Sequence[Model] = ...,
    *,
    steps: int = 5,
    reach: float = 1.0,
    count: int = 100,
    seed: int = 0,
    progress: Progress = ...,
) -> LossSurface:
    """The loss around a network's weights, beside another's.

    Mean cross entropy over a sample, with the weights moved along two random directions in which each filter has the
    length of the network's own (Li et al. 2018); the weights themselves are never written. With snapshots the plane is
    that of their path, the two principal components of how far they are away, and a `reach` of 1 holds all of it.

    Raises BadValue for snapshots of another shape or beside a second network, and where no picture has a label that is
    a class of the network; NotSupported for networks whose scores have no probabilities.

    Parameters:
        model: from load_model or wrap
        images: from load_images, or what that takes: a name of list_images, a folder, pictures
        second: from load_model or wrap
        snapshots: earlier states of the network, as NAME@EPOCH
        steps: from the middle to each side; 1 to 25; by default 5
        reach: to the side, as a share of each filter's length; 0.001 to 5; by default 1.0
        count: labelled pictures, drawn by the seed, at most; 1 to 2,000; by default 100
        seed: of the pictures and the directions; 0 to 2,147,483,647; by default 0
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        levels: lines of equal loss; 3 to 60; by default 20
    """

def ensemble(
    models: Sequence[Model],
    images: ImageSet | str | Path | Sequence[Any] | Dataset[Any],
    *,
    margin: int = 4,
    count: int = 200,
    seed: int = 0,
    progress: Progress = ...,
) -> Ensemble:
    """What averaging is worth: several networks, and ten crops of each picture.

    Accuracy of networks one by one and of the mean of their probabilities; the same with ten crops of each picture.

    Raises BadValue where their classes differ or no picture has a label among them, NotSupported for networks without
    probabilities.

    Parameters:
        models: from load_model or wrap
        images: from load_images, or what that takes: a name of list_images, a folder, pictures
        margin: pixels that a picture is enlarged by for ten crops; 0: no crops; 0 to 256; by default 4
        count: labelled pictures, drawn by the seed, at most; 1 to 10,000; by default 200
        seed: of the pictures; 0 to 2,147,483,647; by default 0
        progress: called with (done, total, message) as the work goes on; what it raises stops the work

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
    """

def response_normalisation(
    size: int = 5,
    *,
    way: Literal["across", "within"] = "across",
    alpha: float = 0.0001,
    beta: float = 0.75,
    k: float = 2.0,
    seed: int = 0,
) -> ResponseNormalisation:
    """Response normalisation on numbers: input, neighbourhood, output.

    a / (k + alpha · sum of squares)^beta (Krizhevsky et al. 2012), by torch's module and by the formula.

    Across channels of 10 at one place, within a channel of 7 x 7. Raises BadValue for an even size within a channel,
    whose square has no middle.

    Parameters:
        size: n, how many are summed; within a channel the side of a square; 1 to 9; by default 5
        way: neighbours in other channels, or around it in its own; across, within; by default "across"
        alpha: of the formula; 0 to 1; by default 0.0001
        beta: 0 to 5; by default 0.75
        k: 0.001 to 100; by default 2.0
        seed: of the numbers; 0 to 2,147,483,647; by default 0

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
    """

def hand_set_filter(
    line: Literal["falling", "rising", "across", "upright"] = "falling",
    filter: Literal["falling", "rising", "across", "upright"] = "falling",
    *,
    side: int = 9,
) -> HandSetFilter:
    """What a filter set by hand answers to a drawn line.

    A 3 x 3 filter, 2 along its line and -1 elsewhere, over a picture with one line; by torch's convolution.

    Parameters:
        line: what is drawn; falling: down and to the right; falling, rising, across, upright; by
            default "falling"
        filter: which line the filter is for; falling, rising, across, upright; by default "falling"
        side: of the picture; 5 to 15; by default 9

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
    """

def training_curves(
    runs: Sequence[Run | Model | str | Path],
) -> TrainingCurves:
    """How trainings went.

    Trainings, as one has them by `open_run`, by their folders, or as models that keep their history.

    Raises BadValue for more than can be told apart, BadFile for what is no training.

    Parameters:
        runs: from open_run, its folder, or a model with a history

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        part: what is drawn; curves, gradients, weights, updates, dead, differences; by default curves
    """

def augmentations(
    images: ImageSet | list[Image | Bands] | str | Path | Sequence[Any] | Dataset[Any],
    plan: Sequence[Augmentation | tuple[Augmentation, Mapping[str, Any]]],
    *,
    labels: Sequence[str] | None = None,
    count: int = 8,
    draws: int = 6,
    seed: int = 0,
    size: int = 0,
) -> Augmentations:
    """What training sees of pictures.

    The first pictures of a set, or of a list, with draws of a plan of augmentations.

    Raises Unknown, BadValue, BadFile, and NotSupported where an augmentation is not for grey pictures.

    Parameters:
        images: from load_images, or what that takes: a name of list_images, a folder, pictures
        plan: augmentations in their order, each NAME or (NAME, {OPTION: VALUE})
        labels: a class for each picture; by default those of the set
        count: pictures, at most, the first of those given; 1 to 32; by default 8
        draws: draws of each picture; 1 to 24; by default 6
        seed: of chance; 0 to 9,007,199,254,740,991; by default 0
        size: side of the square they are cut to; 0 is their own or 128; 0 to 512; by default 0

    Options of `.figure(...)` and `.save(path, ...)`, beside those of `explain.paper.Paper`:
        mixtures: the label's weights, where labels mix; by default True
    """
