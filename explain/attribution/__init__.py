"""What a prediction rests on: each method of METHODS gives one map a picture.

A method is called with the net in eval mode, a layer's name, a batch (N, C, H, W), target classes (N,) and
`input_range`, what black and white are in the net's input, each (1, C, 1, 1). It returns raw values (N, h, w), at the
input's size or at the layer's. Scaling and enlarging happen later, once. A parameter it has no use for begins with an
underscore.
Chance comes from a generator of the seed that begins anew with each picture, so that a map depends on nothing else.
No method calls `.backward()`: weights are shared between sessions.

Methods are our own where captum 0.9 answers wrongly or refuses for a net that reuses a module, calls rectifiers as
functions or works in place, draws from the generator of all sessions, or asks for one input at a time; where it is
right, the tests compare.
"""

# ruff: noqa: F401, I001
# Each family registers its methods; this is the order in which they are shown.
from . import gradients, deep_lift, lrp, rectifiers, cams, masks, superpixels
from .channel import of_channel
from .registry import COMPLETENESS, METHODS

__all__ = ["COMPLETENESS", "METHODS", "of_channel"]
