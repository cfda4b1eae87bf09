"""One file a view: compute(...) -> result, without drawing; render(result, ...) -> Figure, without the model.

VIEWS is what there is. A view's module is loaded when it is asked for: this table costs nothing.
"""

from .view import Parameter, View

__all__ = ["VIEWS", "Parameter", "View"]

VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        View("hierarchy", "a picture through early, middle and late layers", "patches", {"hierarchy": "true"}),
    )
}
