import os
import stat
from base64 import b64encode
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosstie.errors import ConfigurationError
from crosstie.settings import Settings, load, networks, show
from crosstie.settings.guards import GUARDS, exposed
from crosstie.settings.source import FILE, mask
from crosstie.settings.values import about

APP, WORKER, OWNER = (f"postgresql://{role}:pw@db.example.com/crosstie" for role in ("app", "worker", "owner"))


def key(path: Path, size: int = 32, mode: int = 0o600) -> str:
    path.write_bytes(bytes(size))
    path.chmod(mode)
    return str(path)


def refusal(environ: dict[str, str], folder: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(environ, folder)
    sentence = str(caught.value)
    assert sentence.endswith((".", "?"))
    assert "\n" not in sentence
    return sentence


def prefixed(**environ: str) -> dict[str, str]:
    return {f"CROSSTIE_{name}": value for name, value in environ.items()}


# --- where a value comes from ---------------------------------------------------------------------------------------


def test_nothing_said_is_the_safe_default(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    assert settings.embedded
    assert settings.public_url == "http://127.0.0.1:8080"
    assert settings.home.is_absolute()
    assert settings.master_key == settings.home / "master.key"
    assert (settings.egress_allow, settings.trusted_proxies) == ((), ())
    assert (settings.retention_events, settings.retention_deliveries) == (90, 30)
    assert settings.retry_schedule == (1, 5, 30, 120, 600, 3600, 14400, 43200, 86400)


def test_environment_beats_file_beats_default(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("port = 9000\nworkers = 2\nretry_schedule = [1, 2]\n")
    settings = load(prefixed(PORT="9001"), tmp_path)
    assert (settings.port, settings.workers, settings.retry_schedule) == (9001, 2, (1, 2))
    origins = {row.name: row.origin for row in show(prefixed(PORT="9001"), tmp_path)}
    assert (origins["port"], origins["workers"], origins["host"]) == ("environment", "file", "default")


def test_a_prefixed_database_address_beats_a_bare_one(tmp_path: Path) -> None:
    environ = {"DATABASE_URL": "postgresql://other@h/d", **prefixed(DATABASE_URL=APP, DATABASE_WORKER_URL=WORKER)}
    environ["CROSSTIE_MASTER_KEY_FILE"] = key(tmp_path / "k")
    assert load(environ, tmp_path).database_url == APP
    del environ["CROSSTIE_DATABASE_URL"]
    assert load(environ, tmp_path).database_url == "postgresql://other@h/d"


def test_the_owner_alone_can_migrate(tmp_path: Path) -> None:
    settings = load(prefixed(DATABASE_OWNER_URL=OWNER), tmp_path)
    assert not settings.embedded
    assert not settings.database_url


def test_empty_means_unsaid_and_client_variables_are_left_alone(tmp_path: Path) -> None:
    assert load(prefixed(PORT="", API_KEY="x", BASE_URL="y", LOG="debug"), tmp_path) == load({}, tmp_path)


def test_a_list_of_addresses_may_hold_commas_inside(tmp_path: Path) -> None:
    settings = load(prefixed(BROKERS="nats://a:4222?tenants=x,y, amqp://b"), tmp_path)
    assert settings.brokers == ("nats://a:4222?tenants=x,y", "amqp://b")


def test_choices_are_read_in_any_case(tmp_path: Path) -> None:
    assert load(prefixed(LOG_LEVEL="WARNING"), tmp_path).log_level == "warning"


@given(st.lists(st.integers(1, 604_800), min_size=1, max_size=30))
def test_a_schedule_reads_as_it_was_written(waits: list[int]) -> None:
    environ = prefixed(RETRY_SCHEDULE=", ".join(map(str, waits)))
    assert load(environ, Path("/nonexistent")).retry_schedule == tuple(waits)


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(AttributeError):
        load({}, tmp_path).port = 1  # type: ignore[misc]


# --- what is shown --------------------------------------------------------------------------------------------------


def test_every_setting_is_documented() -> None:
    assert list(about()) == list(Settings.__struct_fields__)
    assert all(len(words.doc.split()) > 2 for words in about().values())


def test_show_masks_what_authenticates(tmp_path: Path) -> None:
    environ = prefixed(
        DATABASE_URL="postgresql://app:hunter2@h/d",
        DATABASE_WORKER_URL="postgresql://h/d?user=w&password=hunter2",
        BROKERS="nats://hunter2@h,amqp://u:hunter2@h",
        MASTER_KEY_FILE=key(tmp_path / "k"),
    )
    shown = msgspec.json.encode(show(environ, tmp_path)).decode()
    assert "hunter2" not in shown
    assert "app:***@h" in shown


@given(
    user=st.text("abcdefgh-_.", max_size=8),
    password=st.text(min_size=1, max_size=20).map("Zq".__add__),
    host=st.sampled_from(["h", "h:5432", "[::1]:1"]),
)
def test_no_password_survives_the_mask(user: str, password: str, host: str) -> None:
    assert password not in mask(f"postgresql://{user}:{password}@{host}/d".replace("\n", ""))


def test_a_refusal_never_repeats_a_password(tmp_path: Path) -> None:
    for value in ("mysql://u:hunter2@h", "postgresql://u:hunter2@h:port/d", "hunter2"):
        assert "hunter2" not in refusal(prefixed(DATABASE_URL=value, DATABASE_WORKER_URL=WORKER), tmp_path)


# --- what is refused, each beside its nearest safe neighbour --------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        (prefixed(PROT="1"), "did you mean CROSSTIE_PORT?"),
        (prefixed(XYZZY="1"), "config show"),
        (prefixed(PORT="web"), "CROSSTIE_PORT cannot be used"),
        (prefixed(PORT="65536"), "<= 65535"),
        (prefixed(RETRY_SCHEDULE="1,0"), "CROSSTIE_RETRY_SCHEDULE cannot be used"),
        (prefixed(RETRY_SCHEDULE=","), "CROSSTIE_RETRY_SCHEDULE cannot be used"),
        (prefixed(LOG_LEVEL="loud"), "CROSSTIE_LOG_LEVEL cannot be used"),
        (prefixed(CORS_CREDENTIALS="perhaps"), "CROSSTIE_CORS_CREDENTIALS cannot be used"),
    ],
)
def test_what_cannot_be_read_is_refused(environ: dict[str, str], words: str, tmp_path: Path) -> None:
    assert words in refusal(environ, tmp_path)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "0", "0x0", "::0"])
