"""Combinations of settings that are refused at start, each with one sentence that says what to do."""

from __future__ import annotations

import os
import re
from base64 import b64decode
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, urlsplit

from crosstie.errors import ConfigurationError
from crosstie.settings.values import Settings

Network = IPv4Network | IPv6Network
KEY_BYTES = 32


def networks(cidrs: Iterable[str]) -> tuple[Network, ...]:
    """CIDRs as networks; a single address is a network of one. Raises ValueError."""
    return tuple(ip_network(cidr) for cidr in cidrs)


def refuse_unsafe(settings: Settings) -> None:
    """Raises ConfigurationError for the first unsafe combination in `settings`."""
    for guard in GUARDS:
        try:
            guard(settings)
        except OSError as error:
            raise ConfigurationError(f"{error.filename} cannot be read: {error.strerror}.") from error


def _refuse(broken: bool, sentence: str) -> None:
    if broken:
        raise ConfigurationError(sentence)


def _url(name: str, value: str, schemes: tuple[str, ...]) -> SplitResult:
    """`value` taken apart; never repeated in an error, as it may hold a password."""
    try:
        url = urlsplit(value)
        _ = url.port
    except ValueError as error:
        raise ConfigurationError(f"CROSSTIE_{name} is not a URL: {error}.") from None
    allowed = ", ".join(f"{scheme}://" for scheme in schemes)
    _refuse(url.scheme not in schemes, f"CROSSTIE_{name} must be a URL that begins with {allowed}.")
    return url


def _loopback(host: str | None) -> bool:
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost" or (host or "").endswith(".localhost")


def exposed(found: os.stat_result) -> bool:
    """Whether others than its owner can read a file. Its group may where we are only in the group, not the owner: so
    Kubernetes mounts secrets for a process that is not root."""
    return found.st_mode & (0o077 if found.st_uid == os.geteuid() else 0o037) != 0


def _readable(name: str, path: Path) -> None:
    _refuse(not path.is_file(), f"CROSSTIE_{name} names {path}, and there is no such file: put it there.")
    _refuse(exposed(path.stat()), f"{path} is a key and others can read it: run `chmod 600 {path}`.")


def _database(s: Settings) -> None:
    roles = []
    for name in ("DATABASE_URL", "DATABASE_WORKER_URL", "DATABASE_OWNER_URL"):
        value = getattr(s, name.lower())
        if value:
            url = _url(name, value, ("postgresql", "postgres"))
            roles.append(url.username or parse_qs(url.query).get("user", [""])[0])
            _refuse(not roles[-1], f"CROSSTIE_{name} names no role: write postgresql://ROLE:PASSWORD@HOST/DATABASE.")
    _refuse(
        bool(s.database_url) != bool(s.database_worker_url),
        "A database of your own needs two roles: set both CROSSTIE_DATABASE_URL and CROSSTIE_DATABASE_WORKER_URL.",
    )
    _refuse(
        len(set(roles)) != len(roles),
        "The database addresses name one role twice: give the application, the worker and the owner a role each.",
    )


def _master_key(s: Settings) -> None:
    given = [s.master_key_file is not None, bool(s.master_key_base64), bool(s.vault_url)]
    _refuse(
        sum(given) > 1,
        "The master key has one origin: set one of CROSSTIE_MASTER_KEY_FILE, CROSSTIE_MASTER_KEY_BASE64 and"
        " CROSSTIE_VAULT_URL.",
    )
    _refuse(
        bool(s.database_url) and not any(given),
        "A database of your own needs CROSSTIE_MASTER_KEY_FILE: make one with "
        "`(umask 077; head -c 32 /dev/urandom > master.key)` and keep a copy apart from the database.",
    )
    _refuse(
        bool(s.former_master_key_base64) and not s.master_key_base64,
        "CROSSTIE_FORMER_MASTER_KEY_BASE64 is the key before CROSSTIE_MASTER_KEY_BASE64: set that one, too.",
    )
    for name in ("MASTER_KEY_BASE64", "FORMER_MASTER_KEY_BASE64"):
        value = getattr(s, name.lower())
        _refuse(
            bool(value) and not _is_key(value),
            f"CROSSTIE_{name} must be {KEY_BYTES} bytes in base64: make one with `head -c 32 /dev/urandom | base64`.",
        )
    path = s.master_key
    if s.key_in_file and (s.database_url or path.exists()):
        _readable("MASTER_KEY_FILE", path)
        size = path.stat().st_size
        _refuse(
            size != KEY_BYTES, f"{path} must hold exactly {KEY_BYTES} bytes and holds {size}: put the right key there."
        )


