"""OpenSC and yubikey-manager accept the tests' own PIV card, so it is one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.modes import ECB

from tests.card.pcscd import Pcscd
from tests.card.piv_applet import DEFAULT_MANAGEMENT_KEY, PivApplet
from tests.card.piv_making import make_piv
from tests.card.vpcd import VirtualReader

pytestmark = pytest.mark.card

PIN = "123456"


@pytest.fixture(scope="module")
def inserted(authority) -> Iterator[PivApplet]:
    """A card with RSA in 9A and P-256 in 9C, in the reader of a pcscd."""
    service, slot = Pcscd(), VirtualReader()
    service.start()
    applet = make_piv(authority, kind="rsa")
    slot.insert(applet)
    yield applet
    slot.pull()
    service.stop()


def run(*words: str, succeeds: bool = True) -> str:
    """Run a program on the card in the first reader; returns all it prints."""
    done = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False
    )
    assert (done.returncode == 0) is succeeds, done.stdout
    return done.stdout


def test_opensc_knows_the_card(inserted):
    assert "Personal Identity Verification Card" in run("opensc-tool", "--name")
    serial = run("piv-tool", "--serial").replace(" ", "").lower()
    assert inserted.guid.hex() in serial


def test_opensc_lists_both_certificates_and_keys(inserted):
    listed = run("pkcs11-tool", "--list-objects", "--login", "--pin", PIN)
    assert listed.count("Certificate Object") == 2
    assert listed.count("Private Key Object") == 2


def test_opensc_finds_no_fault_in_any_mechanism(inserted):
    assert "No errors" in run("pkcs11-tool", "--test", "--login", "--pin", PIN)


@pytest.mark.parametrize(("key", "mechanism"), [("01", "SHA256-RSA-PKCS"), ("02", "ECDSA-SHA256")])
def test_opensc_signs_with_both_keys(inserted, tmp_path: Path, key, mechanism):
    data, signature = tmp_path / "data", tmp_path / "signature"
    data.write_bytes(b"save 1")
    options = ["--signature-format", "openssl"] if key == "02" else []
    run(
        *("pkcs11-tool", "--sign", "--login", "--pin", PIN, "--id", key),
        *("--mechanism", mechanism, "--input-file", str(data), "--output-file", str(signature)),
        *options,
    )
    public = inserted.keys[0x9A if key == "01" else 0x9C].public_key()
    if isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(signature.read_bytes(), b"save 1", ec.ECDSA(hashes.SHA256()))
    else:
        public.verify(signature.read_bytes(), b"save 1", padding.PKCS1v15(), hashes.SHA256())


def test_opensc_proves_the_management_key(inserted, tmp_path, monkeypatch):
    path = tmp_path / "key"
    monkeypatch.setenv("PIV_EXT_AUTH_KEY", str(path))
    for key, succeeds in ((DEFAULT_MANAGEMENT_KEY, True), (bytes(range(24)), False)):
        path.write_text(":".join(f"{byte:02x}" for byte in key))
        run("piv-tool", "--admin", "M:9B:03", succeeds=succeeds)


@pytest.mark.parametrize(("key", "status"), [(DEFAULT_MANAGEMENT_KEY, 0x9000), (bytes(24), 0x6982)])
def test_the_management_key_is_proved_by_the_outside_alone(key, status):
    # By hand: `piv-tool --admin A:9B:03` sends nothing after the challenge before OpenSC 0.24.
    applet = PivApplet()
    applet.exchange(bytes.fromhex("00A4040009A00000030800001000"))
    answer = applet.exchange(bytes.fromhex("0087039B047C02810000"))
    assert (answer[:4], len(answer)) == (bytes.fromhex("7C0A8108"), 14)
    proof = Cipher(TripleDES(key), ECB()).encryptor().update(answer[4:12])
    command = bytes.fromhex("0087039B0C7C0A8208") + proof
    assert applet.exchange(command) == status.to_bytes(2)
    # A challenge serves once.
    assert applet.exchange(command) == bytes.fromhex("6982")


@pytest.fixture
def yubikit_session(authority):
    """yubikey-manager's own client over a card in memory."""
    from yubikit.core import TRANSPORT
    from yubikit.core.smartcard import SmartCardConnection
    from yubikit.piv import PivSession

    applet = make_piv(authority, kind="rsa")

    class Connection(SmartCardConnection):
        @property
        def transport(self):
            return TRANSPORT.USB

        def send_and_receive(self, apdu):
            answer = applet.exchange(apdu)
            return answer[:-2], int.from_bytes(answer[-2:])

        def close(self):
            pass

    return PivSession(Connection())


def test_yubikit_reads_and_signs(yubikit_session):
    from yubikit.piv import KEY_TYPE, SLOT

    rsa = yubikit_session.get_certificate(SLOT.AUTHENTICATION)
    curve = yubikit_session.get_certificate(SLOT.SIGNATURE)
    data = b"save 1"
    yubikit_session.verify_pin(PIN)
    rsa.public_key().verify(
        yubikit_session.sign(
            SLOT.AUTHENTICATION, KEY_TYPE.RSA2048, data, hashes.SHA256(), padding.PKCS1v15()
        ),
        data,
        padding.PKCS1v15(),
        hashes.SHA256(),
    )
    yubikit_session.verify_pin(PIN)
    curve.public_key().verify(
        yubikit_session.sign(SLOT.SIGNATURE, KEY_TYPE.ECCP256, data, hashes.SHA256()),
        data,
        ec.ECDSA(hashes.SHA256()),
    )


def test_yubikit_blocks_and_unblocks(yubikit_session):
    from yubikit.core import InvalidPinError

    for left in (2, 1, 0):
        assert yubikit_session.get_pin_attempts() == left + 1
        with pytest.raises(InvalidPinError) as caught:
            yubikit_session.verify_pin("000000")
        assert caught.value.attempts_remaining == left
    yubikit_session.unblock_pin("12345678", "654321")
    yubikit_session.change_pin("654321", PIN)
    yubikit_session.verify_pin(PIN)


def test_yubikit_makes_a_key_and_stores_a_certificate(yubikit_session):
    from yubikit.piv import KEY_TYPE, SLOT

    certificate: x509.Certificate = yubikit_session.get_certificate(SLOT.AUTHENTICATION)
    yubikit_session.authenticate(DEFAULT_MANAGEMENT_KEY)
    for kind in (KEY_TYPE.RSA2048, KEY_TYPE.ECCP256):
        assert yubikit_session.generate_key(SLOT.SIGNATURE, kind)
    yubikit_session.put_certificate(SLOT.SIGNATURE, certificate, compress=True)
    assert yubikit_session.get_certificate(SLOT.SIGNATURE) == certificate
