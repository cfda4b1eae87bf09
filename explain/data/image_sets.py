"""ImageSet: upright pictures in a fixed order, each read only when asked for, with labels where they are known."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import operator
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple, SupportsIndex, overload

import numpy as np
from numpy.typing import NDArray

from ..errors import BadFile, BadValue, Unknown, shorten
from ..figure import Figure, Grid, Look, Panel, Shown
from ..images import Picture, as_image, contact_sheet, decode, thumbnail
from ..own_code import run
from ..progress import heard
from ..project import project
from ..shipped import shipped
from ..store import sha256
from . import stamps
from .folders import EXTENSIONS, class_name, common_folder, listing, path_below, printable, without_arrays
from .remote import cache_folder, fetched, is_remote

__all__ = [
    "BY_NAME",
    "EXTENSIONS",
    "FASHION_CLASSES",
    "ImageSet",
    "from_arrays",
    "is_here",
    "is_set",
    "known_as",
    "list_images",
    "load_images",
    "named_images",
    "without_arrays",
]

FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

# md5 of what the .gz files hold. Debian's differ from Zalando's in the gzip header, and so in their own md5.
FASHION_MD5 = {
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
}

# The real photographs among the pictures that two packages carry, the best to look at first.
PHOTOS = {
    "skimage/data": (
        *("chelsea.png", "coffee.png", "camera.png", "rocket.jpg", "astronaut.png"),
        *("motorcycle_left.png", "motorcycle_right.png", "clock_motion.png", "coins.png", "moon.png"),
        *("hubble_deep_field.jpg", "retina.jpg", "ihc.png", "cell.png", "brick.png", "grass.png", "gravel.png"),
    ),
    "sklearn/datasets/images": ("china.jpg", "flower.jpg"),
}


BY_NAME = "set:"
"""Before the name of a set, where something else here is called so too."""
GONE = "gone"
FIRST, COLUMNS, TILE, GAP = 16, 8, 112, 4  # pictures that a set shows of itself, a row of them, pixels

_TRAIN = {"train": {"train": True}, "test": {"train": False}}
_SPLIT = {split: {"split": split} for split in ("train", "test")}
CLASSIFIED: dict[str, dict[str, dict[str, Any]]] = {
    **dict.fromkeys(("CIFAR10", "CIFAR100", "MNIST", "FashionMNIST", "KMNIST", "QMNIST", "USPS"), _TRAIN),
    **dict.fromkeys(("SVHN",), _SPLIT),
    "STL10": {split: {"split": split} for split in ("train", "test", "unlabeled")},
}
"""torchvision's sets of pictures of one size by name and split, with how each split is asked for."""


