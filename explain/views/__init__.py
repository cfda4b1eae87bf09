"""One file a view: compute(...) -> result, pure and without drawing; render(result, ...) -> Figure, without the model."""
