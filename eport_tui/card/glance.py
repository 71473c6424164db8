"""Whom a certificate names and whether it is revoked, for a list of cards, without `cryptography`.

To load that takes longer than all else between the first screen and a list that can be
chosen from.  Only what is exactly as the profile has it is read here, and nothing is
proved by it: the certificate of a card that is chosen is read anew, and checked, by
`TrustStore`.
"""

from __future__ import annotations

import os
import re
from binascii import a2b_base64
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from eport_tui.card.protocol import ARC
from eport_tui.domain.dates import SHANGHAI, in_shanghai
from eport_tui.domain.holders import Enterprise, Holder, Role
from eport_tui.domain.identifiers import CARD_NUMBER, CUSTOMS_CODE, parse_uscc
from eport_tui.errors import InvalidInput

_INTEGER, _OCTETS, _OID, _UTF8, _PRINTABLE, _UTC, _TIME = 2, 4, 6, 12, 19, 23, 24
_SEQUENCE, _SET, _VERSION, _EXTENSIONS = 0x30, 0x31, 0xA0, 0xA3
_LIST_EXTENSIONS, _CRITICAL = 0xA0, b"\x01\x01\xff"

_DIGITS = re.compile(r"\d+Z", re.ASCII)


def _oid(dotted: str) -> bytes:
    """An object identifier in DER, without its tag and length."""
    first, second, *rest = map(int, dotted.split("."))
    encoded = b""
    for number in (first * 40 + second, *rest):
        septets = [number & 0x7F]
        while number := number >> 7:
            septets.append(0x80 | number & 0x7F)
        encoded += bytes(reversed(septets))
    return encoded


_ROLES = {_oid(f"{ARC}.1.1"): Role.LEGAL_PERSON, _oid(f"{ARC}.1.2"): Role.OPERATOR}
_SOFTWARE_KEY, _IDENTITY = _oid(f"{ARC}.1.3"), _oid(f"{ARC}.2.1")
_EXTENDED_KEY_USAGE, _AUTHORITY_KEY = _oid("2.5.29.37"), _oid("2.5.29.35")
_COUNTRY, _PERSON, _CARD, _ENTERPRISE, _ORGANIZATION = (
    _oid(f"2.5.4.{number}") for number in (6, 3, 5, 10, 97)
)


def glance(certificate: bytes) -> Holder | None:
    """Whom a certificate (DER) of this project's profile names.

    None where it is another one, or anything about it is unusual: what that is, and
    whether it matters, `TrustStore.holder_of` tells.
    """
    try:
        return _read(certificate)
    except (ValueError, KeyError, IndexError, OverflowError, InvalidInput):
        return None


def read_lists(source: Path) -> list[bytes]:
    """The revocation lists (DER) in a folder, or in one file; those that can be read."""
    found: list[bytes] = []
    for path in sorted(source.glob("*.crl")) if os.path.isdir(source) else [source]:
        with suppress(OSError, ValueError):
            data = path.read_bytes()
            if data.lstrip().startswith(b"-----BEGIN"):
                _, _, text, *_ = data.split(b"-----")
                data = a2b_base64(text)
            found.append(data)
    return found


def is_revoked(certificate: bytes, lists: Iterable[bytes]) -> bool:
    """Whether the newest list of a certificate's issuer (all DER) has the certificate.

    No where anything about it or the lists is unusual, as of `glance`.
    """
    try:
        parts = _tbs(certificate)
        (_, serial), issuer = parts[1], parts[3]
        key = _last(_EXTENSIONS, parts).get(_AUTHORITY_KEY)
    except (ValueError, IndexError):
        return False
    # A list may be long, so it is searched and not taken apart: a number, and behind it a moment.
    number = bytes((_INTEGER, len(serial))) + serial
    entries = tuple(number + bytes(moment) for moment in ((_UTC, 13), (_TIME, 15)))
    newest, has_it = datetime.min.replace(tzinfo=SHANGHAI), False
    for crl in lists:
        with suppress(ValueError, KeyError, IndexError):
            parts = [part for part in _tbs(crl) if part[0] != _INTEGER]
            of_key = _last(_LIST_EXTENSIONS, parts).get(_AUTHORITY_KEY)
            if (
                parts[1] != issuer
                or (key and of_key and key != of_key)
                # Delta and partial lists are marked by critical extensions; they prove nothing.
                or (parts[-1][0] == _LIST_EXTENSIONS and _CRITICAL in parts[-1][1])
                or (moment := _moment(*parts[2])) <= newest
            ):
                continue
            newest = moment
            listed = b"".join(content for tag, content in parts[3:] if tag == _SEQUENCE)
            has_it = any(entry in listed for entry in entries)
    return has_it


