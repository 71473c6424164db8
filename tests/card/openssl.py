"""Authorities, certificates and signatures made with the `openssl` command line.

It is the independent other side of `card/sm2.py`: nothing here uses that module.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.serialization import Encoding

from eport_tui.card.profile import IDENTITY, ROLES, SOFTWARE_KEY, Identity
from eport_tui.domain.holders import Holder

ID = "1234567812345678"
EPORT_ARC = "1.3.6.1.4.1.5315.100.5"

_AUTHORITY_EXTENSIONS = """
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""


def openssl(*arguments: str | Path, given: bytes = b"") -> bytes:
    """What `openssl` prints."""
    program = shutil.which("openssl")
    assert program, "the openssl command is missing; on Debian: apt-get install openssl"
    done = subprocess.run(
        [program, *map(str, arguments)], input=given, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def make_key(path: Path, kind: str = "SM2") -> Path:
    """A private key on a curve, or `RSA:<bits>`, in PEM."""
    if kind.startswith("RSA:"):
        options = ["-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{kind[4:]}"]
    else:
        options = ["-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{kind}"]
    path.parent.mkdir(parents=True, exist_ok=True)
    openssl("genpkey", *options, "-out", path)
    return path


def sign(key: Path, data: bytes, *, identifier: str = ID) -> bytes:
    """A signature of SM2 with SM3, DER."""
    # One-shot algorithms read the data from a file whose size they can ask for.
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return openssl(
            *("pkeyutl", "-sign", "-inkey", key, "-rawin", "-digest", "sm3"),
            *("-pkeyopt", f"distid:{identifier}", "-in", file.name),
        )


class Authority:
    """An authority whose certificate is in `folder/authorities/ca.pem`.

    Args:
        folder: Its own; it becomes a trust folder with `publish_list`.
        kind: Kind of its key, as `make_key` takes it.
        extensions: Of its certificate.
        days: Until its certificate ends.
        digest: Of its signatures, where its key is not one of SM2.
    """

    def __init__(
        self,
        folder: Path,
        *,
        kind: str = "SM2",
        name: str = "测试发证机构",
        extensions: str = _AUTHORITY_EXTENSIONS,
        days: int = 3000,
        digest: str = "sha256",
    ) -> None:
        self.folder = folder
        self.key = make_key(folder / "ca.key", kind)
        self._kind = kind
        self._digest = "sm3" if kind == "SM2" else digest
        self.pem = folder / "authorities" / "ca.pem"
        self.pem.parent.mkdir()
        self._config = folder / "openssl.cnf"
        self._config.write_text(
            "[req]\ndistinguished_name = dn\nx509_extensions = ca\n[dn]\n"
            f"[ca]\n{extensions}\n"
            f"[list]\ndatabase = {folder}/index.txt\ncrlnumber = {folder}/crlnumber\n"
        )
        (folder / "index.txt").touch()
        (folder / "crlnumber").write_text("01\n")
        openssl(
            *("req", "-x509", "-new", "-utf8", "-key", self.key, "-subj", f"/CN={name}"),
            *("-config", self._config, "-days", str(days), "-out", self.pem, *self._signing()),
        )

    def _signing(self) -> list[str]:
        identifier = ["-sigopt", f"distid:{ID}"] if self._kind == "SM2" else []
        return [f"-{self._digest}", *identifier]

    def certify(self, key: Path, subject: str, extensions: str, *, days: int = 729) -> bytes:
        """A certificate, DER, for the key in the file `key`."""
        file = self.folder / "extensions.cnf"
        file.write_text(extensions)
        request = openssl(
            *("req", "-new", "-utf8", "-key", key, "-subj", subject, "-config", self._config),
            # The request itself is not looked at, but openssl insists on checking it.
            *(["-sm3", "-sigopt", f"distid:{ID}"] if b"SM2" in _describe(key) else []),
        )
        return openssl(
            *("x509", "-req", "-CA", self.pem, "-CAkey", self.key, "-CAcreateserial"),
            *("-extfile", file, "-days", str(days), "-outform", "DER", *self._signing()),
            *(["-vfyopt", f"distid:{ID}"] if b"SM2" in _describe(key) else []),
            given=request,
        )

    def publish_list(self, *revoked: bytes, days: int = 30, name: str = "ca.crl") -> None:
        """Write a revocation list with the certificates `revoked` (DER)."""
        for der in revoked:
            file = self.folder / "revoked.pem"
            file.write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
            self._ca("-revoke", file)
        path = self.folder / "crls" / name
        path.parent.mkdir(exist_ok=True)
        self._ca("-gencrl", "-crldays", str(days), "-out", path)

    def _ca(self, *arguments: str | Path) -> None:
        openssl(
            *("ca", "-batch", "-config", self._config, "-name", "list", "-cert", self.pem),
            *("-keyfile", self.key, "-md", self._digest),
            *(["-sigopt", f"distid:{ID}"] if self._kind == "SM2" else []),
            *arguments,
        )


def _describe(key: Path) -> bytes:
    return openssl("pkey", "-in", key, "-noout", "-text")


def subject_of(holder: Holder) -> str:
    """The subject of the project's own profile."""
    enterprise = holder.enterprise
    return (
        f"/C=CN/O={enterprise.name}/organizationIdentifier=NTRCN-{enterprise.uscc}"
        f"/CN={holder.person}/serialNumber={holder.card_number}"
    )


def own_extensions(
    holder: Holder,
    *,
    constraints: str = "critical, CA:FALSE",
    usage: str = "critical, digitalSignature",
    extended: str | None = None,
    more: str = "",
) -> str:
    """The extensions of the project's own profile; a software card's."""
    role = next(oid for oid, role in ROLES.items() if role is holder.role)
    identity = Identity(
        version=1,
        customs_code=holder.enterprise.customs_code,
        card_number=holder.card_number,
        uscc=holder.enterprise.uscc,
        role=holder.role.value,
        assurance="software",
    )
    extended = (
        f"{role.dotted_string}, {SOFTWARE_KEY.dotted_string}" if extended is None else extended
    )
    lines = [
        f"basicConstraints = {constraints}",
        f"keyUsage = {usage}" if usage else "",
        f"extendedKeyUsage = {extended}" if extended else "",
        f"{IDENTITY.dotted_string} = DER:{asn1.encode_der(identity).hex(':')}",
        more,
    ]
    return "\n".join(lines)


def eport_extensions(
    *,
    enterprise: str = "上海甲制造有限公司",
    card: str = "03-8900000000011",
    organization: str = "PDY00001X",
    extended: str = "clientAuth, emailProtection, msSmartcardLogin",
    usage: str = "digitalSignature, nonRepudiation",
    without: str = "",
    more: str = "",
) -> str:
    """The extensions of a China E-Port certificate, as the published sample has them.

    `without` is the last number of an extension to leave out.
    """
    values = {"1": enterprise, "3": "01", "8": "X" * 18, "9": card, "11": organization, "12": "00"}
    lines = [
        f"keyUsage = {usage}" if usage else "",
        f"extendedKeyUsage = {extended}" if extended else "",
        *(
            f"{EPORT_ARC}.{number} = ASN1:FORMAT:UTF8,UTF8String:{value}"
            for number, value in values.items()
            if number != without
        ),
        more,
    ]
    return "\n".join(lines)


def eport_subject(enterprise: str = "上海甲制造有限公司", person: str = "张三") -> str:
    """The subject of a China E-Port certificate."""
    return f"/C=CN/OU={enterprise}/CN={person}"