@dataclass(frozen=True, eq=False, repr=False)
class ImageSet(Sequence[Picture], Shown):
    """Pictures in a fixed order: `images[i]` reads one, as `images.decode` returns them; a slice is an ImageSet.

    files    a path or a stable name for each picture
    labels   (N,) int64, the position in `classes`, -1 where unknown; None when there are none
    array    (N, H, W) or (N, H, W, bands) uint8 when all pixels are held in memory, else None
    root     the folder by which `digest` names the files; None when it is to read them, as for pictures we ship
    source   what gives them when they are asked for, where they are neither files nor in memory
    columns  what else a table says of each picture, N values a column
    skipped  what lies beside them and was left out, by its path, with the reason
    states   what each file was when something else was made of it, as `identity` says; one that has changed since is
             not read any more; none where that is not known

    It holds no open file and no cache of pictures, so threads may share it and it can be pickled.
    """

    name: str
    files: tuple[str, ...]
    labels: NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()
    array: NDArray[np.uint8] | None = None
    root: Path | None = None
    source: Sequence[Picture] | None = None
    columns: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    states: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.files)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Picture: ...
    @overload
    def __getitem__(self, index: slice) -> ImageSet: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Picture | ImageSet:
        """One picture, or some. Raises BadFile naming a file that cannot be read, and IndexError past the end."""
        if isinstance(index, slice):
            return replace(
                self,
                files=self.files[index],
                labels=None if self.labels is None else self.labels[index],
                array=None if self.array is None else self.array[index],
                source=None if self.source is None else self.source[index],
                columns={name: values[index] for name, values in self.columns.items()},
                states=self.states[index],
            )
        at = range(len(self))[operator.index(index)]
        if self.source is not None:
            return self.source[at]
        if self.array is not None:
            return as_image(self.array[at])
        if self.states:
            _check_unchanged(self.files[at], self.states[at])
        return _read(self.files[at])

    @property
    def are_files(self) -> bool:
        """Whether `files` are paths, and not names."""
        return self.array is None and self.source is None

    def _line(self) -> str:
        return f"ImageSet {self.name!r}: {len(self)} images, {len(self.classes)} classes"

    def _look(self) -> Look:
        """The first pictures, those that can be read, with their labels or files."""
        first = min(FIRST, len(self))
        tiles, names = [], []
        for k in range(first):
            with suppress(BadFile):
                tiles.append(np.asarray(thumbnail(self[k], TILE)))
                label = -1 if self.labels is None else int(self.labels[k])
                names.append(self.classes[label] if label >= 0 else os.path.basename(self.files[k]))
        alt = f"The first {first} of {len(self):,} images of {self.name}"
        grid = Grid(COLUMNS, TILE, TILE, GAP)
        sheets = [Panel(contact_sheet(np.stack(tiles), COLUMNS, GAP), names=tuple(names), grid=grid)] if tiles else []
        return Figure(alt, tuple(sheets), {"data": self.name}, columns=1, alt=f"{alt}: {', '.join(names)}")._look()

    def called(self, index: int) -> str:
        """A picture's file without where this machine keeps it: from the folder of the set on, or its name."""
        file = self.files[index]
        if self.root is not None:
            return printable(path_below(file, self.root))
        return printable(os.path.basename(file) if self.are_files else file)

    def head(self, n: int) -> ImageSet:
        """The first n pictures, or all when there are fewer. Raises BadValue unless n is a whole number from 0."""
        return self[: _count(n)]

    def encoded(self, index: int) -> bytes:
        """A picture's file as it is. Raises BadFile; only for pictures of files."""
        from .containers import content, is_inside

        file = self.files[index]
        try:
            return content(file) if is_inside(file) else _local(file).read_bytes()
        except OSError as error:
            raise BadFile(f"{shorten(file)} cannot be read: {error.strerror or error}.") from None

    def row(self, index: int) -> str:
        """What the table says of a picture besides, as a line of JSON; nothing where there is no table."""
        row = {name: _plain(values[index]) for name, values in self.columns.items()}
        return json.dumps(row) if row else ""

    def identity(self, index: int) -> str:
        """What tells a picture from others and from an earlier state of itself: its name, its row of a table, and its
        pixels or, for a file below root, size and time of change, or that it is gone."""
        if self.are_files:
            return _identity(self.files[index], self.root) + self.row(index)
        pixels = np.asarray(self[index]) if self.array is None else self.array[index]
        digest = hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()
        return f"{self.files[index]}\0{digest}\n{self.row(index)}"

    @cached_property
    def digest(self) -> str:
        """sha256 of labels, classes, a table's rows and pixels in memory, or of each file's name below root, size and
        time of change, or that it is gone.

        Moving a folder leaves it as it is.
        """
        digest = hashlib.sha256(repr(self.classes).encode(errors="surrogateescape"))
        digest.update(b"" if self.labels is None else self.labels.astype("<i8").tobytes())
        if self.source is not None:
            with heard(None, self.name, "pictures") as progress:  # each is read
                for index in range(len(self)):
                    progress(index, len(self), "looked through")
                    digest.update(self.identity(index).encode())
        elif self.array is not None:
            digest.update(repr((self.array.shape, self.array.dtype.str)).encode())
            digest.update(np.ascontiguousarray(self.array).data)
        else:
            for file in self.files:
                digest.update(_identity(file, self.root).encode(errors="surrogateescape"))
        for index in range(len(self)) if self.columns else ():
            digest.update(self.row(index).encode())
        return digest.hexdigest()


