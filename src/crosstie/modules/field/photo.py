"""What a photo says about itself: its size in pixels, when and where it was taken (EXIF 2.32 §4.6.4, §4.6.6)."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import IO, Any

from PIL import ExifTags, Image

from crosstie.declare.shape import fault

TYPES = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
PIXELS = 40_000_000
#: what Pillow's readers raise for pictures that are broken or lie
BROKEN = (OSError, SyntaxError, ValueError, KeyError, TypeError, IndexError, ArithmeticError, struct.error)

Image.MAX_IMAGE_PIXELS = None  # Pillow warns of big pictures; here they are refused, from the header, by PIXELS


def examine(file: IO[bytes], kind: str) -> dict[str, Any]:
    """Columns of a photo: width, height, captured_at (without an offset where the camera named none), lat, lng.

    Only the header is read. Raises Invalid for what is no picture, and for more than 40 million pixels.
    """
    try:
        with Image.open(file, formats=[TYPES[kind]]) as picture:
            width, height = picture.size
            exif = _exif(picture)
    except BROKEN as error:
        raise fault("/file", "image", "cannot be read as a picture") from error
    if width * height > PIXELS:
        raise fault("/file", "pixels", f"has more than {PIXELS // 1_000_000} million pixels")
    return {"width": width, "height": height, **exif}


def _exif(picture: Image.Image) -> dict[str, Any]:
    if "exif" not in picture.info:  # Pillow would decode a whole PNG to look behind its pixels
        return {}
    try:
        exif = picture.getexif()
        taken, place = exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)
    except BROKEN:
        return {}
    found = {"captured_at": _moment(taken) or _satellite(place), "lat": _degrees(place, 1), "lng": _degrees(place, 3)}
    if found["lat"] is None or found["lng"] is None:
        found["lat"] = found["lng"] = None
    return found


def _moment(taken: dict[int, Any]) -> datetime | None:
    """DateTimeOriginal with OffsetTimeOriginal; without the latter the time is naive."""
    try:
        at = datetime.strptime(str(taken[ExifTags.Base.DateTimeOriginal])[:19], "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007
    except BROKEN:
        return None
    try:
        sign, rest = str(taken[ExifTags.Base.OffsetTimeOriginal])[:1], str(taken[ExifTags.Base.OffsetTimeOriginal])[1:6]
        hours, minutes = rest.split(":")
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return at.replace(tzinfo=timezone(-offset if sign == "-" else offset)).astimezone(UTC)
    except BROKEN:
        return at


def _satellite(place: dict[int, Any]) -> datetime | None:
    """The satellites' own time, which is UTC."""
    try:
        day = date.fromisoformat(str(place[ExifTags.GPS.GPSDateStamp])[:10].replace(":", "-"))
        hours, minutes, seconds = (int(part) for part in place[ExifTags.GPS.GPSTimeStamp])
        return datetime.combine(day, time(hours, minutes, min(seconds, 59)), UTC)
    except BROKEN:
        return None


def _degrees(place: dict[int, Any], tag: int) -> Decimal | None:
    """Latitude (tag 1, 2) or longitude (3, 4): a letter and three numbers. None where they make no place."""
    try:
        letter = str(place[tag])[:1]
        degrees, minutes, seconds = (Decimal(str(float(part))) for part in place[tag + 1])
        value = degrees + minutes / 60 + seconds / 3600
        most = 90 if tag == 1 else 180
        if letter not in "NSEW" or not value.is_finite() or not 0 <= value <= most:
            return None
        return round(-value if letter in "SW" else value, 7)
    except BROKEN:
        return None
