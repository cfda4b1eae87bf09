"""What the pictures of a class share, as directions of a layer: found by non-negative factorisation of what the layer
makes of crops (CRAFT, Fel et al. 2023), with what each is worth to the score and how far each is to be believed."""

from .crops import Pictures, layer_for, pictures_of, windows
from .factorise import Factorisation, coefficients, factorise
from .find import Found, Own, find, own
from .strongest import Crop, strongest

__all__ = [
    "Crop",
    "Factorisation",
    "Found",
    "Own",
    "Pictures",
    "coefficients",
    "factorise",
    "find",
    "layer_for",
    "own",
    "pictures_of",
    "strongest",
    "windows",
]
