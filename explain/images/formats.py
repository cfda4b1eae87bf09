"""What a picture's file is by its first bytes and its name: which kinds are read here, and what reads the others."""

from __future__ import annotations

import importlib.util
import re

from ..errors import shorten
from ..extras import EXTRAS
from .limits import formats

__all__ = ["ENDINGS", "HEAD", "OTHERS", "kind_of", "left_out", "unread"]

HEAD = 160
"""So many first bytes tell the kind."""
ENDINGS = {
    "JPEG": (".jpg", ".jpeg", ".jfif", ".jpe", ".mpo"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
}
"""How the names of the kinds that are always read end."""
_HEIF_BRANDS = b"heic|heix|hevc|hevx|heim|heis|hevm|hevs|mif1|msf1"
_SIGNATURES = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "WEBP": rb"RIFF.{4}WEBP",
    "GIF": rb"GIF8[79]a",
    "BMP": rb"BM.{4}.{4}.{4}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",  # two letters alone begin many a text
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "AVIF": rb".{4}ftypavi[fs]",
    "HEIC": rb".{4}ftyp(?:" + _HEIF_BRANDS + rb")",
    "JPEG 2000": rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
    "JPEG XL": rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n",
    "Photoshop": rb"8BPS\0[\x01\x02]",
    "PNM": rb"P[1-7][ \t\r\n][\s\d#]",
    "PFM": rb"P[Ff]\r?\n-?\d",
    "OpenEXR": rb"\x76\x2f\x31\x01",
    "Radiance": rb"#\?R(?:ADIANCE|GBE)",
    "DDS": rb"DDS \x7c\0\0\0",
    "QOI": rb"qoif\0",
    "XCF": rb"gimp xcf ",
    "DICOM": rb".{128}DICM",
    "FITS": rb"SIMPLE  = ",
}
_BEGINS = {kind: re.compile(pattern, re.DOTALL) for kind, pattern in _SIGNATURES.items()}
_ANY = re.compile(b"|".join(b"(?:" + pattern + b")" for pattern in _SIGNATURES.values()), re.DOTALL)
OTHERS = {
    ".heic": "HEIC",
    ".heif": "HEIC",
    ".hif": "HEIC",
    ".avif": "AVIF",
    ".jp2": "JPEG 2000",
    ".j2k": "JPEG 2000",
    ".jxl": "JPEG XL",
    ".psd": "Photoshop",
    ".pgm": "PNM",
    ".ppm": "PNM",
    ".pbm": "PNM",
    ".pnm": "PNM",
    ".exr": "OpenEXR",
    ".hdr": "Radiance",
    ".dcm": "DICOM",
    ".tga": "TGA",
    ".ico": "ICO",
    ".svg": "SVG",
    **dict.fromkeys((".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".raf", ".rw2", ".pef", ".srw"), "A camera's raw"),
}
"""What the names of other kinds end in, some of which have no first bytes to tell them by."""
_OPTIONAL = {"HEIC": ("pillow_heif", (".heic", ".heif", ".hif"))}


def kind_of(head: bytes) -> str:
    """The kind of picture that begins so; empty where it is none that is known."""
    if not _ANY.match(head):  # as nearly all that lies beside pictures
        return ""
    return next(kind for kind, begins in _BEGINS.items() if begins.match(head))


def unread(kind: str) -> str:
    """Why pictures of a kind are not read, and what to do; empty where they are."""
    if kind in ENDINGS:
        return ""
    if kind in _OPTIONAL:
        module, _ = _OPTIONAL[kind]
        if importlib.util.find_spec(module):
            return ""
        package = EXTRAS[module].package
        return f"{kind} is read where {package} is installed: `pip install {package}`, or save it as JPEG or PNG"
    return f"{kind} is not read; save it as {formats()}"


def left_out(name: str, head: bytes) -> str | None:
    """Why a file whose name is not one of a picture that is read is left out, by its first bytes and its name: None
    where it is taken as one, and empty where it is no picture."""
    ending = re.search(r"\.[^./\\]*$", name)
    said = ending[0].lower() if ending else ""
    found, named = kind_of(head), OTHERS.get(said, "")
    kind = named if found in ("", "TIFF") and named else found  # much is built on TIFF
    if not kind:
        return ""
    if why := unread(kind):
        return f"{why}."
    own = ENDINGS.get(kind) or _OPTIONAL[kind][1]
    if not said or said in own:
        return None
    return (
        f"It is a {kind} picture by what it holds, and its name ends in {shorten(said)}; end it in {own[0]} to have it."
    )