def test_a_wildcard_host_needs_a_public_url(host: str, tmp_path: Path) -> None:
    assert "means every address" in refusal(prefixed(HOST=host), tmp_path)
    assert load(prefixed(HOST=host, PUBLIC_URL="https://hub.example.com/"), tmp_path).public_url[-1] == "m"


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        ("http://hub.example.com", "https://hub.example.com"),
        ("http://10.0.0.1:8080", "http://127.0.0.2:8080"),
        ("http://localhost.example.com", "http://app.localhost:8080"),
        ("https://u:p@hub.example.com", "http://[::1]:8080"),
        ("https://hub.example.com/api", "https://hub.example.com/"),
        ("https://hub.example.com?x=1", "https://hub.example.com:8443"),
        ("hub.example.com", "http://localhost"),
        ("https://", "https://hub"),
    ],
)
def test_a_public_url_is_https_or_loopback_and_nothing_else(bad: str, good: str, tmp_path: Path) -> None:
    assert "CROSSTIE_PUBLIC_URL" in refusal(prefixed(PUBLIC_URL=bad), tmp_path)
    assert load(prefixed(PUBLIC_URL=good), tmp_path).public_url == good.rstrip("/")


def test_a_host_of_the_network_needs_https(tmp_path: Path) -> None:
    assert "in the clear" in refusal(prefixed(HOST="192.168.1.5"), tmp_path)
    assert load(prefixed(HOST="::1"), tmp_path).public_url == "http://[::1]:8080"


def test_a_database_of_ones_own_needs_two_roles_and_a_master_key(tmp_path: Path) -> None:
    good = prefixed(DATABASE_URL=APP, DATABASE_WORKER_URL=WORKER, MASTER_KEY_FILE=key(tmp_path / "k"))
    assert not load(good, tmp_path).embedded
    needed = {"DATABASE_URL": "two roles", "DATABASE_WORKER_URL": "two roles", "MASTER_KEY_FILE": "head -c 32"}
    for name, words in needed.items():
        assert words in refusal({k: v for k, v in good.items() if k != f"CROSSTIE_{name}"}, tmp_path)
    assert "role twice" in refusal(good | prefixed(DATABASE_WORKER_URL=APP), tmp_path)
    assert "role twice" in refusal(good | prefixed(DATABASE_OWNER_URL=WORKER), tmp_path)
    assert "names no role" in refusal(good | prefixed(DATABASE_URL="postgresql://db.example.com/d"), tmp_path)
    assert "begins with postgresql://" in refusal(good | prefixed(DATABASE_URL="postgresql+asyncpg://a@h/d"), tmp_path)


