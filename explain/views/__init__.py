"""One file a view: compute(...) -> result, without drawing; render(result, ...) -> Figure, without the model.

VIEWS is what there is, by name, made of TABLE when it is first asked for; a view's module is loaded when it is called.
So the table costs nothing, and the command line's help is there at once.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .view import Parameter as Parameter
    from .view import View as View

    VIEWS: dict[str, View]

__all__ = ["TABLE", "VIEWS", "Parameter", "View"]


class Line(NamedTuple):
    """As View has them."""

    name: str
    summary: str
    page: str = ""
    chosen: Mapping[str, str] = {}
    shares: str = ""


TABLE = (
    Line("filters", "the filters of a layer as pictures", "layers", {"section": "filters"}),
    Line("activations", "what the channels of a layer do with a picture", "layers", {"section": "activations"}),
    Line("convolution", "one output of a convolution: its window times its weights, plus the bias", "walkthrough"),
    Line("unit", "what excites one unit, projected to the pixels", "channel"),
    Line(
        "saliency",
        "what a prediction rests on",
        "saliency",
        {"asked": "", "saliency_grid.second": "", "saliency_grid.second_model": ""},
    ),
    Line(
        "saliency_grid",
        "saliency maps side by side: methods by classes, pictures or models",
        "saliency",
        {"asked": ""},
        shares="saliency",
    ),
    Line(
        "faithfulness",
        "how far one saliency map can be trusted",
        "saliency",
        {"asked": "", "saliency.checked": "true", "saliency_grid.second": "", "saliency_grid.second_model": ""},
        shares="saliency",
    ),
    Line(
        "corruptions",
        "one picture under corruptions, and what the network then says of it",
        "robustness",
        {"section": "corruptions"},
    ),
    Line(
        "robustness",
        "how a network holds out against corrupted and shifted pictures",
        "robustness",
        {"section": "robustness"},
    ),
    Line("segmentation", "which class is predicted where, by networks that give maps of classes", "saliency"),
    Line("gallery", "the maps of one method for many pictures: of a set, or its surest mistakes", "gallery"),
    Line("leaderboard", "which saliency methods can be trusted on a network, as a ranking"),
    Line(
        "feature_visualization",
        "pictures made for what excites channels, beside the real ones that do",
        "channel",
        {"drawn": "true"},
    ),
    Line(
        "patches",
        "the patches of many pictures that channels respond to most",
        "layers",
        {"section": "patches"},
    ),
    Line("channel", "all that an index knows of a channel, and the prediction without it", "channel"),
    Line(
        "wiring",
        "which channels feed a channel, or which it feeds, each edge verified by ablation",
        "channel",
        {"wired": "true"},
    ),
    Line(
        "channel_names",
        "which labels and attributes go with which channels, and which with none",
        "channel",
        {"named": "true"},
    ),
    Line(
        "channel_health",
        "channels of a layer that are dead, or equal to others",
        "layers",
        {"section": "patches"},
    ),
    Line("paths", "the strongest paths from pixels to an answer on a picture", "layers", {"section": "paths"}),
    Line(
        "relevant_patches",
        "channels and patches by relevance for a class, beside those by activation",
        "layers",
        {"section": "relevance"},
    ),
    Line("hierarchy", "a picture through early, middle and late layers", "layers", {"section": "hierarchy"}),
    Line(
        "neighbours",
        "the pictures of an index nearest to one, in features and in pixels",
        "pictures",
        {"section": "neighbours"},
    ),
    Line(
        "agreement",
        "whether neighbours share labels, in features and in pixels",
        "pictures",
        {"section": "neighbours", "measure": "true"},
        shares="neighbours",
    ),
    Line("study", "whether maps let people foresee a network's mistakes: what is asked, and what came out"),
    Line("embedding", "the pictures of an index as points of a map", "pictures", {"section": "embedding"}),
    Line(
        "confusion",
        "which classes are taken for which, and the worst mistakes",
        "pictures",
        {"section": "confusion"},
    ),
    Line(
        "calibration",
        "whether a network is right as often as it is sure, and the temperature that mends it",
        "pictures",
        {"section": "calibration"},
    ),
    Line(
        "label_errors", "labels that are likely wrong, by confident learning", "pictures", {"section": "label_errors"}
    ),
    Line(
        "duplicates",
        "pictures that are there more than once, or in two sets, as a train-test leak",
        "pictures",
        {"section": "duplicates"},
    ),
    Line("outliers", "pictures unlike all others to a network", "pictures", {"section": "outliers"}),
    Line(
        "slices",
        "where mistakes cluster: what the pictures share, and the error against the rest",
        "pictures",
        {"section": "slices"},
    ),
    Line(
        "concepts",
        "what the pictures of a class share at a layer, and what each of it is worth to the score",
        "pictures",
        {"section": "concepts", "own_concepts": "true"},
    ),
    Line(
        "influence",
        "the training pictures behind a prediction, for and against it",
        "pictures",
        {"section": "influence"},
    ),
    Line(
        "fixes",
        "one ranked list of what to fix in pictures, labels and network, with reasons",
        "pictures",
        {"section": "fixes"},
    ),
    Line("anatomy", "layers with shape, parameters, MACs, memory, receptive field", "network", {"section": "anatomy"}),
    Line("compare", "two networks side by side", "compare", {"section": "compare"}),
    Line(
        "flips",
        "pictures on which two networks differ in being right, and classes that gained and lost",
        "compare",
        {"section": "flips"},
    ),
    Line(
        "cka",
        "how alike the layers of two networks are, and which of their channels match",
        "compare",
        {"section": "cka"},
    ),
    Line("batch_costs", "memory and seconds of batches", "network", {"section": "batches"}),
    Line(
        "output_size",
        "how large a convolution's output is, and what it costs",
        "learn",
        {"section": "calculator"},
    ),
    Line(
        "lecture_tables",
        "the lectures' tables beside ours, and why they differ",
        "learn",
        {"section": "lectures"},
    ),
    Line(
        "optimiser_paths",
        "where optimisers go on a surface, by torch's own steps",
        "learn",
        {"section": "paths"},
    ),
    Line(
        "loss_surface",
        "the loss around a network's weights, beside another's",
        "learn",
        {"section": "loss"},
    ),
    Line(
        "ensemble",
        "what averaging is worth: several networks, and ten crops of each picture",
        "learn",
        {"section": "averages"},
    ),
    Line(
        "response_normalisation",
        "response normalisation on numbers: input, neighbourhood, output",
        "learn",
        {"section": "normalisation"},
    ),
    Line(
        "hand_set_filter",
        "what a filter set by hand answers to a drawn line",
        "learn",
        {"section": "filter"},
    ),
    Line("training_curves", "how trainings went", "train", {"trainings": "runs"}),
    Line("augmentations", "what training sees of pictures", "train", {"trainings": "augmentations"}),
)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .view import Parameter, View

    globals().update(VIEWS={line.name: View(*line) for line in TABLE}, Parameter=Parameter, View=View)
    return globals()[name]
