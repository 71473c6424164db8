"""Bundles: the ledger with all that is needed to verify it elsewhere, without the program."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from importlib.resources import files
from pathlib import Path
from ssl import DER_cert_to_PEM_cert
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile

from eport_tui.domain.text import printable
from eport_tui.errors import InvalidInput, unwritable
from eport_tui.services.checkpoints import Checkpoint
from eport_tui.store import ledger
from eport_tui.store.database import Store
from eport_tui.store.ledger import Entry

if TYPE_CHECKING:
    from eport_tui.card.trust import TrustStore

README = """\
这里是导出的授权台账，共{count}笔操作，末笔的哈希值为
{hash}

核对（需要 Python 3.8 以上和 openssl 命令）：

    python3 -I verify.py --authorities 自己的发证机构证书文件夹

本包由导出者制作。不信任导出者时，以下各项不能取自本包：

- 发证机构（authorities/）：用 --authorities 写明自己的；不写时请核对程序所列的指纹。
- 吊销列表（crls/）：导出者可以略去较新的一份，使已吊销的卡看似有效。请从发证机构
  另取，放在自己的发证机构证书文件夹旁边的 crls 文件夹中，或用 --crls 写明。
- 企业名录（registry.json）：中国电子口岸的卡属于哪个企业、是不是法人卡。请用
  --registry 写明自己的企业名录（CSV，有 海关编码 和 法人卡号 两列）。
- verify.py：请从本程序的发行版中另取一份，eport_tui/services/verify_bundle.py。

哪些取自本包，核对时逐项说明。

退出码：0 台账完好，1 台账不可信，2 无法核对。

entries.jsonl       各笔操作，每行一笔
certificates/       签名者的证书，以SHA-256指纹命名
authorities/        所信任的发证机构的证书
crls/               吊销列表
registry.json       证书中没有企业编号的卡，导出时企业名录所记的企业和角色
checkpoint.json     检查点（如果有）
"""

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)


def export(
    store: Store, trust: TrustStore, file: Path, checkpoint: Checkpoint | None = None
) -> int:
    """Write the ledger, certificates, lists and the verifier into a new zip file.

    Args:
        file: Must not be there; only its owner will be able to read it.
        checkpoint: Goes along where there is one.

    Returns:
        How many entries it holds.

    Raises:
        InvalidInput: The file is there, or cannot be written.
        StoreError: The database cannot be read.
    """
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise InvalidInput(f"文件 {printable(str(file))} 已存在", hint="请换一个文件名") from error
    except OSError as error:
        raise unwritable("文件", file, error) from error
    try:
        with os.fdopen(descriptor, "wb") as opened, ZipFile(opened, "w", ZIP_DEFLATED) as bundle:
            return _write(bundle, store, trust, checkpoint)
    except BaseException as error:
        file.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise unwritable("文件", file, error) from error
        raise


def _write(bundle: ZipFile, store: Store, trust: TrustStore, checkpoint: Checkpoint | None) -> int:
    last, hash_ = 0, ""
    with store.snapshot():
        with bundle.open("entries.jsonl", "w", force_zip64=True) as lines:
            for entry in ledger.entries(store):
                lines.write(_line(entry))
                last, hash_ = entry.number, entry.hash
        certificates = ledger.certificates(store)
    for fingerprint, der in certificates.items():
        # Another fingerprint, which another program has put there, could be any path.
        if fingerprint == hashlib.sha256(der).hexdigest():
            bundle.writestr(f"certificates/{fingerprint}.pem", DER_cert_to_PEM_cert(der))
    bundle.writestr("registry.json", json.dumps(_registered(certificates, trust)))
    _write_trust(bundle, trust)
    if checkpoint is not None:
        bundle.writestr("checkpoint.json", checkpoint.as_file())
    verifier = files("eport_tui.services").joinpath("verify_bundle.py")
    bundle.writestr("verify.py", verifier.read_text(encoding="utf-8"))
    bundle.writestr("README.txt", README.format(count=last, hash=hash_))
    return last


def _line(entry: Entry) -> bytes:
    value = {
        "number": entry.number,
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
        "recorded_at": entry.recorded_at,
        "clock_reset": entry.clock_reset == 1,
        "certificate": entry.certificate,
        "signature": base64.b64encode(entry.signature).decode(),
        "payload": entry.payload,
    }
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def _registered(certificates: dict[str, bytes], trust: TrustStore) -> dict[str, dict[str, str]]:
    """What only the registry knows of the cards of China E-Port."""
    from eport_tui.card.eport_profile import is_eport_card
    from eport_tui.card.errors import CertificateRefused
    from eport_tui.card.profile import load_certificate

    found: dict[str, dict[str, str]] = {}
    for fingerprint, der in certificates.items():
        try:
            if is_eport_card(load_certificate(der)):
                holder = trust.holder_of(der)
                found[fingerprint] = {
                    "enterprise": holder.enterprise.customs_code,
                    "role": holder.role.value,
                }
        except CertificateRefused:
            continue
    return found


def _write_trust(bundle: ZipFile, trust: TrustStore) -> None:
    authorities = [
        block
        for path in sorted(trust.authorities.glob("*.pem"))
        for block in _PEM.findall(path.read_bytes())
    ]
    for number, block in enumerate(authorities, 1):
        bundle.writestr(f"authorities/{number}.pem", block)
    source = trust.revocation
    for number, path in enumerate(sorted(source.glob("*.crl")) if source.is_dir() else [source], 1):
        if path.is_file():
            bundle.writestr(f"crls/{number}.pem", _as_pem(path.read_bytes()))


def _as_pem(crl: bytes) -> bytes:
    if crl.lstrip().startswith(b"-----BEGIN"):
        return crl
    return b"-----BEGIN X509 CRL-----\n" + base64.encodebytes(crl) + b"-----END X509 CRL-----\n"
