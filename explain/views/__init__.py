"""One file a view: compute(...) -> result, without drawing; render(result, ...) -> Figure, without the model.

VIEWS is what there is. A view's module is loaded when it is asked for: this table costs nothing.
"""

from .view import Parameter, View

__all__ = ["VIEWS", "Parameter", "View"]

VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        View("filters", "the filters of a layer as pictures", "filters"),
        View("activations", "what the channels of a layer do with a picture", "activations"),
        View("unit", "what excites one unit, projected to the pixels", "activations"),
        View(
            "saliency",
            "what a prediction rests on",
            "saliency",
            {"asked": "", "saliency_grid.second": "", "saliency_grid.second_model": ""},
        ),
        View(
            "saliency_grid",
            "saliency maps side by side: methods by classes, pictures or models",
            "saliency",
            {"asked": ""},
            shares="saliency",
        ),
        View(
            "faithfulness",
            "how far one saliency map can be trusted",
            "saliency",
            {"asked": "", "check": "true", "saliency_grid.second": "", "saliency_grid.second_model": ""},
            shares="saliency",
        ),
        View("gallery", "the maps of one method for many pictures: of a set, or its surest mistakes", "gallery"),
        View("leaderboard", "which saliency methods can be trusted on a network, as a ranking"),
        View("patches", "the patches of many pictures that channels respond to most", "patches"),
        View("channel", "all that an index knows of a channel, and the prediction without it", "patches"),
        View("channel_health", "channels of a layer that are dead, or equal to others", "patches"),
        View("hierarchy", "a picture through early, middle and late layers", "patches", {"hierarchy": "true"}),
        View("neighbours", "the pictures of an index nearest to one, in features and in pixels", "neighbours"),
        View(
            "agreement",
            "whether neighbours share labels, in features and in pixels",
            "neighbours",
            {"measure": "true"},
            shares="neighbours",
        ),
        View("study", "whether maps let people foresee a network's mistakes: what is asked, and what came out"),
        View("embedding", "the pictures of an index as points of a map", "embedding"),
        View(
            "confusion",
            "which classes are taken for which, and the worst mistakes",
            "train",
            {"trainings": "runs", "training_curves.runs": ""},
        ),
        View(
            "anatomy", "layers with shape, parameters, MACs, memory, receptive field", "anatomy", {"section": "anatomy"}
        ),
        View("compare", "two networks side by side", "anatomy", {"section": "networks"}),
        View("batch_costs", "memory and seconds of batches", "anatomy", {"section": "batches"}),
        View(
            "output_size",
            "how large a convolution's output is, and what it costs",
            "anatomy",
            {"section": "calculator"},
        ),
        View(
            "lecture_tables",
            "the lectures' tables beside ours, and why they differ",
            "anatomy",
            {"section": "lectures"},
        ),
        View("training_curves", "how trainings went", "train", {"trainings": "runs"}),
        View("augmentations", "what training sees of pictures", "train", {"trainings": "augmentations"}),
    )
}
