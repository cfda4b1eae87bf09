"""What a convolution or pooling costs and how large its output is, by the formulas alone, without a network."""

from __future__ import annotations

from fractions import Fraction

from ..errors import BadValue

__all__ = ["conv_macs", "conv_parameters", "fits", "output_size", "receptive_field", "same_padding"]


def output_size(size: int, window: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Fraction:
    """The side of the output, exactly: a fraction where the windows do not fit, which torch rounds down in silence.

    Raises BadValue for sides, windows or steps that cannot be, and where not even one window fits.
    """
    for name, value, least in (
        ("size", size, 1),
        ("window", window, 1),
        ("stride", stride, 1),
        ("padding", padding, 0),
        ("dilation", dilation, 1),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 1_000_000:
            raise BadValue(f"{name}={value!r} is not a whole number from {least} to 1,000,000.")
    whole = dilation * (window - 1) + 1
    if size + 2 * padding < whole:
        raise BadValue(f"A window of {whole} does not fit once into {size} with {padding} zeros on each side.")
    return Fraction(size + 2 * padding - whole, stride) + 1


def fits(size: int, window: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> bool:
    """Whether the windows end exactly where the padded input does."""
    return output_size(size, window, stride, padding, dilation).denominator == 1


def same_padding(window: int, dilation: int = 1) -> int:
    """The zeros on each side with which a stride of 1 keeps the size. Raises BadValue where there is no such number."""
    if dilation * (window - 1) % 2:
        raise BadValue(f"window={window} is even: no number of zeros on both sides keeps the size.")
    return dilation * (window - 1) // 2


def conv_parameters(window: int, in_channels: int, out_channels: int, bias: bool = True, groups: int = 1) -> int:
    """Weights and biases of a convolution."""
    return (window**2 * in_channels // groups + bias) * out_channels


def conv_macs(window: int, in_channels: int, out_channels: int, output: int, groups: int = 1) -> int:
    """Multiply-accumulates of a convolution with an output of output x output."""
    return window**2 * in_channels // groups * out_channels * output**2


def receptive_field(*layers: tuple[int, int]) -> int:
    """The side of what a unit sees through a chain of (window, stride), the first layer first."""
    field, step = 1, 1
    for window, stride in layers:
        field += (window - 1) * step
        step *= stride
    return field