def known_as(name: str) -> str | None:
    """By what name load_images finds the set that calls itself so; None for pictures of a folder, list or dataset."""
    family, _, split = name.partition("-")
    if split in CLASSIFIED.get(family, ()):
        return f"torchvision:{family}/{split}"
    return name if name in list_images() else None


def list_images() -> list[str]:
    """The names load_images knows: those of explain.toml, and those shipped."""
    return list(dict.fromkeys([*project().images, *_SETS]))


def is_set(source: str) -> bool:
    """Whether load_images takes it for pictures of a set, a folder, a table or a container, and not for one picture."""
    from .containers import CONTAINERS
    from .tables import TABLES

    if source.startswith(BY_NAME):
        return "/" not in source
    many = source.lower().endswith((*TABLES, *CONTAINERS)) and os.path.isfile(source)
    return many or source in list_images() or source.startswith(("torchvision:", "hf:")) or os.path.isdir(source)


def is_here(name: str) -> bool:
    """Whether a set of list_images() is on this machine, so that load_images need not download it."""
    known = None if name in project().images else _SETS.get(name)
    return known is None or known.is_here()


def load_images(
    source: Any, limit: int | None = None, *, image: str = "", label: str = "", split: str = ""
) -> ImageSet:
    """An ImageSet, or the first `limit` pictures of it.

    source is a name of list_images(); `torchvision:CIFAR10/test` and the like; a folder, whose sub-folders are the
    classes if it has any with pictures in them, .npy being some where there are no others; a table (.csv, .tsv,
    .parquet) whose rows name pictures; shards of WebDataset (.tar), Parquet or Arrow files that hold pictures, a folder
    of either, or `hf:OWNER/NAME` of Hugging Face's cache; a picture's path or a list of them; a map-style torch dataset
    of pictures; or an ImageSet.
    image, label, split: of a table, as `tables.from_table` takes them. Raises Unknown, BadValue or BadFile.
    """
    from .containers import load
    from .tables import TABLES, from_table

    if isinstance(source, str) and source.startswith(BY_NAME):
        name = source.removeprefix(BY_NAME)
        if name not in list_images():
            raise Unknown("image set", name, list_images())
        source = named_images(name)
    known = isinstance(source, str) and source in list_images()
    if known and source not in project().images and os.path.exists(source):  # what a user has named, the user means
        raise BadValue(
            f"{source!r} is a set of pictures by that name, and a folder or file here: write './{source}' for what is "
            f"here, '{BY_NAME}{source}' for the set."
        )
    if isinstance(source, str | Path) and not known and (inside := load(source, image, label, split)) is not None:
        images = inside
    elif isinstance(source, str | Path) and str(source).lower().endswith(TABLES) and os.path.isfile(source):
        images = from_table(source, image, label, split)
    elif image or label or split:
        raise BadValue(f"image, label and split say which columns of a table are meant; {shorten(source)} is none.")
    else:
        images = _load(source)
    return images if limit is None else images.head(limit)


def named_images(source: Any) -> ImageSet:
    """A set of list_images() by its name, whatever is called so in the current folder; else as load_images takes it."""
    if isinstance(source, str) and source in project().images:
        return replace(_of_project(**project().images[source]), name=source)
    if isinstance(source, str) and source in _SETS:
        return _SETS[source].load()
    return load_images(source)