def test_a_master_key_is_32_bytes_that_nobody_else_reads(tmp_path: Path) -> None:
    external = prefixed(DATABASE_URL=APP, DATABASE_WORKER_URL=WORKER)
    for mode in (0o644, 0o640, 0o604, 0o660):
        wide = prefixed(MASTER_KEY_FILE=key(tmp_path / "wide", mode=mode))
        assert "chmod 600" in refusal(wide, tmp_path)
        assert "chmod 600" in refusal(external | wide, tmp_path)
    assert "exactly 32 bytes" in refusal(prefixed(MASTER_KEY_FILE=key(tmp_path / "short", size=31)), tmp_path)
    missing = prefixed(MASTER_KEY_FILE=str(tmp_path / "missing"))
    assert "no such file" in refusal(external | missing, tmp_path)
    assert load(missing, tmp_path).master_key == tmp_path / "missing"


def test_the_embedded_master_key_is_guarded_too(tmp_path: Path) -> None:
    key(tmp_path / "master.key", mode=0o644)
    assert "chmod 600" in refusal(prefixed(HOME=str(tmp_path)), tmp_path)
    key(tmp_path / "master.key")
    assert load(prefixed(HOME=str(tmp_path)), tmp_path).home == tmp_path


def test_a_group_reads_a_key_only_where_we_are_nothing_but_in_the_group(tmp_path: Path) -> None:
    """As Kubernetes mounts secrets: root's, mode 0440, in the group of the process."""
    path = tmp_path / "k"
    key(path, mode=0o440)
    mine = path.stat()
    roots = os.stat_result((mine.st_mode, 1, 1, 1, os.geteuid() + 1, 5, 32, 0, 0, 0))
    others = os.stat_result((mine.st_mode | 0o004, 1, 1, 1, os.geteuid() + 1, 5, 32, 0, 0, 0))
    assert [exposed(each) for each in (mine, roots, others)] == [True, False, True]


KEY = b64encode(bytes(range(32))).decode()


def test_a_master_key_has_one_origin(tmp_path: Path) -> None:
    external = prefixed(DATABASE_URL=APP, DATABASE_WORKER_URL=WORKER)
    token = key(tmp_path / "token")
    vault = prefixed(VAULT_URL="https://vault.example.com", VAULT_TOKEN_FILE=token)
    file = prefixed(MASTER_KEY_FILE=key(tmp_path / "k"))
    given = prefixed(MASTER_KEY_BASE64=KEY)
    for origin in (vault, file, given):
        assert not load(external | origin, tmp_path).embedded
    for two in (vault | file, vault | given, file | given):
        assert "one origin" in refusal(external | two, tmp_path)
    former = prefixed(FORMER_MASTER_KEY_BASE64=KEY)
    assert "MASTER_KEY_BASE64" in refusal(external | file | former, tmp_path)
    assert load(external | given | former, tmp_path).former_master_key_base64 == KEY


@pytest.mark.parametrize("bad", ["hunter2", KEY[:-8], KEY + KEY, KEY.replace("A", "*")])
def test_a_key_of_the_environment_is_32_bytes_and_never_repeated(bad: str, tmp_path: Path) -> None:
    sentence = refusal(prefixed(MASTER_KEY_BASE64=bad), tmp_path)
    assert "head -c 32" in sentence
    assert bad not in sentence