def _is_key(text: str) -> bool:
    try:
        return len(b64decode(text, validate=True)) == KEY_BYTES
    except ValueError:
        return False


def _vault(s: Settings) -> None:
    _refuse(
        not s.vault_url
        and (
            s.vault_token_file is not None or s.vault_ca_file is not None or bool(s.vault_namespace or s.vault_kv_path)
        ),
        "There is a token, a namespace or a certificate for a Vault and no Vault: set CROSSTIE_VAULT_URL.",
    )
    if not s.vault_url:
        return
    url = _url("VAULT_URL", s.vault_url, ("https", "http"))
    _refuse(
        url.scheme == "http" and not _loopback(url.hostname),
        "The master key would travel in the clear: set CROSSTIE_VAULT_URL to an https:// address.",
    )
    _refuse(url.username is not None, "CROSSTIE_VAULT_URL holds a name: a token goes into CROSSTIE_VAULT_TOKEN_FILE.")
    _refuse(s.vault_token_file is None, "The Vault wants a token: set CROSSTIE_VAULT_TOKEN_FILE.")
    if s.vault_token_file:
        _readable("VAULT_TOKEN_FILE", s.vault_token_file)
    if s.vault_ca_file:
        path = s.vault_ca_file
        _refuse(not path.is_file(), f"CROSSTIE_VAULT_CA_FILE names {path}, and there is no such file: put it there.")


def _public(s: Settings) -> None:
    _refuse(
        not s.public_url,
        f"CROSSTIE_HOST {s.host} means every address: set CROSSTIE_PUBLIC_URL to the https:// address callers use.",
    )
    url = _url("PUBLIC_URL", s.public_url, ("http", "https"))
    _refuse(
        not url.hostname or url.username is not None or any((url.path, url.query, url.fragment)),
        "CROSSTIE_PUBLIC_URL must be scheme, host and port only, like https://hub.example.com.",
    )
    _refuse(
        url.scheme == "http" and not _loopback(url.hostname),
        f"{s.public_url} would carry credentials in the clear: set CROSSTIE_PUBLIC_URL to an https:// address.",
    )
    _refuse(
        url.scheme == "http" and s.tls_cert_file is not None,
        "With CROSSTIE_TLS_CERT_FILE only TLS is spoken: write https:// in CROSSTIE_PUBLIC_URL.",
    )


def _tls(s: Settings) -> None:
    _refuse(
        (s.tls_cert_file is None) != (s.tls_key_file is None),
        "A certificate works only with its key: set both CROSSTIE_TLS_CERT_FILE and CROSSTIE_TLS_KEY_FILE, or neither.",
    )
    if s.tls_cert_file and s.tls_key_file:
        path = s.tls_cert_file
        _refuse(not path.is_file(), f"CROSSTIE_TLS_CERT_FILE names {path}, and there is no such file: put it there.")
        _readable("TLS_KEY_FILE", s.tls_key_file)


def _cidrs(s: Settings) -> None:
    for name in ("TRUSTED_PROXIES", "EGRESS_ALLOW"):
        try:
            networks(getattr(s, name.lower()))
        except ValueError as error:
            raise ConfigurationError(f"CROSSTIE_{name}: {error}; write networks like 10.0.0.0/8,fd00::/8.") from None
    _refuse(
        any(network.prefixlen == 0 for network in networks(s.trusted_proxies)),
        "CROSSTIE_TRUSTED_PROXIES would let anyone forge an address: name your proxies' networks.",
    )


