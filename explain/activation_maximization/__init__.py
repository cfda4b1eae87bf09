"""Pictures made by an optimiser, for what they excite: feature visualization, and how far it is to be believed."""

from .ascent import ascend
from .parametrization import PARAMETRIZATIONS
from .spectrum import Spectrum, spectrum_of, usual_spectrum

__all__ = ["PARAMETRIZATIONS", "Spectrum", "ascend", "spectrum_of", "usual_spectrum"]