def test_a_vault_wants_https_and_a_token_that_nobody_else_reads(tmp_path: Path) -> None:
    token = key(tmp_path / "token")
    good = prefixed(VAULT_URL="https://vault.example.com", VAULT_TOKEN_FILE=token)
    assert not load(good, tmp_path).key_in_file
    assert load(good | prefixed(VAULT_URL="http://127.0.0.1:8200"), tmp_path).vault_mount == "transit"
    assert "in the clear" in refusal(good | prefixed(VAULT_URL="http://vault.example.com"), tmp_path)
    assert "holds a name" in refusal(good | prefixed(VAULT_URL="https://u:hunter2@vault.example.com"), tmp_path)
    assert "wants a token" in refusal(prefixed(VAULT_URL="https://vault.example.com"), tmp_path)
    assert "no Vault" in refusal(prefixed(VAULT_TOKEN_FILE=token), tmp_path)
    assert "no such file" in refusal(good | prefixed(VAULT_TOKEN_FILE=str(tmp_path / "none")), tmp_path)
    assert "no such file" in refusal(good | prefixed(VAULT_CA_FILE=str(tmp_path / "none")), tmp_path)
    (tmp_path / "token").chmod(0o644)
    assert "chmod 600" in refusal(good, tmp_path)


def test_what_is_a_secret_and_no_address_is_not_shown_at_all(tmp_path: Path) -> None:
    environ = prefixed(S3_BUCKET="b", S3_ACCESS_KEY_ID="k", S3_SECRET_ACCESS_KEY="hunter2", MASTER_KEY_BASE64=KEY)
    shown = msgspec.json.encode(show(environ, tmp_path)).decode()
    assert "hunter2" not in shown
    assert KEY not in shown


def test_every_secret_may_be_a_mounted_file(tmp_path: Path) -> None:
    path = tmp_path / "dsn"
    path.write_text(f"{APP}\n")
    path.chmod(0o600)
    good = prefixed(DATABASE_URL_FILE=str(path), DATABASE_WORKER_URL=WORKER, MASTER_KEY_BASE64=KEY)
    assert load(good, tmp_path).database_url == APP
    assert "set one of them" in refusal(good | prefixed(DATABASE_URL=APP), tmp_path)
    assert "cannot be read" in refusal(good | prefixed(DATABASE_URL_FILE=str(tmp_path / "none")), tmp_path)
    assert "is not a setting" in refusal(prefixed(PORT_FILE=str(path)), tmp_path)
    path.chmod(0o644)
    assert "chmod 600" in refusal(good, tmp_path)


def test_tls_needs_certificate_and_private_key_and_says_https(tmp_path: Path) -> None:
    cert = key(tmp_path / "cert.pem", mode=0o644)
    good = prefixed(TLS_CERT_FILE=cert, TLS_KEY_FILE=key(tmp_path / "key.pem"))
    assert load(good, tmp_path).public_url == "https://127.0.0.1:8080"
    for missing in good:
        assert "set both" in refusal({k: v for k, v in good.items() if k != missing}, tmp_path)
    assert "chmod 600" in refusal(good | prefixed(TLS_KEY_FILE=key(tmp_path / "wide", mode=0o644)), tmp_path)
    assert "no such file" in refusal(good | prefixed(TLS_CERT_FILE="/nonexistent"), tmp_path)
    assert "only TLS" in refusal(good | prefixed(PUBLIC_URL="http://localhost:8080"), tmp_path)


@pytest.mark.parametrize("name", ["TRUSTED_PROXIES", "EGRESS_ALLOW"])
@pytest.mark.parametrize("bad", ["10.0.0.1/8", "10.0.0.0/33", "proxy.example.com", "10.0.0.0/8,x"])
def test_networks_are_cidrs(name: str, bad: str, tmp_path: Path) -> None:
    assert f"CROSSTIE_{name}" in refusal(prefixed(**{name: bad}), tmp_path)
    good = load(prefixed(**{name: "10.0.0.0/8, ::1,127.0.0.1"}), tmp_path)
    assert [n.num_addresses for n in networks(getattr(good, name.lower()))] == [2**24, 1, 1]


def test_not_everyone_is_a_trusted_proxy(tmp_path: Path) -> None:
    for everyone in ("0.0.0.0/0", "::/0"):
        assert "forge" in refusal(prefixed(TRUSTED_PROXIES=everyone), tmp_path)


def test_any_origin_never_comes_with_cookies(tmp_path: Path) -> None:
    assert "CROSSTIE_CORS_CREDENTIALS" in refusal(prefixed(CORS_ORIGINS="*", CORS_CREDENTIALS="true"), tmp_path)
    assert load(prefixed(CORS_ORIGINS="*"), tmp_path).cors_origins == ("*",)
    named = load(prefixed(CORS_ORIGINS="https://a.example,https://b.example", CORS_CREDENTIALS="1"), tmp_path)
    assert len(named.cors_origins) == 2
    assert "not an origin" in refusal(prefixed(CORS_ORIGINS="https://a.example/path"), tmp_path)