def from_arrays(images: Any, labels: Any, name: str = "pictures") -> ImageSet:
    """Pictures in memory, (N, H, W) or (N, H, W, 3) uint8, with a label each: a number, or a class's name.

    Raises BadValue for other shapes, and where their numbers differ.
    """
    array, given = np.asarray(images), np.asarray(labels)
    if array.dtype != np.uint8 or array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] != 3):
        raise BadValue(f"Pictures are uint8 (N, H, W) or (N, H, W, 3), not {array.dtype} {array.shape}.")
    if given.shape != array.shape[:1]:
        raise BadValue(f"There are {len(array)} pictures and labels of shape {given.shape}; each picture needs one.")
    if given.dtype.kind in "UO":
        given = np.array([class_name(str(one)) for one in given])
    classes, numbers = np.unique(given, return_inverse=True)
    files = tuple(f"{name}/{k:05}" for k in range(len(array)))
    return ImageSet(name, files, numbers.astype(np.int64), tuple(map(str, classes)), array)


def _load(source: Any) -> ImageSet:
    if isinstance(source, ImageSet):
        return source
    if isinstance(source, str) and source in list_images():
        return named_images(source)
    if isinstance(source, str) and source.startswith("torchvision:"):
        return _torchvision(source)
    if isinstance(source, str | Path):
        if os.path.isdir(source):
            return _folder(Path(source))
        if os.path.isfile(source):
            return _list([source])
        raise Unknown("image set", str(source), list_images(), "The path of a folder or of a picture works too.")
    if isinstance(source, list | tuple):
        return _list(source)
    if hasattr(source, "__getitem__") and hasattr(source, "__len__") and not isinstance(source, Mapping | bytes):
        from .datasets import from_dataset

        return from_dataset(source, type(source).__name__)
    raise BadValue(
        f"Images cannot be a {type(source).__name__}; give a name, a folder, a table, a list of files, a dataset or an "
        "ImageSet."
    )


def _of_project(source: Any = None, factory: str = "", image: str = "", label: str = "", split: str = "") -> ImageSet:
    """What explain.toml says of a set; it alone may name code."""
    return load_images(run(factory)[0] if factory else source, image=image, label=label, split=split)


def _torchvision(source: str) -> ImageSet:
    """`torchvision:NAME/SPLIT`: one of torchvision's classification sets, from $EXPLAIN_DATA or its own download."""
    from torchvision import datasets

    from .datasets import from_dataset

    name, _, split = source.removeprefix("torchvision:").partition("/")
    if name not in CLASSIFIED:
        raise Unknown("torchvision set", name, CLASSIFIED)
    words = CLASSIFIED[name]
    if split not in words:
        raise Unknown(f"split of torchvision:{name}:", split, words)
    root, called = Path(os.environ.get("EXPLAIN_DATA") or cache_folder()), f"{name}-{split}"
    try:
        return from_dataset(getattr(datasets, name)(root, **words[split]), called)
    except RuntimeError:
        pass  # it is not there
    try:
        return from_dataset(getattr(datasets, name)(root, download=True, **words[split]), called)
    except BadValue:
        raise
    except Exception as error:
        raise BadFile(
            f"{source} is not here: put torchvision's files below {shorten(str(root))}, or connect to the internet to "
            f"let torchvision download them (it could not: {shorten(str(error))})."
        ) from error


def _count(n: Any) -> int:
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
        raise BadValue(f"The limit {shorten(n)} must be a whole number from 0.")
    return int(n)


def _plain(value: Any) -> Any:
    """A cell as JSON has it; what it has no kind for, such as a date, as text."""
    value = value.item() if isinstance(value, np.generic) else value
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _read(file: str) -> Picture:
    from .containers import content, is_inside

    return decode(content(file), file) if is_inside(file) else decode(_local(file), file)


def _local(file: str) -> Path:
    return fetched(file) if is_remote(file) else Path(file)


def _identity(file: str, root: Path | None) -> str:
    name = path_below(file, root) if root is not None else os.path.basename(file)
    return f"{file if is_remote(file) else name}\0{_state(file, root is None)}\n"


def _state(file: str, by_content: bool) -> str:
    """What changes with a file; of what is fetched once, nothing does."""
    from .containers import is_inside

    if is_remote(file):
        return ""
    try:
        if by_content:
            return sha256(file)
        stat = os.stat(file.rpartition("!")[0] if is_inside(file) else file)
    except OSError:
        return GONE
    return f"{stat.st_size}\0{stat.st_mtime_ns}"


