"""Receptive fields: the box of the input that a unit depends on, read off one real forward pass.

    with torch.no_grad(), Tracer(batch) as tracer:
        net(batch)                      # a forward hook may ask tracer.field(output) on the way
    tracer.field(tensor).box(i, j)

Beside every tensor that depends on the input travel eight small maps: how far up, down, left and right each of its
elements sees (`units`). A rule for each operation widens them (`rules`): a convolution takes the union over its taps
and drops those in the padding, a view or permute is applied to the maps themselves, a mean over positions joins all of
them. What has no rule sees everything its arguments saw and is called an upper bound, so a box can be too large but
never too small. `tracer` watches the pass, `field` is what it answers.
"""

from .field import Axis, Field, Status
from .tracer import Tracer

__all__ = ["Axis", "Field", "Status", "Tracer"]
