"""What views ask for: a kind of input is one codec between what people write and what `compute` takes.

    def compute(index: Annotated[Index, INDEX], layer: Annotated[str, LAYER], *, k: Annotated[int, Range(1, 50)] = 8)

Each knows its text (command line, URL), its facts (read with their digests checked), its Python, and what it depends
on: `given` holds the values of the parameters before it. What has only a Range or Choices is an option.
"""

from ...options import Choices, Option
from .entries import EntryName, EntryOptions
from .index import IndexInput, other_index
from .kind import Input, MeasuredInput, Opener, Plain, Several, literal
from .network import Channel, Layer, ModelInput, PositionInput, RegionInput, TargetInput
from .pictures import ImagesInput, PictureInput, PicturesInput, QueryInput, pixels_of, shown
from .training import PlanInput, RunInput

MODEL, INDEX, PICTURE, QUERY = ModelInput(), IndexInput(), PictureInput(), QueryInput()
LAYER, CHANNEL, POSITION, TARGET = Layer(), Channel(), PositionInput(), TargetInput()
RUN, IMAGES, MEASURED, REGION = RunInput(), ImagesInput(), MeasuredInput(), RegionInput()
PICTURES, PLAN = PicturesInput(), PlanInput()
_WHERE = Choices(
    "",
    help="COLUMN=VALUE: only these pictures",
    more="of label, prediction, right or their table, or their numbers, as pictures=3,17,40-60",
)
WHERE = Plain(Option("where", str, "", _WHERE), url="where", follows=("index",))

__all__ = [
    "CHANNEL",
    "IMAGES",
    "INDEX",
    "LAYER",
    "MEASURED",
    "MODEL",
    "PICTURE",
    "PICTURES",
    "PLAN",
    "POSITION",
    "QUERY",
    "REGION",
    "RUN",
    "TARGET",
    "WHERE",
    "Channel",
    "EntryName",
    "EntryOptions",
    "Input",
    "Layer",
    "ModelInput",
    "Opener",
    "PictureInput",
    "Plain",
    "Several",
    "TargetInput",
    "literal",
    "other_index",
    "pixels_of",
    "shown",
]
