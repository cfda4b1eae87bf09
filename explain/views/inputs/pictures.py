"""Pictures as inputs: one, one of an index, a set, several; facts hold digests of pixels, never where a file lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import BadFile, BadValue, shorten
from ..facts import Facts
from .kind import Given, Input, Opener, joined, literal, split
from .network import model_in

if TYPE_CHECKING:
    from ...network.model import Model


class PictureInput(Input):
    metavar, own, url, opened, positional = "IMAGE", "image", "picture", True, True
    follows: tuple[str, ...] = ("model",)
    help = "a file, or SET/NUMBER such as photos/0"
    in_python = "a path, a PIL image, an array (H, W) or (H, W, bands), a tensor (C, H, W), bytes, or of load_images"

    def parse(self, text: str, given: Given, open: Opener) -> Any:
        return open.picture(text)

    def type_of(self, declared: Any) -> Any:
        from numpy.typing import NDArray
        from torch import Tensor

        from ...images import Picture

        return Picture | NDArray[Any] | Tensor | bytes | str | Path if declared is Any else declared

    def facts(self, value: Any, given: Given) -> dict[str, Any]:
        from ..parts.picture import prepare

        known = value if hasattr(value, "facts") else prepare(model_in(given), value)
        return dict(known.facts)

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> Any:
        """Raises BadFile where it is not kept, BadValue where it was another."""
        return self.picture_of(facts if name == self.own else facts.part(name), model_in(given), open)

    def present(self, facts: Facts, name: str) -> bool:
        return facts.has(name) if name != self.own else facts.has("pixels") or facts.has("number")

    def picture_of(self, facts: Facts, model: Model | None, open: Opener) -> Any:
        name, digest = facts.text("image") if facts.has("image") else "", facts.text("pixels")
        for one in open.given_images:
            if hasattr(one, "files"):  # a set
                continue
            found = _covered(facts, one)
            if pixels_of(model, found) == digest:
                return _named(found, name)
        if not open.knows_picture(name):
            for one in open.pictures_beside(name):
                found = _covered(facts, one)
                if pixels_of(model, found) == digest:
                    return _named(found, name)
            what = f"the picture {shorten(name)}" if name else "a picture without a name"
            if open.given_images:
                raise BadValue(f"The figure was made of {what}, with other pixels than those of the picture given.")
            raise BadFile(
                f"The figure was made of {what}, which is not kept here; give its file (image=, --image FILE)."
            )
        found = _covered(facts, open.picture(name))
        if pixels_of(model, found) != digest:
            raise BadValue(f"The figure was made with another picture than {shorten(name)} is now.")
        return found

    def text(self, value: Any, given: Given) -> str:
        return _name_of(value)

    def python(self, value: Any, given: Given) -> str:
        opened = f"explain.open_picture({literal(_name_of(value))})"
        covered = getattr(value, "info", {}).get("covered")
        return f"explain.cover({opened}, {covered['boxes']!r}, {literal(covered['fill'])})" if covered else opened


class QueryInput(PictureInput):
    """A picture of the index, by its number there, or any other; one that is in the index is its number."""

    url, follows = "query", ("model", "index", "picture")
    help = "a number of the index, a file, or SET/NUMBER such as photos/0"
    in_python = f"a number of the index, or {PictureInput.in_python}"

    def parse(self, text: str, given: Given, open: Opener) -> Any:
        return self.check(text if text.isdecimal() else open.picture(text), given)

    def type_of(self, declared: Any) -> Any:
        return int | super().type_of(declared) if declared is Any else declared

    def check(self, value: Any, given: Given) -> Any:
        from ...index.references import index_of

        if "covered" in getattr(value, "info", {}):
            return value
        number = index_of(given["index"], value)
        return value if number is None else number

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> Any:
        if not facts.has("number"):
            return super().read(facts, name, given, open)
        index, number = given["index"], facts.number("number")
        known = 0 <= number < len(index)
        if known and facts.has("pixels") and pixels_of(index.model, index.images[number]) != facts.text("pixels"):
            raise BadValue(f"The figure was made with another picture than number {number} of the index is now.")
        return self.check(number, given)

    def text(self, value: Any, given: Given) -> str:
        from ...index.references import reference

        if isinstance(value, int):
            return reference(given["index"], value) or str(value)
        return _name_of(value)

    def python(self, value: Any, given: Given) -> str:
        return str(value) if isinstance(value, int) else super().python(value, given)


class ImagesInput(Input):
    """A set of pictures, whose facts are its name and digest."""

    metavar, own, opened, positional = "DATA", "images", True, True
    help = "a name from `data`, a folder, or a picture"
    in_python = "from load_images, or what that takes: a name of list_images, a folder, pictures"

    def parse(self, text: str, given: Given, open: Opener) -> Any:
        return open.images(text)

    def type_of(self, declared: Any) -> Any:
        from torch.utils.data import Dataset

        return declared | str | Path | Sequence[Any] | Dataset[Any]

    def check(self, value: Any, given: Given) -> Any:
        from ...data import ImageSet, load_images

        return value if isinstance(value, ImageSet) else load_images(value)

    def facts(self, value: Any, given: Given) -> dict[str, Any]:
        return {"data": value.name, "data_digest": value.digest}

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> Any:
        """Raises BadFile where it is no set known by name, BadValue where its pictures are others now."""
        facts = facts if name == self.own else facts.part(name)
        wanted, digest = facts.text("data"), facts.text("data_digest")
        for one in open.given_images:
            if getattr(one, "digest", "") == digest:
                return one
        found = open.images(wanted) if open.knows_images(wanted) else open.images_beside(wanted)
        if found is None:
            raise BadFile(
                f"The figure was made of the pictures {shorten(wanted)}, which are not kept here; give them as "
                "image, or by --image FOLDER."
            )
        if found.digest != digest:
            raise BadValue(f"The figure was made with other pictures than {shorten(wanted)} has now.")
        return found

    def text(self, value: Any, given: Given) -> str:
        return str(value.root or value.name)

    def python(self, value: Any, given: Given) -> str:
        return f"explain.load_images({literal(self.text(value, given))})"


class PicturesInput(ImagesInput):
    """A set of pictures, or several pictures, as a list; without a network."""

    own, help = "", "a name from `data`, a folder, or pictures with commas between"

    def parse(self, text: str, given: Given, open: Opener) -> Any:
        names = split(text)
        if len(names) == 1 and not open.knows_picture(names[0]):
            return self.check(open.images(names[0]), given)
        return self.check([open.picture(name) for name in names], given)

    def check(self, value: Any, given: Given) -> Any:
        found = [_opened(one) for one in value] if isinstance(value, list | tuple) else super().check(value, given)
        if not len(found):
            raise BadValue("There are no pictures; give at least one.")
        return found

    def facts(self, value: Any, given: Given) -> Any:
        if not isinstance(value, list):
            return super().facts(value, given)
        return [{"image": shown(_name_of(one)), "pixels": pixels_of(None, one)} for one in value]

    def read(self, facts: Facts, name: str, given: Given, open: Opener) -> Any:
        """Raises BadFile where they are not kept, BadValue where they are others now."""
        if isinstance(facts.all.get(name), Mapping):
            return super().read(facts, name, given, open)
        return [PictureInput().picture_of(Facts(one), None, open) for one in facts.several(name, 1000)]

    def text(self, value: Any, given: Given) -> str:
        return joined(map(_name_of, value)) if isinstance(value, list) else super().text(value, given)

    def python(self, value: Any, given: Given) -> str:
        if not isinstance(value, list):
            return super().python(value, given)
        return f"[{', '.join(PictureInput().python(one, given) for one in value)}]"


def shown(name: str) -> str:
    """A picture's name as facts have it: a reference, or a file's name, as where that lies is nobody's business."""
    from ...data import list_images, printable

    return printable(name if name.partition("/")[0] in ("upload", *list_images()) else Path(name).name)


def pixels_of(model: Model | None, image: Any) -> str:
    """The digest of the pixels that the net sees of a picture; without one, of all."""
    from ...images import content
    from ...store import sha256

    if model is None:
        return sha256(content(image))
    return sha256(model.preprocess.crop(image).tobytes())


def _covered(facts: Facts, image: Any) -> Any:
    """The picture with the parts covered that were covered in the figure."""
    if not facts.has("covered"):
        return image
    from ...images import cover

    covered = facts.part("covered")
    boxes = [Facts({"box": box}).numbers("box") for box in covered.several("boxes")]
    return cover(image, boxes, covered.plain("fill"))


def _named(image: Any, name: str) -> Any:
    """The picture under the name it had, so that the figure says the same."""
    from ...images import copied

    if hasattr(image, "info"):
        image = copied(image)
        image.info["name"] = name
    return image


def _name_of(image: Any) -> str:
    if isinstance(image, str | Path):
        return str(image)
    return str(getattr(image, "facts", {}).get("image") or getattr(image, "info", {}).get("name", ""))


def _opened(image: Any) -> Any:
    """Any picture upright, by the name that it has."""
    from ...images import as_image

    found = as_image(image)
    if isinstance(image, str | Path):
        found.info["name"] = str(image)
    return found