def _last(tag: int, parts: list[tuple[int, bytes]]) -> dict[bytes, bytes]:
    """The extensions, where the last part is such."""
    return _extensions(parts[-1][1]) if parts[-1][0] == tag else {}


def _tbs(signed: bytes) -> list[tuple[int, bytes]]:
    """The elements of what is signed of a certificate or a revocation list."""
    return _elements(_elements(_only(_SEQUENCE, signed))[0][1])


def _read(certificate: bytes) -> Holder:
    version, _, _, _, validity, subject, _, extensions = _tbs(certificate)
    if (version[0], extensions[0]) != (_VERSION, _EXTENSIONS):
        raise ValueError("not of the usual parts")
    names = _names(subject[1])
    found = _extensions(extensions[1])
    usages = _in(_OID, _only(_SEQUENCE, found[_EXTENDED_KEY_USAGE]))
    (role,) = {_ROLES[usage] for usage in usages if usage in _ROLES}
    identity = _elements(_only(_SEQUENCE, found[_IDENTITY]))
    number, *texts = [content for _, content in identity]
    if number != b"\x01" or [tag for tag, _ in identity] != [_INTEGER, *[_UTF8] * 5]:
        raise ValueError("not of the usual version")
    customs_code, card_number, uscc, role_name, assurance = (text.decode() for text in texts)
    if (
        not CUSTOMS_CODE.fullmatch(customs_code)
        or not CARD_NUMBER.fullmatch(card_number)
        or parse_uscc(uscc) != uscc
        or names[_CARD] != card_number
        or names[_ORGANIZATION] != f"NTRCN-{uscc}"
        or role_name != role.value
        or assurance != ("software" if _SOFTWARE_KEY in usages else "hardware")
    ):
        raise ValueError("its parts disagree")
    valid_from, valid_until = (_moment(*each) for each in _elements(validity[1]))
    enterprise = Enterprise(customs_code, uscc, names[_ENTERPRISE])
    return Holder(card_number, role, names[_PERSON], enterprise, valid_from, valid_until)


def _elements(der: bytes) -> list[tuple[int, bytes]]:
    """The elements of DER, each with its tag."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            length, at = int.from_bytes(der[at : at + count], "big"), at + count
        if at + length > len(der):
            raise ValueError("cut short")
        found.append((tag, der[at : at + length]))
        at += length
    return found


def _in(wanted: int, der: bytes) -> list[bytes]:
    """The contents of elements that all have the tag that is wanted."""
    elements = _elements(der)
    if any(tag != wanted for tag, _ in elements):
        raise ValueError("another kind of element")
    return [content for _, content in elements]


def _only(wanted: int, der: bytes) -> bytes:
    """The contents of an element that is alone and has the tag that is wanted."""
    (content,) = _in(wanted, der)
    return content


def _names(subject: bytes) -> dict[bytes, str]:
    """The five attributes of a subject, each there once and not blank."""
    found: dict[bytes, str] = {}
    for attribute in _in(_SET, subject):
        (tag, oid), (kind, value) = _elements(_only(_SEQUENCE, attribute))
        text = value.decode()
        if tag != _OID or kind not in (_UTF8, _PRINTABLE) or oid in found or not text.strip():
            raise ValueError("an unusual attribute")
        found[oid] = text
    if found.keys() != {_COUNTRY, _PERSON, _CARD, _ENTERPRISE, _ORGANIZATION}:
        raise ValueError("other attributes")
    return found


def _extensions(der: bytes) -> dict[bytes, bytes]:
    """The values of the extensions, each there once."""
    found: dict[bytes, bytes] = {}
    for extension in _in(_SEQUENCE, _only(_SEQUENCE, der)):
        (tag, oid), *_, (kind, value) = _elements(extension)
        if (tag, kind) != (_OID, _OCTETS) or oid in found:
            raise ValueError("an unusual extension")
        found[oid] = value
    return found


def _moment(tag: int, value: bytes) -> datetime:
    text = value.decode("ascii")
    if not _DIGITS.fullmatch(text) or len(text) != {_UTC: 13, _TIME: 15}[tag]:
        raise ValueError("an unusual moment")
    if tag == _UTC:
        # RFC 5280, 4.1.2.5.1: two digits stand for the years 1950 to 2049.
        text = ("19" if text >= "5" else "20") + text
    return in_shanghai(datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC))
