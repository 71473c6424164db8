#!/usr/bin/env python3
"""Verify an exported ledger offline, with Python's standard library and `openssl` alone.

It goes with every bundle as verify.py and shares no code with the program that wrote it.
Exit code: 0 the ledger holds, 1 it does not, 2 that could not be found out.
"""

# What is read is JSON, whose types nobody knows beforehand.
# pyright: basic, reportUnusedExpression=false

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta, timezone
from itertools import zip_longest
from pathlib import Path

OPERATION, CHECKPOINT = b"eport_tui/operation/v1\0", b"eport_tui/checkpoint/v1\0"
GENESIS = "0" * 64
LONGEST_DELAY = timedelta(minutes=10)
ZONE = timedelta(hours=8)
ARC = "2.25.315765216613809374126643788551913823853"
EPORT_CARD = "1.3.6.1.4.1.5315.100.5.9"
SM2_ID = "distid:1234567812345678"
SHOWN = 20
HALF_WIDTH = {**{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}, 0x3000: 0x20}
NOT_TRUSTED = "签名时证书不可信，不是由所信任的机构签发的"
NO_CERTIFICATE = "签名者的证书缺失或被改动过"
NO_CARD = "签名者的证书不是卡的证书"
SECOND = timedelta(seconds=1)

ENTRY = {
    "number": int,
    "clock_reset": bool,
    **dict.fromkeys(("previous_hash", "hash", "recorded_at", "certificate"), str),
    **dict.fromkeys(("signature", "payload"), str),
}
FIELDS = {
    "enterprise_grant": {"granted_on", "valid_until", "revision"},
    "operator_grant": {"card_number", "granted_on"},
    "lapse_mark": {"owner", "valid_until"},
}
DAYS = {"granted_on", "valid_until"}
KINDS = {
    *("enterprise_grant." + what for what in ("grant", "change", "renew", "delete", "reinstate")),
    *("operator_grant." + what for what in ("add", "delete", "reinstate", "replace_card")),
    *("lapse_mark." + what for what in ("put", "remove")),
}
OPERATION_FIELDS = {
    *("format", "kind", "at", "card", "enterprise"),
    *("changes", "seen", "nonce", "reason"),
}
KEY = ("principal", "agent", "subsystem", "grant_type")
CHANGE_FIELDS = {"table", *KEY, "before", "after"}


class Fault(Exception):
    """Something does not hold."""


class Unable(Exception):
    """Something could not be found out."""


# -- what is in a certificate ------------------------------------------------------


def elements(der: bytes) -> list[tuple[int, bytes]]:
    """The elements of DER, each with its tag."""
    found, at = [], 0
    while at < len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            length, at = int.from_bytes(der[at : at + count], "big"), at + count
        found.append((tag, der[at : at + length]))
        at += length
    return found


def oid(dotted: str) -> bytes:
    """The contents of an object identifier in DER."""
    first, second, *rest = map(int, dotted.split("."))
    encoded = b""
    for number in (first * 40 + second, *rest):
        septets = [number & 0x7F]
        while number := number >> 7:
            septets.append(0x80 | number & 0x7F)
        encoded += bytes(reversed(septets))
    return encoded


def extensions(der: bytes) -> dict[bytes, bytes]:
    """The extensions of a certificate by their identifiers."""
    tbs = elements(elements(elements(der)[0][1])[0][1])
    found = {}
    for tag, content in tbs:
        if tag == 0xA3:
            for _, extension in elements(elements(content)[0][1]):
                parts = elements(extension)
                found[parts[0][1]] = parts[-1][1]
    return found


def has_oid(der: bytes, dotted: str) -> bool:
    encoded = oid(dotted)
    return bytes((6, len(encoded))) + encoded in der


def named(der: bytes, registered: dict, own: dict | None) -> tuple[str, str, str]:
    """Card number, enterprise and role that a certificate names.

    Of a card of China E-Port the last two are what one's own registry says of it, where
    there is one, or what the bundle says.
    """
    found = extensions(der)
    identity = found.get(oid(ARC + ".2.1"))
    if identity is not None:
        values = [content.decode() for _, content in elements(elements(identity)[0][1])[1:]]
        return values[1], values[0], values[3]
    card = elements(found[oid(EPORT_CARD)])[0][1].decode()
    card = card[-13:]
    if own is not None:
        registered = own.get(card, {})
    return card, registered.get("enterprise", ""), registered.get("role", "")


