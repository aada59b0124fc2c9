"""A certificate authority of our own, good and bad certificates, and the contexts of servers that show them."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey, age: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - age)
        .not_valid_after(now - age + 30 * DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )


class Authority:
    """Signs certificates for host names and addresses."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = _certificate("Test Authority", "Test Authority", self._key, self._key, DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        root = builder.add_extension(usage, critical=True).sign(self._key, SHA256())
        self.pem = root.public_bytes(Encoding.PEM)

    def trust(self) -> ssl.SSLContext:
        """What a client needs to trust this authority and no other."""
        return ssl.create_default_context(cadata=self.pem.decode())

    def serve(self, *hosts: str, age: timedelta = DAY, itself: bool = False) -> ssl.SSLContext:
        """A server's context; its certificate lives 30 days from `age` ago, and is signed by itself or by us."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer, signer = (hosts[0], key) if itself else ("Test Authority", self._key)
        names = [x509.IPAddress(ip_address(h)) if h[0].isdigit() or ":" in h else x509.DNSName(h) for h in hosts]
        builder = _certificate(hosts[0], issuer, key, signer, age)
        leaf = builder.add_extension(x509.SubjectAlternativeName(names), critical=False).sign(signer, SHA256())
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "server.pem"
            path.write_bytes(secret + leaf.public_bytes(Encoding.PEM))
            context.load_cert_chain(path)
        return context


@cache
def authority() -> Authority:
    return Authority()
