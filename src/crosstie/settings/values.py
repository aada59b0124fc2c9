"""The settings themselves: name, type, bounds, meaning, default."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_type_hints

import msgspec


def _doc(text: str, *, secret: bool = False, unit: str = "") -> msgspec.Meta:
    return msgspec.Meta(description=text, extra={"secret": secret, "unit": unit})


def _range(least: int, most: int) -> msgspec.Meta:
    return msgspec.Meta(ge=least, le=most)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One installation's settings. `crosstie.settings.load` makes them, complete and checked."""

    home: Annotated[Path, _doc("Folder for data, keys and the embedded database")] = Path(".crosstie")

    database_url: Annotated[
        str,
        _doc("PostgreSQL as the application's role; with no database address at all one is embedded", secret=True),
    ] = ""
    database_worker_url: Annotated[str, _doc("PostgreSQL as the worker's role", secret=True)] = ""
    database_owner_url: Annotated[
        str, _doc("PostgreSQL as the owner's role; only migrate, backup and restore use it", secret=True)
    ] = ""
    pool_size: Annotated[int, _range(2, 200), _doc("Database connections of one process, for each role")] = 10
    statement_timeout: Annotated[int, _range(1, 3600), _doc("A statement is cut after", unit="seconds")] = 30
    transaction_timeout: Annotated[int, _range(1, 3600), _doc("A transaction is cut after", unit="seconds")] = 60

    host: Annotated[str, msgspec.Meta(min_length=1), _doc("Address to listen on")] = "127.0.0.1"
    port: Annotated[int, _range(1, 65_535), _doc("Port to listen on")] = 8080
    public_url: Annotated[
        str, _doc("Where callers reach this installation; unless given, http://HOST:PORT (https with TLS files)")
    ] = ""
    trusted_proxies: Annotated[tuple[str, ...], _doc("Networks (CIDR) whose X-Forwarded-* headers are believed")] = ()
    security_contact: Annotated[
        str,
        msgspec.Meta(pattern=r"^((mailto:|https://|tel:)\S+)?$"),
        _doc("Where people report holes, for security.txt: mailto:, https:// or tel:; unless given, a page says how"),
    ] = ""
    cors_origins: Annotated[
        tuple[str, ...], _doc("Origins beside PUBLIC_URL whose pages may call the API; * for any")
    ] = ()
    cors_credentials: Annotated[bool, _doc("Whether those pages may send cookies; never together with *")] = False
    tls_cert_file: Annotated[Path | None, _doc("Certificate chain (PEM); TLS 1.3 is spoken when it is given")] = None
    tls_key_file: Annotated[Path | None, _doc("Key of that certificate (PEM), mode 0600")] = None
    master_key_file: Annotated[
        Path | None,
        _doc("The 32 bytes that seal all stored secrets, mode 0600; HOME/master.key with the embedded database"),
    ] = None
    master_key_base64: Annotated[str, _doc("Those bytes in base64, instead of a file", secret=True)] = ""
    former_master_key_base64: Annotated[
        str, _doc("While that key is rotated: the one before it, which is still read", secret=True)
    ] = ""
    vault_url: Annotated[
        str, _doc("HashiCorp Vault or OpenBao whose transit engine keeps the master key wrapped, instead of a file")
    ] = ""
    vault_token_file: Annotated[Path | None, _doc("Token for it, mode 0600; read anew for each use")] = None
    vault_namespace: Annotated[str, _doc("Namespace of the engine")] = ""
    vault_mount: Annotated[str, msgspec.Meta(min_length=1), _doc("Path at which the engine is mounted")] = "transit"
    vault_key: Annotated[str, msgspec.Meta(min_length=1), _doc("Name of the key in that engine")] = "crosstie"
    vault_kv_path: Annotated[
        str, _doc("Path of a secret in a KV engine (version 2) that holds the master key itself; else transit wraps it")
    ] = ""
    vault_ca_file: Annotated[Path | None, _doc("Certificates (PEM) that the Vault's own must follow from")] = None

    auth_issuer: Annotated[
        str, _doc("Issuer of the auth service that keeps tenants and people; tenants that it makes trust its tokens")
    ] = ""
    auth_audience: Annotated[str, _doc("What the tokens of that service have in `aud`")] = "crosstie"

    brokers: Annotated[
        tuple[str, ...],
        _doc(
            "Brokers to publish to and read from: nats://, tls:// (NATS), amqp://, amqps://; celery+amqp://",
            secret=True,
        ),
    ] = ()
    broker_out: Annotated[str, _doc("Subject or routing key of an event that leaves")] = "crosstie.out.{event_type}"
    broker_in: Annotated[str, _doc("Subject or routing key of an event that comes in")] = "crosstie.in.{event_type}"
    egress_allow: Annotated[
        tuple[str, ...],
        _doc("Networks (CIDR) beyond the public internet that may be called; plain http goes to these only"),
    ] = ()

    smtp_url: Annotated[
        str,
        _doc(
            "Mail server for tenants without one: smtp:// (STARTTLS) or smtps://, with name and password", secret=True
        ),
    ] = ""
    mail_from: Annotated[str, _doc("Address that those mails come from")] = ""
    smtp_ca_file: Annotated[Path | None, _doc("Certificates (PEM) that mail servers' own must follow from")] = None

    retry_schedule: Annotated[
        tuple[Annotated[int, _range(1, 604_800)], ...],
        msgspec.Meta(min_length=1, max_length=30),
        _doc("Waits between the attempts of a delivery, ± jitter, before it is a dead letter", unit="seconds"),
    ] = (1, 5, 30, 120, 600, 3600, 14_400, 43_200, 86_400)
    service_timeout: Annotated[
        float, _range(1, 60), _doc("A request to a remote service is cut after", unit="seconds")
    ] = 10.0
    service_retries: Annotated[int, _range(0, 10), _doc("How often such a request is tried again within its call")] = 3
    service_first_wait: Annotated[
        float, _range(0, 60), _doc("Wait before the first of these tries; it doubles with each", unit="seconds")
    ] = 1.0
    service_longest_wait: Annotated[float, _range(0, 600), _doc("The longest of these waits", unit="seconds")] = 30.0
    service_failures: Annotated[
        int, _range(1, 100), _doc("Calls that fail one after the other before a remote service is left in peace")
    ] = 5
    service_rest: Annotated[
        float, _range(1, 3600), _doc("It is then left in peace for, and asked once after", unit="seconds")
    ] = 60.0
    upload_limit: Annotated[int, _range(1, 1 << 32), _doc("One uploaded file has at most", unit="bytes")] = 50 << 20
    s3_bucket: Annotated[str, _doc("Bucket of an S3-compatible store for files; unless given, they lie in HOME")] = ""
    audit_bucket: Annotated[
        str, _doc("Bucket of the same store that gets the audit log's signed checkpoints as well as HOME/audit")
    ] = ""
    s3_endpoint: Annotated[str, _doc("Address of that store; unless given, Amazon's own")] = ""
    s3_region: Annotated[str, _doc("Region that requests to it are signed for")] = "us-east-1"
    s3_access_key_id: Annotated[str, _doc("Key id for it; unless given, the machine's own role signs")] = ""
    s3_secret_access_key: Annotated[str, _doc("Secret of that key", secret=True)] = ""
    retention_events: Annotated[int, _range(1, 3650), _doc("Events are kept for", unit="days")] = 90
    retention_deliveries: Annotated[
        int, _range(1, 3650), _doc("Ended deliveries, their attempts and inbound requests are kept for", unit="days")
    ] = 30
    retention_messages: Annotated[
        int,
        _range(1, 3650),
        _doc("Messages that ended, and their links to give such messages up, are kept for", unit="days"),
    ] = 365

    signing_algorithm: Annotated[
        Literal["RS256", "ES256"], _doc("How tokens are signed by the keys that are made from now on")
    ] = "RS256"

    rate_limit: Annotated[int, _range(1, 100_000_000), _doc("Requests of one credential", unit="per minute")] = 60_000
    rate_limit_events: Annotated[
        int, _range(1, 100_000_000), _doc("Requests of one credential that send events", unit="per minute")
    ] = 1_200_000
    rate_limit_tenant: Annotated[
        int, _range(1, 100_000_000), _doc("Requests of one tenant, all its credentials together", unit="per minute")
    ] = 3_000_000
    rate_limit_guests: Annotated[
        int, _range(1, 100_000_000), _doc("Requests of one address without a valid credential", unit="per minute")
    ] = 6_000
    rate_limit_hooks: Annotated[
        int, _range(1, 100_000_000), _doc("Requests of one inbound source", unit="per minute")
    ] = 120_000
    rate_limit_messages: Annotated[
        int, _range(1, 100_000_000), _doc("Messages of one tenant that leave over one channel", unit="per minute")
    ] = 600
    rate_limit_tokens: Annotated[
        int,
        _range(1, 100_000_000),
        _doc("Requests at the token endpoints, of one app and of one address", unit="per minute"),
    ] = 3_000

    stream_connections: Annotated[
        int, _range(1, 1_000_000), _doc("Live connections of one process, WebSockets and event streams")
    ] = 10_000
    stream_connections_tenant: Annotated[
        int, _range(1, 1_000_000), _doc("Live connections of one tenant to one process")
    ] = 5_000
    stream_connections_credential: Annotated[
        int, _range(1, 1_000_000), _doc("Live connections of one credential to one process")
    ] = 2_500

    session_idle: Annotated[int, _range(60, 2_592_000), _doc("A sign-in ends when unused for", unit="seconds")] = 28_800
    session_longest: Annotated[
        int, _range(60, 31_536_000), _doc("A sign-in ends in any case after", unit="seconds")
    ] = 86_400

    operator_tenant: Annotated[
        str, _doc("Slug of the tenant that gets the alerts of the whole installation; unless given, nobody does")
    ] = ""
    workers: Annotated[int, _range(1, 64), _doc("Serving processes that one up, api or worker command runs")] = 1
    log_level: Annotated[Literal["debug", "info", "warning", "error"], _doc("Least level that is logged")] = "info"

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "home", self.home.absolute())
        if not self.public_url and not self.wildcard:
            scheme = "https" if self.tls_cert_file else "http"
            host = f"[{self.host}]" if ":" in self.host else self.host
            msgspec.structs.force_setattr(self, "public_url", f"{scheme}://{host}:{self.port}")
        msgspec.structs.force_setattr(self, "public_url", self.public_url.rstrip("/"))

    @property
    def embedded(self) -> bool:
        """Whether Crosstie brings its own PostgreSQL: no database address was given."""
        return not (self.database_url or self.database_worker_url or self.database_owner_url)

    @property
    def master_key(self) -> Path:
        """Where the master key lies; with the embedded database it is made there at the first start."""
        return self.master_key_file or self.home / "master.key"

    @property
    def key_in_file(self) -> bool:
        """Whether the master key lies in a file: it comes neither from the environment nor from a Vault."""
        return not (self.master_key_base64 or self.vault_url)

    @property
    def wildcard(self) -> bool:
        """Whether `host` means every address of the machine, in any spelling."""
        try:
            return ip_address(self.host).is_unspecified
        except ValueError:
            pass
        try:
            return socket.inet_aton(self.host) == bytes(4)  # the system reads `0` and `0x0` as an address, too
        except OSError:
            return False


class About(NamedTuple):
    """What is said about a setting beside its type."""

    doc: str
    unit: str
    secret: bool


def about() -> dict[str, About]:
    """Name → meaning, in the order of declaration."""
    hints: dict[str, Any] = get_type_hints(Settings, include_extras=True)
    described = {}
    for name in Settings.__struct_fields__:
        meta = next(m for m in get_args(hints[name])[1:] if m.description)
        described[name] = About(meta.description, meta.extra["unit"], meta.extra["secret"])
    return described
