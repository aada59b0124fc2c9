"""Addresses of each channel, in the one form in which they are compared and sent to."""

from __future__ import annotations

from hashlib import blake2b

import phonenumbers

from crosstie.declare.kind import FORMATS

LONGEST = 2000


def normal(channel: str, word: str, country: str | None) -> str | None:
    """The address in its usual form; None where it is none of this channel.

    `country` (ISO 3166-1 alpha-2) is where numbers without + are from.
    """
    word = word.strip()
    if not word or len(word) > LONGEST or any(ord(each) < 32 for each in word):
        return None
    if channel == "email":
        return word.lower() if len(word) <= 254 and FORMATS["email"].fullmatch(word) else None
    if channel in ("sms", "whatsapp"):
        return _number(word, country)
    if channel == "webhook":
        return word if word.startswith(("https://", "http://")) and FORMATS["uri"].fullmatch(word) else None
    return word


def digest(address: str) -> str:
    """An address where it must be known again, and need not be read."""
    return blake2b(address.encode(), digest_size=20).hexdigest()


def _number(word: str, country: str | None) -> str | None:
    """E.164, as every provider takes it."""
    try:
        found = phonenumbers.parse(word, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(found):
        return None
    return phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)


#: the alphabet of GSM 03.38: one septet each, and those that take two
GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
TWICE = frozenset("\f^{}\\[~]|€")
#: parts that phones put together again
MOST = 10


def segments(text: str) -> int:
    """How many parts a text message takes: 160 or 153 septets of the GSM alphabet, else 70 or 67 UTF-16 units."""
    if all(each in GSM or each in TWICE for each in text):
        length, one, many = sum(2 if each in TWICE else 1 for each in text), 160, 153
    else:
        length, one, many = len(text.encode("utf-16-be")) // 2, 70, 67
    return 1 if length <= one else -(-length // many)