def _check_unchanged(file: str, identity: str) -> None:
    """Raises BadFile where a file is another than it was."""
    before = identity.partition("\0")[2].partition("\n")[0]
    by_content = "\0" not in before and before != GONE
    now = _state(file, by_content)
    if before and now != before and not (by_content and now == GONE):  # what was in memory is no file to look for
        what = "was removed" if now == GONE else "has changed"
        raise BadFile(f"{shorten(file)} {what} since it was indexed; make the index again, which takes up what is new.")


# ------------------------------------------------------------ files


def _list(sources: Sequence[Any]) -> ImageSet:
    for source in sources:
        if not isinstance(source, str | Path):
            raise BadValue(f"A list of images holds paths, not a {type(source).__name__}.")
        if not os.path.isfile(source):
            raise BadFile(f"{shorten(str(source))} is not a file; a list of images holds paths of picture files.")
    if not sources:
        raise BadValue("The list of images is empty; give the path of at least one picture.")
    files = tuple(map(str, sources))
    root = common_folder(files)
    name = _called(Path(files[0])) if len(files) == 1 else "pictures" if root is None else _called(root)
    return ImageSet(name, files, root=root)


def _folder(root: Path) -> ImageSet:
    """As `listing` finds them. Beside class folders the label is -1."""
    found = listing(root)
    labels = np.repeat(np.arange(-1, len(found.classes)), found.sizes) if found.classes else None
    files, classes = tuple(found.files), tuple(found.classes)
    return ImageSet(_called(root.resolve()), files, labels, classes, root=root, skipped=found.skipped)


def _called(path: Path) -> str:
    """The name of a folder's pictures, which is not that of a set known by name."""
    name = printable(path.name)
    return f"{printable(path.parent.name)}/{name}" if name in list_images() else name


def _photos() -> ImageSet:
    """Photographs out of the wheels of scikit-image and scikit-learn, found without importing either."""
    found: dict[str, str] = {}
    for place, names in PHOTOS.items():
        package, _, folder = place.partition("/")
        spec = importlib.util.find_spec(package)
        for base in (spec.submodule_search_locations or ()) if spec else ():
            found |= {name: os.path.join(base, folder, name) for name in names}
    # china and flower belong behind the first five
    order = [*PHOTOS["skimage/data"][:5], *PHOTOS["sklearn/datasets/images"], *PHOTOS["skimage/data"][5:]]
    files = tuple(found[name] for name in order if name in found and os.path.isfile(found[name]))
    if not files:
        raise BadFile(
            "The photographs come with scikit-image and scikit-learn; install one: `pip install scikit-image`."
        )
    return ImageSet("photos", files)


def _stamps() -> ImageSet:
    """Photographs of things by kind, where they were installed."""
    found, classes = stamps.stamps(), tuple(dict.fromkeys(stamps.KINDS.values()))
    if not found:
        raise BadFile(
            f"The stamps come with Tux Paint: on Debian and Ubuntu by `apt-get install {stamps.PACKAGE}`, on Windows "
            f"and macOS by its installers. They are looked for in {', '.join(map(str, stamps.FOLDERS))}."
        )
    labels = np.array([classes.index(kind) for _, kind in found])
    return ImageSet("stamps", tuple(file for file, _ in found), labels, classes)


# ------------------------------------------------------------ Fashion-MNIST and MNIST


class _Family(NamedTuple):
    """Pictures in idx files: the folder's name, torchvision's, Debian's package, classes, md5 of what the .gz hold."""

    name: str
    theirs: str
    package: str
    classes: tuple[str, ...]
    md5: Mapping[str, str]


FASHION = _Family("fashion-mnist", "FashionMNIST", "dataset-fashion-mnist", FASHION_CLASSES, FASHION_MD5)
MNIST = _Family("mnist", "MNIST", "", tuple(map(str, range(10))), {})