def _cors(s: Settings) -> None:
    _refuse(
        s.cors_credentials and "*" in s.cors_origins,
        "Any page could act for a signed-in user: name the origins in CROSSTIE_CORS_ORIGINS instead of *, "
        "or unset CROSSTIE_CORS_CREDENTIALS.",
    )
    for origin in set(s.cors_origins) - {"*"}:
        url = _url("CORS_ORIGINS", origin, ("http", "https"))
        _refuse(
            origin != f"{url.scheme}://{url.netloc}" or not url.hostname or url.username is not None,
            f"{origin} in CROSSTIE_CORS_ORIGINS is not an origin: write it like https://app.example.com.",
        )


BROKERS = ("nats", "tls", "amqp", "amqps", "celery+amqp", "celery+amqps")
#: words parted by dots, then the type: what stands before it names a stream or an exchange
TEMPLATE = re.compile(r"([A-Za-z0-9_-]+\.)*\{event_type\}", re.ASCII)


def _brokers(s: Settings) -> None:
    for broker in s.brokers:
        url = _url("BROKERS", broker, BROKERS)
        _refuse(not url.hostname, "CROSSTIE_BROKERS holds an address without a host: write nats://HOST:PORT.")
    for name in ("BROKER_OUT", "BROKER_IN"):
        _refuse(
            not TEMPLATE.fullmatch(getattr(s, name.lower())),
            f"CROSSTIE_{name} must be words parted by dots with {{event_type}} at the end, and nothing else in braces.",
        )


def _store(s: Settings) -> None:
    _refuse(
        bool(s.s3_access_key_id) != bool(s.s3_secret_access_key),
        "A key of the file store has two halves: set both CROSSTIE_S3_ACCESS_KEY_ID and CROSSTIE_S3_SECRET_ACCESS_KEY.",
    )
    _refuse(
        bool(s.s3_endpoint or s.s3_access_key_id) and not (s.s3_bucket or s.audit_bucket),
        "The file store has an address or a key and no bucket: set CROSSTIE_S3_BUCKET.",
    )
    if s.s3_endpoint:
        _url("S3_ENDPOINT", s.s3_endpoint, ("https", "http"))


MAIL = re.compile(r"[^@\s<>\x00-\x1f]{1,64}@[A-Za-z0-9.-]{1,189}", re.ASCII)


def _mail(s: Settings) -> None:
    _refuse(
        bool(s.smtp_url) != bool(s.mail_from),
        "A mail server needs an address that mails come from: set both CROSSTIE_SMTP_URL and CROSSTIE_MAIL_FROM.",
    )
    if s.smtp_ca_file:
        path = s.smtp_ca_file
        _refuse(not path.is_file(), f"CROSSTIE_SMTP_CA_FILE names {path}, and there is no such file: put it there.")
    if not s.smtp_url:
        return
    url = _url("SMTP_URL", s.smtp_url, ("smtps", "smtp"))
    _refuse(
        not url.hostname or any((url.path.strip("/"), url.fragment)) or url.query not in ("", "security=none"),
        "CROSSTIE_SMTP_URL must be smtp://NAME:PASSWORD@HOST:587 or smtps://NAME:PASSWORD@HOST:465.",
    )
    _refuse(
        url.query == "security=none" and not _loopback(url.hostname),
        "Mails would travel in the clear: take ?security=none out of CROSSTIE_SMTP_URL; it is for this machine alone.",
    )
    _refuse(bool(url.username) != bool(url.password), "CROSSTIE_SMTP_URL has a name or a password: write both.")
    _refuse(not MAIL.fullmatch(s.mail_from), "CROSSTIE_MAIL_FROM must be an address like no-reply@example.com.")


GUARDS: tuple[Callable[[Settings], None], ...] = (
    _database,
    _master_key,
    _vault,
    _public,
    _tls,
    _cidrs,
    _cors,
    _brokers,
    _store,
    _mail,
)