def test_brokers_are_nats_or_amqp(tmp_path: Path) -> None:
    assert "begins with nats://" in refusal(prefixed(BROKERS="redis://h"), tmp_path)
    assert "without a host" in refusal(prefixed(BROKERS="nats:///x"), tmp_path)
    for template in ("crosstie", "{event_type}.{tenant}", "{event_type", "{}", "a.{event_type}.b", "a b.{event_type}"):
        assert "CROSSTIE_BROKER_OUT" in refusal(prefixed(BROKER_OUT=template), tmp_path)
    assert load(prefixed(BROKER_IN="{event_type}"), tmp_path).broker_in == "{event_type}"


def test_a_file_with_a_password_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text(f'database_owner_url = "{OWNER}"\n')
    path.chmod(0o644)
    assert f"chmod 600 {path}" in refusal({}, tmp_path)
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    assert load({}, tmp_path).database_owner_url == OWNER
    path.write_text("port = 9000\n")
    path.chmod(0o644)
    assert load({}, tmp_path).port == 9000


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        (prefixed(S3_BUCKET="b", S3_ACCESS_KEY_ID="k"), "two halves"),
        (prefixed(S3_BUCKET="b", S3_SECRET_ACCESS_KEY="hunter2"), "two halves"),
        (prefixed(S3_ENDPOINT="https://s3.example.com"), "no bucket"),
        (prefixed(S3_ACCESS_KEY_ID="k", S3_SECRET_ACCESS_KEY="hunter2"), "no bucket"),
        (prefixed(S3_BUCKET="b", S3_ENDPOINT="s3.example.com"), "CROSSTIE_S3_ENDPOINT"),
    ],
)
def test_a_file_store_is_said_in_full(environ: dict[str, str], words: str, tmp_path: Path) -> None:
    assert words in refusal(environ, tmp_path)
    good = prefixed(S3_BUCKET="b", S3_ENDPOINT="https://h", S3_ACCESS_KEY_ID="k", S3_SECRET_ACCESS_KEY="s")
    assert load(good, tmp_path).s3_region == "us-east-1"
    assert load(prefixed(S3_BUCKET="b"), tmp_path).s3_bucket == "b"


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        (prefixed(SMTP_URL="smtp://mail.example.com"), "set both"),
        (prefixed(MAIL_FROM="a@example.com"), "set both"),
        (prefixed(SMTP_URL="http://mail.example.com", MAIL_FROM="a@example.com"), "smtps://"),
        (prefixed(SMTP_URL="smtp://mail.example.com/inbox", MAIL_FROM="a@example.com"), "must be smtp://"),
        (prefixed(SMTP_URL="smtp://mail.example.com?tls=no", MAIL_FROM="a@example.com"), "must be smtp://"),
        (prefixed(SMTP_URL="smtp://mail.example.com?security=none", MAIL_FROM="a@example.com"), "in the clear"),
        (prefixed(SMTP_URL="smtp://name@mail.example.com", MAIL_FROM="a@example.com"), "write both"),
        (prefixed(SMTP_URL="smtp://mail.example.com", MAIL_FROM="Acme <a@example.com>"), "CROSSTIE_MAIL_FROM"),
        (prefixed(SMTP_CA_FILE="/nowhere/ca.pem"), "no such file"),
    ],
)
def test_a_mail_server_is_spoken_to_safely(environ: dict[str, str], words: str, tmp_path: Path) -> None:
    assert words in refusal(environ, tmp_path)
    good = prefixed(SMTP_URL="smtp://name:hunter2@mail.example.com:587", MAIL_FROM="no-reply@example.com")
    assert load(good, tmp_path).mail_from == "no-reply@example.com"
    assert "hunter2" not in msgspec.json.encode(show(good, tmp_path)).decode()
    near = prefixed(SMTP_URL="smtp://127.0.0.1:1025?security=none", MAIL_FROM="no-reply@example.com")
    assert load(near, tmp_path).smtp_url.endswith("none")


@pytest.mark.parametrize("text", ["port = ", "prot = 1\n", 'port = "web"\n', "[server]\nport = 1\n", "home = 1\n"])
def test_a_bad_file_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    refusal({}, tmp_path)


def test_every_guard_is_in_use() -> None:
    assert len(GUARDS) == len(set(GUARDS)) == 10
