"""Registry of architectures: each entry builds a freshly initialised network from its options."""

from ..registry import Registry

__all__ = ["NETS"]

NETS = Registry("architecture")