def moment(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    if value.utcoffset() != ZONE or value.isoformat(timespec="seconds") != text:
        raise ValueError(text)
    return value


# -- openssl -----------------------------------------------------------------------


class OpenSsl:
    """The command `openssl`, and a folder for the files it needs."""

    def __init__(self, program: str | None, folder: Path) -> None:
        found = shutil.which(program or "openssl")
        if not found:
            raise Unable("找不到 openssl 命令")
        self.program, self.folder = found, folder

    def run(self, *arguments: str | Path, given: bytes = b"") -> subprocess.CompletedProcess:
        return subprocess.run(
            [self.program, *map(str, arguments)], input=given, capture_output=True, check=False
        )

    def read(self, *arguments: str | Path) -> str:
        done = self.run(*arguments)
        if done.returncode:
            raise Unable(f"openssl 失败：{done.stderr.decode(errors='replace').strip()[:200]}")
        return done.stdout.decode(errors="replace")

    def put(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path


class Authority:
    """A certificate that issues those of cards, in a file of its own."""

    def __init__(self, ssl: OpenSsl, pem: str, name: str) -> None:
        self.name = name
        self.fingerprint = hashlib.sha256(der_of(pem)).hexdigest()
        self.pem = ssl.put(f"{self.fingerprint}.authority", pem.encode())


def read_authorities(ssl: OpenSsl, folder: Path) -> list[Authority]:
    """The authorities in a folder, of which one PEM file may hold several."""
    found = []
    for path in sorted(folder.glob("*.pem")):
        text = path.read_text(encoding="latin-1")
        blocks = re.findall(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?", text)
        if not blocks:
            raise Unable(f"{path} 中没有PEM格式的证书")
        for number, block in enumerate(blocks, 1):
            name = path.name if len(blocks) == 1 else f"{path.name} 第{number}张"
            found.append(Authority(ssl, block, name))
    if not found:
        raise Unable(f"{folder} 中没有发证机构的证书")
    return found


class Signer:
    """A certificate, and what openssl says of it.

    Raises:
        Fault: It is no certificate of a card.
    """

    def __init__(self, ssl: OpenSsl, pem: Path, registered: dict, own: dict | None) -> None:
        self.ssl, self.pem = ssl, pem
        self.der = der_of(pem.read_text(encoding="latin-1"))
        self.fingerprint = hashlib.sha256(self.der).hexdigest()
        try:
            self.card, self.enterprise, self.role = named(self.der, registered, own)
        except (ValueError, KeyError, IndexError):
            raise Fault(NO_CARD) from None
        self.is_sm2 = has_oid(self.der, "1.2.156.10197.1.301")
        is_384 = has_oid(self.der, "1.3.132.0.34")
        self.digest = "sm3" if self.is_sm2 else "sha384" if is_384 else "sha256"
        told = ssl.run("x509", "-in", pem, "-noout", "-serial", "-pubkey")
        if told.returncode and not self.is_sm2:
            raise Fault(NO_CARD)
        if told.returncode:
            raise Unable("这个 openssl 不认识SM2证书")
        # Which of them comes first is different from version to version.
        before, begin, after = told.stdout.partition(b"-----BEGIN")
        public, end, behind = after.partition(b"-----END PUBLIC KEY-----\n")
        self.key = ssl.put(f"{self.fingerprint}.pub", begin + public + end)
        self.serial = (before + behind).decode().strip().partition("=")[2]
        # The authorities that issued it, and whether one was in date, as it was, at each signature.
        self.issuers: set[Authority] = set()
        self.is_in_date = True

    def issued_by(self, authority: Authority, at: datetime | None) -> bool:
        """Whether an authority issued it, and both were in date at a moment if one is given."""
        options = ["-vfyopt", SM2_ID] if self.is_sm2 else []
        when = ["-attime", str(int(at.timestamp()))] if at else ["-no_check_time"]
        return not self.ssl.run(
            *("verify", "-partial_chain", "-trusted", authority.pem, *options, *when, self.pem)
        ).returncode

    def fits(self, name: str, signature: bytes, data: bytes) -> bool:
        # Some cards can sign nothing but text: the hexadecimal of the data.
        return any(self._fits(name, signature, form) for form in (data, data.hex().encode()))

    def _fits(self, name: str, signature: bytes, data: bytes) -> bool:
        file = self.ssl.put(f"{name}.sig", signature)
        text = self.ssl.put(f"{name}.txt", data)
        try:
            if self.is_sm2:
                done = self.ssl.run(
                    *("pkeyutl", "-verify", "-pubin", "-inkey", self.key, "-rawin"),
                    *("-digest", "sm3", "-pkeyopt", SM2_ID, "-sigfile", file, "-in", text),
                )
                if done.returncode and b"Verif" not in done.stdout:
                    raise Unable("这个 openssl 不能核对SM2签名")
            else:
                done = self.ssl.run(
                    *("dgst", "-" + self.digest, "-verify", self.key, "-signature", file, text)
                )
            return not done.returncode
        finally:
            file.unlink()
            text.unlink()


def der_of(pem: str) -> bytes:
    body = re.search(r"-----BEGIN [^-]+-----(.+?)-----END", pem, re.DOTALL)
    if not body:
        raise Unable("证书文件不是PEM格式")
    return base64.b64decode(body[1])


class RevocationList:
    """A revocation list that one of the authorities has signed."""

    def __init__(self, text: str, authority: Authority, is_own: bool) -> None:
        self.head, *self.entries = text.split("Serial Number: ")
        self.updated = openssl_time(self.head, "Last Update")
        self.authority, self.is_own = authority, is_own


def read_lists(
    ssl: OpenSsl, folder: Path, authorities: list[Authority], is_own: bool
) -> list[RevocationList]:
    """The whole revocation lists of the authorities in a folder, PEM or DER."""
    found = []
    for path in sorted([*folder.glob("*.pem"), *folder.glob("*.crl")]):
        data = path.read_bytes()
        if not data.lstrip().startswith(b"-----BEGIN"):
            body = base64.encodebytes(data)
            data = b"-----BEGIN X509 CRL-----\n" + body + b"-----END X509 CRL-----\n"
        pem = ssl.put("list.pem", data)
        for authority in authorities:
            if b"verify OK" not in checked(ssl, pem, authority):
                continue
            text = ssl.read("crl", "-in", pem, "-noout", "-text")
            one = RevocationList(text, authority, is_own)
            # Delta and partial lists are marked by critical extensions; they prove nothing.
            if "critical" not in one.head:
                found.append(one)
    return found


def revocations(lists: list[RevocationList]) -> dict[tuple[Authority, str], datetime]:
    """From when on certificates are revoked, by their authority and serial number."""
    found: dict[tuple[Authority, str], datetime] = {}
    for each in lists:
        newest = max(other.updated for other in lists if other.authority == each.authority)
        for entry in each.entries:
            # Two authorities may give the same number.
            which = each.authority, entry.split()[0]
            since = openssl_time(entry, "Revocation Date")
            if each.updated == newest or "Certificate Hold" not in entry:
                found[which] = min(since, found.get(which, since))
    return found


def read_registry(path: Path) -> dict[str, dict]:
    """Enterprise and role by the number of the card, from a list of enterprises (CSV).

    It is of the form that `eport-tui registry import` takes, with the column 法人卡号.
    """
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("gb18030")
    rows = csv.reader(io.StringIO(text, newline=""))
    names = [plain(cell) for cell in next(rows, ())]
    if not {"海关编码", "法人卡号"} <= set(names):
        raise Unable(f"企业名录 {path} 缺少列 海关编码 或 法人卡号")
    found = {}
    for row in rows:
        # Cells at the end may be left out.
        columns = dict(zip_longest(names, row, fillvalue=""))
        enterprise = plain(columns["海关编码"])
        for card in re.split(r"[\s、]+", columns["法人卡号"]):
            number = plain(card)
            number = number[3:] if number.startswith("03-") else number
            if number:
                found[number] = {"enterprise": enterprise, "role": "legal_person"}
    return found


def plain(text: str) -> str:
    """Text without blanks around it, and in half-width characters as input methods do not type."""
    return text.translate(HALF_WIDTH).strip()


def checked(ssl: OpenSsl, crl: Path, authority: Authority) -> bytes:
    done = ssl.run("crl", "-in", crl, "-noout", "-verify", "-CAfile", authority.pem)
    return done.stdout + done.stderr


def openssl_time(text: str, label: str) -> datetime:
    found = re.search(label + r": (.+?) GMT", text)
    if not found:
        raise Unable("吊销列表无法识别")
    return datetime.strptime(found[1], "%b %d %H:%M:%S %Y").replace(tzinfo=timezone(timedelta()))


# -- the rules of operations ---------------------------------------------------------


class State:
    """The grants as the operations make them."""

    def __init__(self) -> None:
        self.rows: dict[tuple, dict] = {}
        self.under: dict[tuple, set[str]] = {}
        self.deletions: dict[tuple, int] = {}

    def put(self, row: tuple, after: dict | None, number: int) -> None:
        if after is None:
            self.rows.pop(row, None)
        else:
            self.rows[row] = after
        table, key = row[0], row[1:5]
        if table == "enterprise_grant" and after is None:
            self.deletions[key] = number
        elif table == "enterprise_grant":
            self.deletions.pop(key, None)
        elif table == "operator_grant":
            cards = self.under.setdefault(key, set())
            (cards.discard if after is None else cards.add)(row[5])

    def replay(self, number: int, operation: dict, named_by: dict | None) -> None:
        """Work an operation in; raises Fault and leaves all as it was."""
        changes = operation["changes"]
        demand(changes, "该操作没有改变任何授权")
        back = self._back(number, operation, named_by)
        keys = {row_of(change)[1:5] for change in changes}
        deletions = {key: self.deletions.get(key) for key in keys}
        done = []
        try:
            for change in changes:
                row = row_of(change)
                self._check(row, change, operation, back)
                self.put(row, change["after"], number)
                done.append((row, change["before"]))
            for key in keys:
                self._check_whole(key, operation)
        except Fault:
            for row, before in reversed(done):
                self.put(row, before, 0)
            for key, deletion in deletions.items():
                self.deletions.pop(key, None)
                if deletion is not None:
                    self.deletions[key] = deletion
            raise

    def _back(self, number: int, operation: dict, named_by: dict | None) -> list:
        takes_back = operation["kind"].endswith(".reinstate")
        reinstates = operation.get("reinstates")
        demand(takes_back == (reinstates is not None), "恢复的操作与所恢复的那一笔不相称")
        if reinstates is None:
            return []
        demand(named_by and 0 < reinstates < number, "所恢复的那一笔不在此前")
        assert named_by
        if (
            named_by["kind"] != "enterprise_grant.delete"
            or named_by["enterprise"] != operation["enterprise"]
        ):
            return []
        found = {row_of(change) for change in named_by["changes"] if "found" in change}
        return [
            (row_of(change), change["before"])
            for change in named_by["changes"]
            if change["after"] is None
            and row_of(change) not in found
            and self.deletions.get(row_of(change)[1:5]) == reinstates
        ]

    def _check(self, row: tuple, change: dict, operation: dict, back: list) -> None:
        table, principal, agent = row[:3]
        before, after, found = change["before"], change["after"], "found" in change
        demand(before or after, "没有内容的改动")
        demand(self.rows.get(row) == before, "改动前的内容与台账不符")
        if table == "enterprise_grant" and after:
            demand(
                principal != agent and after["granted_on"] <= after["valid_until"],
                "授权的内容不成立",
            )
            demand(
                found or not before or after["revision"] == before["revision"] + 1,
                "授权的修订号不连续",
            )
        elif before and after:
            demand(found, "这种记录只能增加或删除，不能修改")
        if table == "lapse_mark" and after:
            demand(row[5] in (principal, agent), "与该授权无关的企业不能作标记")
        keeper = {"enterprise_grant": principal, "operator_grant": agent}.get(table, row[-1])
        goes_along = (
            table == "operator_grant"
            and principal == operation["enterprise"]
            and (
                operation["kind"] == "enterprise_grant.delete"
                or (
                    operation["kind"] == "enterprise_grant.reinstate"
                    and not found
                    and (row, after or before) in back
                )
            )
        )
        demand(keeper == operation["enterprise"] or goes_along, "签名的企业无权做这项改动")

    def _check_whole(self, key: tuple, operation: dict) -> None:
        cards = self.under.get(key, set())
        stands = ("enterprise_grant", *key, "") in self.rows
        if operation["kind"] == "enterprise_grant.delete":
            demand(not stands and not cards, "删除授权的操作没有删除整个授权")
        demand(stands or not cards, "企业内授权没有所属的企业间授权")
        demand("" not in cards or len(cards) == 1, "全部操作员与单个操作员不能同时授权")


def demand(holds: object, message: str) -> None:
    if not holds:
        raise Fault(message)


def row_of(change: dict) -> tuple:
    """What makes a row the same one."""
    row = change["after"] or change["before"] or {}
    which = row.get("card_number", row.get("owner", ""))
    return (
        *(change[name] for name in ("table", *KEY)),
        which,
    )


def are_texts(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


def are_numbers(*values: object) -> bool:
    # Not `isinstance`, for which true and false are numbers.
    return all(type(value) is int for value in values)


def is_day(text: str) -> bool:
    return date.fromisoformat(text).isoformat() == text


def read_operation(payload: str) -> dict:
    """The operation that a payload is, to the letter."""
    try:
        value = json.loads(payload)
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        seen, changes = value["seen"], value["changes"]
        ok = text == payload and value["format"] == 1 and isinstance(changes, list)
        ok &= set(value) - {"reinstates"} == OPERATION_FIELDS and set(seen) == {"hash", "number"}
        ok &= are_numbers(value["format"], seen["number"], value.get("reinstates", 0))
        texts = ("at", "card", "enterprise", "nonce", "reason")
        ok &= are_texts(seen["hash"], *(value[name] for name in texts)) and value["kind"] in KINDS
        for change in changes:
            ok &= are_texts(*(change[name] for name in KEY))
            ok &= set(change) - {"found"} == CHANGE_FIELDS
            ok &= change.get("found", True) is True
            for row in (change["before"], change["after"]):
                if row is None:
                    continue
                ok &= set(row) == FIELDS[change["table"]]
                ok &= are_texts(*(each for name, each in row.items() if name != "revision"))
                ok &= are_numbers(row.get("revision", 0))
                ok &= all(is_day(row[name]) for name in DAYS & set(row))
            if change["before"] and change["after"]:
                ok &= row_of({**change, "after": None}) == row_of(change)
        moment(value["at"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        ok = False
    demand(ok, "内容不是规定格式的操作")
    return value


# -- the bundle --------------------------------------------------------------------


class Bundle:
    """The files of a bundle, and what was found about them."""

    def __init__(
        self,
        folder: Path,
        ssl: OpenSsl,
        authorities: Path | None = None,
        crls: Path | None = None,
        registry: Path | None = None,
    ) -> None:
        self.folder, self.ssl = folder, ssl
        self.faults: list[tuple[int, str]] = []
        self.notes: list[str] = []
        registered = json.loads((folder / "registry.json").read_text(encoding="utf-8"))
        own = read_registry(registry) if registry else None
        self.registered, self.own = registered, own
        self.signers: dict[str, Signer] = {}
        if registered and own is None:
            self.notes.append(
                f"{len(registered)}张证书的企业和角色取自本包所附的企业名录，由导出者提供，"
                "可用 --registry 换成自己的"
            )
        self.folder_of_authorities = authorities or folder / "authorities"
        self.authorities = read_authorities(ssl, self.folder_of_authorities)
        if authorities is None:
            self.notes.append("发证机构取自本包，由导出者提供，请核对以上指纹")
        else:
            # As in a trust folder of the program.
            crls = crls or authorities.absolute().parent / "crls"
        self.used: set[Authority] = set()
        self.lists = read_lists(ssl, folder / "crls", self.authorities, is_own=False)
        if crls is not None:
            self.lists += read_lists(ssl, crls, self.authorities, is_own=True)
        self.revoked = revocations(self.lists)
        self.state = State()
        self.operations: dict[int, dict] = {}

    def lines(self):
        """What is in each line, with its number; None where that has not the form of an entry."""
        with (self.folder / "entries.jsonl").open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError):
                    raise Unable(f"entries.jsonl 的第{number}行不是JSON") from None
                is_entry = isinstance(value, dict) and all(
                    type(value.get(name)) is kind for name, kind in ENTRY.items()
                )
                yield number, value if is_entry else None

    def signer(self, fingerprint: str) -> Signer:
        """Whose certificate has a fingerprint; others in the bundle are of no interest."""
        pem = self.folder / "certificates" / f"{fingerprint}.pem"
        # Before it is a part of a path.
        demand(re.fullmatch("[0-9a-f]{64}", fingerprint) and pem.exists(), NO_CERTIFICATE)
        signer = Signer(self.ssl, pem, self.registered.get(fingerprint, {}), self.own)
        demand(signer.fingerprint == fingerprint, NO_CERTIFICATE)
        return signer

    def find_issuers(self, signer: Signer, *moments: datetime) -> None:
        """Who issued a certificate; from the first to the last moment it was used."""
        at_each = [
            {each for each in self.authorities if signer.issued_by(each, at)} for at in set(moments)
        ]
        signer.is_in_date = bool(set.intersection(*at_each))
        signer.issuers = set.union(*at_each)
        if not signer.is_in_date:
            # It is asked about each signature then.
            signer.issuers = {each for each in self.authorities if signer.issued_by(each, None)}
        self.used |= signer.issuers

    def check_date(self, signer: Signer, at: datetime) -> None:
        # For openssl the last second of a certificate is one too late.
        holds = signer.is_in_date or any(
            signer.issued_by(issuer, at) or signer.issued_by(issuer, at - SECOND)
            for issuer in signer.issuers
        )
        demand(holds, "签名时证书不在有效期内")

    def note_lists(self) -> None:
        """What is known of revocations, for each authority that matters, and from whom."""
        for authority in filter(self.used.__contains__, self.authorities):
            lists = [each for each in self.lists if each.authority == authority]
            own = [each for each in lists if each.is_own]
            name = f"发证机构 {authority.name}"
            if not lists:
                self.notes.append(f"{name} 没有吊销列表，签名的卡当时是否已吊销无从得知")
                continue
            newest = max(each.updated for each in own or lists)
            when = f"最新的一份签发于 {newest:%Y-%m-%d %H:%M} GMT"
            if own:
                self.notes.append(f"{name} 的吊销列表用了自己的，{when}")
            else:
                self.notes.append(
                    f"{name} 的吊销列表只取自本包，由导出者提供，{when}，可用 --crls 加上自己的"
                )

    def check_certificates(self) -> dict[str, str]:
        """What is wrong with certificates, whenever they signed."""
        times: dict[str, list[datetime]] = {}
        wanted = set()
        for _, entry in self.lines():
            if entry is None:
                continue
            try:
                operation = read_operation(entry["payload"])
            except Fault:
                continue
            times.setdefault(entry["certificate"], []).append(moment(operation["at"]))
            span = times[entry["certificate"]]
            times[entry["certificate"]] = [min(span), max(span)]
            if operation.get("reinstates") is not None:
                wanted.add(operation["reinstates"])
        self.wanted = wanted
        wrong = {}
        for fingerprint, span in times.items():
            try:
                signer = self.signers[fingerprint] = self.signer(fingerprint)
                self.find_issuers(signer, *span)
                demand(signer.issuers, NOT_TRUSTED)
                demand(signer.role == "legal_person", "签名的不是法人卡")
            except Fault as fault:
                wrong[fingerprint] = str(fault)
        if times and list(wrong.values()) == [NOT_TRUSTED] * len(times):
            self.notes.append(
                f"{len(times)}张签名证书没有一张可信，请检查文件夹 {self.folder_of_authorities}"
                " 中是不是签发这些卡的机构"
            )
        return wrong

    def verify(self) -> None:
        self.wrong = self.check_certificates()
        self.hashes, self.last, self.nonces = {0: GENESIS}, 0, set()
        before = None
        for line, entry, is_sealed in self.sealed():
            if entry is None:
                self.faults.append((line, "没有台账的一笔应有的内容"))
                continue
            number = entry["number"]
            try:
                before = self.check_entry(entry, before, is_sealed)
            except (Fault, KeyError, TypeError, ValueError) as fault:
                said = str(fault) if isinstance(fault, Fault) else "内容不是规定格式的操作"
                self.faults.append((number, said))
                before = credible_time(entry, before, is_sealed)
            self.last = number
            self.hashes[number] = entry["hash"]
        self.check_checkpoint()
        self.note_lists()

    def sealed(self):
        """What `lines` gives, and whether hash and signature of the entry fit."""
        waiting: deque = deque()
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            for line, entry in self.lines():
                waiting.append((line, entry, pool.submit(self.is_sealed, line, entry)))
                while len(waiting) > 64:
                    *what, answer = waiting.popleft()
                    yield *what, answer.result()
            for *what, answer in waiting:
                yield *what, answer.result()

    def is_sealed(self, line: int, entry: dict | None) -> bool:
        signer = self.signers.get(entry["certificate"]) if entry else None
        if entry is None or signer is None:
            return False
        try:
            if entry_hash(entry) != entry["hash"]:
                return False
            signature, payload = base64.b64decode(entry["signature"]), entry["payload"].encode()
        except ValueError:
            return False
        return signer.fits(str(line), signature, OPERATION + payload)

    def check_entry(self, entry: dict, before: datetime | None, is_sealed: bool) -> datetime:
        """Work an entry in; returns when it was recorded."""
        number, fingerprint = entry["number"], entry["certificate"]
        demand(number == self.last + 1, f"此前缺少第{self.last + 1}笔")
        demand(entry["previous_hash"] == self.hashes[self.last], "没有接在上一笔之后")
        demand(entry_hash(entry) == entry["hash"], "哈希值不符，内容被改动过")
        operation = read_operation(entry["payload"])
        demand(fingerprint not in self.wrong, self.wrong.get(fingerprint, ""))
        recorded = self.check_times(entry, operation, before)
        self.check_signer(entry, operation)
        seen = operation["seen"]
        demand(
            0 <= seen["number"] < number and self.hashes.get(seen["number"]) == seen["hash"],
            "签名时所见的台账不是这一本",
        )
        demand(is_sealed, "签名不符")
        demand(operation["nonce"] not in self.nonces, "同一个签名记录了两次")
        self.nonces.add(operation["nonce"])
        named_by = self.operations.get(operation.get("reinstates", 0))
        self.state.replay(number, operation, named_by)
        if number in self.wanted:
            self.operations[number] = operation
        return recorded

    def check_signer(self, entry: dict, operation: dict) -> None:
        signer = self.signers[entry["certificate"]]
        demand(signer.card == operation["card"], "签名的卡不是操作中所写的卡")
        demand(signer.enterprise == operation["enterprise"], "签名的卡不属于操作中所写的企业")
        at = moment(operation["at"])
        self.check_date(signer, at)
        self.check_revoked(signer, at)

    def check_revoked(self, signer: Signer, at: datetime) -> None:
        for issuer in signer.issuers:
            since = self.revoked.get((issuer, signer.serial))
            demand(since is None or at < since, "签名时证书已吊销")

    def check_times(self, entry: dict, operation: dict, before: datetime | None) -> datetime:
        recorded, at = moment(entry["recorded_at"]), moment(operation["at"])
        is_earlier = before is not None and recorded < before
        demand(is_earlier == entry["clock_reset"], "记录时间早于上一笔，或不实地记为时钟回拨")
        # Nothing is added to a time, which may be the last that there is.
        demand(timedelta() <= recorded - at <= LONGEST_DELAY, "签名时间与记录时间不符")
        if is_earlier:
            self.notes.append(f"第{entry['number']}笔之前服务器时间倒退过")
        return recorded

    def check_checkpoint(self) -> None:
        path = self.folder / "checkpoint.json"
        if not path.exists():
            self.notes.append("没有检查点，末尾是否被截去无从得知")
            return
        value = json.loads(path.read_text(encoding="utf-8"))
        signed = json.loads(value["checkpoint"])
        body = value["certificate"]
        pem = f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"
        signer = Signer(self.ssl, self.ssl.put("checkpoint.pem", pem.encode()), {}, None)
        at, number = moment(signed["at"]), signed["number"]
        try:
            demand(signer.card == signed["card"], "签署检查点的卡不是其中所写的卡")
            self.find_issuers(signer, at)
            demand(signer.issuers, "检查点的签名者不可信")
            self.check_date(signer, at)
            self.check_revoked(signer, at)
            signature = base64.b64decode(value["signature"])
            text = CHECKPOINT + value["checkpoint"].encode()
            demand(signer.fits("checkpoint", signature, text), "检查点的签名不符")
            demand(number <= self.last, f"签署检查点时已有{number}笔，末尾被截去了")
            demand(self.hashes[number] == signed["hash"], "与检查点不符，台账被改写过")
            when = f"{at:%Y-%m-%d %H:%M:%S}"
            self.notes.append(f"第{number}笔与检查点相符，由卡 {signer.card} 签署于 {when}")
        except Fault as fault:
            self.faults.append((number, str(fault)))


def credible_time(entry: dict, before: datetime | None, is_sealed: bool) -> datetime | None:
    """By what time the one behind an entry that does not hold is judged.

    It must not be accused because the time of that entry was changed, nor because the
    clock was set back before it.
    """
    try:
        recorded = moment(entry["recorded_at"])
    except ValueError:
        return before
    if entry["clock_reset"] and before is not None:
        return min(recorded, before)
    is_later = before is None or recorded >= before
    return recorded if is_sealed and is_later else before


def entry_hash(entry: dict) -> str:
    lines = (
        "eport_tui/ledger/v1",
        str(entry["number"]),
        entry["previous_hash"],
        entry["recorded_at"],
        "1" if entry["clock_reset"] else "0",
        entry["certificate"],
        hashlib.sha256(entry["payload"].encode()).hexdigest(),
        hashlib.sha256(base64.b64decode(entry["signature"])).hexdigest(),
    )
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def report(bundle: Bundle) -> int:
    for authority in bundle.authorities:
        print(f"发证机构 {authority.name} 的SHA-256指纹：{authority.fingerprint}")
    for note in bundle.notes:
        print(f"说明：{note}")
    for number, message in sorted(bundle.faults)[:SHOWN]:
        print(f"第{number}笔：{message}")
    if bundle.faults:
        print(f"台账不可信，共{len(bundle.faults)}个问题，第一个在第{min(bundle.faults)[0]}笔")
        return 1
    tables = [row[0] for row in bundle.state.rows]
    print(f"台账完好：{bundle.last}笔操作，末笔的哈希值为 {bundle.hashes[bundle.last]}")
    print(
        f"现有企业间授权{tables.count('enterprise_grant')}条，"
        f"企业内授权{tables.count('operator_grant')}条"
    )
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description="离线核对导出的台账，只需要 Python 和 openssl")
    here = Path(__file__).resolve().parent
    parser.add_argument("folder", type=Path, nargs="?", default=here, help="解压后的文件夹")
    parser.add_argument("--authorities", type=Path, help="自己信任的发证机构证书（*.pem）的文件夹")
    parser.add_argument(
        "--crls",
        type=Path,
        help="自己的吊销列表（*.crl 或 *.pem）的文件夹；不写时用 --authorities 旁边的 crls",
    )
    parser.add_argument(
        "--registry", type=Path, help="自己的企业名录（CSV，有 海关编码 和 法人卡号 两列）"
    )
    parser.add_argument("--openssl", help="openssl 命令的路径")
    args = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as made:
            ssl = OpenSsl(args.openssl, Path(made))
            for given in (args.authorities, args.crls):
                if given is not None and not given.is_dir():
                    raise Unable(f"文件夹 {given} 不存在")
            bundle = Bundle(args.folder, ssl, args.authorities, args.crls, args.registry)
            bundle.verify()
            return report(bundle)
    except (Unable, OSError) as error:
        print(f"无法核对：{error}", file=sys.stderr)
    # Whatever is wrong with the files of the bundle, it is no proof against the ledger.
    except Exception as error:
        print(f"无法核对，本包的文件无法识别：{error!r}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.exit(main())