def _idx(name: str, family: _Family, split: str) -> ImageSet:
    array, labels = _arrays(family.name, split)
    return ImageSet(name, _files(name, len(array)), labels, family.classes, array)


@cache
def _files(name: str, count: int) -> tuple[str, ...]:
    return tuple(f"{name}/{k:05}" for k in range(count))


@cache
def _arrays(name: str, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pictures (N, 28, 28) and labels (N,) of "t10k" or "train", once a process."""
    family = {FASHION.name: FASHION, MNIST.name: MNIST}[name]
    names = f"{split}-images-idx3-ubyte", f"{split}-labels-idx1-ubyte"
    places = _places(family)
    folder = next((place for place in places if all((place / f"{file}.gz").is_file() for file in names)), None)
    images, labels = (_unpack((folder or _download(family, split)) / f"{file}.gz", family) for file in names)
    # The idx header is 4 bytes and 4 for each dimension; bytearray, because torch warns about read-only memory.
    array = np.frombuffer(bytearray(images[16:]), np.uint8).reshape(-1, 28, 28)
    return array, np.frombuffer(labels[8:], np.uint8).astype(np.int64)


def _places(family: _Family) -> list[Path]:
    """Where a family's files may lie: the repository, the user's folder, Debian's package, the last download."""
    own = [Path(os.environ["EXPLAIN_DATA"]) / family.name] if os.environ.get("EXPLAIN_DATA") else []
    return [
        shipped("data") / family.name,
        *own,
        Path("/usr/share/datasets") / family.name,
        cache_folder() / family.theirs / "raw",
    ]


def _download(family: _Family, split: str) -> Path:
    """The folder of torchvision's download, which checks what it fetches. Raises BadFile naming ways to the data."""
    try:
        from torchvision import datasets

        getattr(datasets, family.theirs)(cache_folder(), train=split == "train", download=True)
    except Exception as error:
        package = f"install them by `apt-get install {family.package}`, or " if family.package else ""
        raise BadFile(
            f"The {split} images of {family.name} are not here: {package}"
            f"put {split}-images-idx3-ubyte.gz and {split}-labels-idx1-ubyte.gz into $EXPLAIN_DATA/{family.name},"
            f" or connect to the internet to let torchvision download them (it could not: {shorten(str(error))})."
        ) from error
    return cache_folder() / family.theirs / "raw"


def _unpack(path: Path, family: _Family) -> bytes:
    """What a .gz file holds. Raises BadFile when it is damaged, another's, or no pictures of 28 x 28."""
    wanted = family.md5.get(path.stem)
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise BadFile(f"{shorten(str(path))} is damaged ({shorten(str(error))}); fetch it again.") from error
    if wanted and (found := hashlib.md5(content, usedforsecurity=False).hexdigest()) != wanted:
        raise BadFile(f"{shorten(str(path))} holds other data (md5 {found}, not {wanted}); fetch it again.")
    count, sides = int.from_bytes(content[4:8]), 784 if "images" in path.stem else 1
    if len(content) != (16 if sides > 1 else 8) + count * sides:
        raise BadFile(f"{shorten(str(path))} does not hold what its header says; fetch it again.")
    return content


class _Set(NamedTuple):
    """A set by name: what gives it, and whether it is on this machine."""

    load: Callable[[], ImageSet]
    is_here: Callable[[], bool]


def _idx_set(name: str, family: _Family, split: str) -> _Set:
    file = f"{split}-images-idx3-ubyte.gz"
    return _Set(lambda: _idx(name, family, split), lambda: any((place / file).is_file() for place in _places(family)))


_SETS = {
    "fashion-mnist": _idx_set("fashion-mnist", FASHION, "t10k"),
    "fashion-mnist-train": _idx_set("fashion-mnist-train", FASHION, "train"),
    "mnist": _idx_set("mnist", MNIST, "t10k"),
    "mnist-train": _idx_set("mnist-train", MNIST, "train"),
    "photos": _Set(_photos, lambda: True),
    "stamps": _Set(_stamps, stamps.are_here),
}
