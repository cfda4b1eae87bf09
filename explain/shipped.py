"""What comes with the package: beside it in a clone, inside it where it was installed from a wheel."""

from pathlib import Path

__all__ = ["shipped", "shipped_models"]

_HERE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """Where "app.py", "models", "data" or "licences" lie; read, never written."""
    inside = _HERE / "_shipped"
    return (inside if inside.is_dir() else _HERE.parent) / name


def shipped_models() -> list[str]:
    """Names of the networks that come with the package, or with an extra of it."""
    return [*sorted(path.parent.name for path in shipped("models").glob("*/model.json")), "efficientnet-lite0"]
