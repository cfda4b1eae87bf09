"""One file a view: compute(...) -> result, without drawing; render(result, ...) -> Figure, without the model."""
