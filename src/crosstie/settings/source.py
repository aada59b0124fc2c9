"""Where settings come from, and how they are shown."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_origin, get_type_hints

import msgspec

from crosstie.errors import ConfigurationError
from crosstie.settings.guards import exposed, refuse_unsafe
from crosstie.settings.values import Settings, about

PREFIX = "CROSSTIE_"
FILE = "crosstie.toml"
BARE = ("database_url", "database_worker_url", "database_owner_url")  # hosting platforms set these without our prefix
CLIENT = ("api_key", "base_url", "log")  # read by the SDKs, which may share an environment with a server

Origin = Literal["default", "file", "environment"]
Found = dict[str, tuple[Any, Origin]]


class Shown(NamedTuple):
    """A setting as an operator sees it: secrets masked, with the place that it came from."""

    name: str
    value: Any
    default: Any
    origin: Origin
    unit: str
    doc: str


def load(environ: Mapping[str, str], folder: Path) -> Settings:
    """The settings of `environ` and of `crosstie.toml` in `folder`; raises ConfigurationError if unsafe."""
    return _convert(_read(environ, folder))


def show(environ: Mapping[str, str], folder: Path) -> list[Shown]:
    """Every setting in the order of declaration, after the same checks as `load`."""
    found = _read(environ, folder)
    settings, meanings = _convert(found), about()
    rows = []
    for field in msgspec.structs.fields(Settings):
        doc, unit, secret = meanings[field.name]
        value, default = (msgspec.to_builtins(v, enc_hook=str) for v in (getattr(settings, field.name), field.default))
        origin = found[field.name][1] if field.name in found else "default"
        rows.append(Shown(field.name, mask(value) if secret else value, default, origin, unit, doc))
    return rows


def mask(value: Any) -> Any:
    """An address, or a list of them, without what authenticates: password, token, and secrets in the query.

    Nothing is shown of what is no address.
    """
    if not isinstance(value, str):
        return [mask(item) for item in value]
    if "://" not in value:
        return "***" if value else ""
    hidden = re.sub(r"://(?:([\w.%-]+:)(?=.*@))?.*@", r"://\1***@", value)
    return re.sub(r"(?i)([?&][^=&]*(?:password|token|secret)[^=&]*=)[^&]*", r"\1***", hidden)


def _read(environ: Mapping[str, str], folder: Path) -> Found:
    """What was said; the environment beats the file, a name with our prefix one without, empty means unsaid."""
    found: Found = {}
    for name, value in _file(folder / FILE).items():
        found[_known(name, f"{name} in {FILE}")] = (value, "file")
    for name in BARE:
        if environ.get(name.upper()):
            found[name] = (environ[name.upper()], "environment")
    mounted = {f"{name}_file": name for name, (_, _, secret) in about().items() if secret}
    for key, text in environ.items():
        name = key.removeprefix(PREFIX).lower()
        if not key.startswith(PREFIX) or name in CLIENT or not text:
            continue
        if name not in mounted:
            found[_known(name, key)] = (text, "environment")
        elif environ.get(f"{PREFIX}{mounted[name].upper()}"):
            raise ConfigurationError(f"{key} and {key.removesuffix('_FILE')} say the same thing: set one of them.")
        else:
            found[mounted[name]] = (_mounted(key, Path(text)), "environment")
    return found


def _mounted(key: str, path: Path) -> str:
    """A secret that is a file of its own, as container platforms mount them."""
    try:
        if exposed(path.stat()):
            raise ConfigurationError(f"{path} is a secret and others can read it: run `chmod 600 {path}`.")
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{key} names {path}, which cannot be read: put the secret there.") from error


def _file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
        content = tomllib.loads(text)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from error
    secrets = [content[name] for name, (_, _, secret) in about().items() if secret and name in content]
    if any(mask(value) != value for value in secrets) and path.stat().st_mode & 0o077:
        raise ConfigurationError(f"{path} holds a password and others can read it: run `chmod 600 {path}`.")
    return content


def _known(name: str, said: str) -> str:
    if name in Settings.__struct_fields__:
        return name
    near = get_close_matches(name, Settings.__struct_fields__, n=1)
    hint = f"did you mean {PREFIX}{near[0].upper()}?" if near else "`crosstie config show` lists them all."
    raise ConfigurationError(f"{said} is not a setting: {hint}")


def _convert(found: Found) -> Settings:
    hints = get_type_hints(Settings)
    values = {name: _shape(hints[name], value) for name, (value, _) in found.items()}
    try:
        settings = msgspec.convert(values, Settings, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$.")
        name = re.split(r"\W", place)[0]
        raise ConfigurationError(f"{PREFIX}{name.upper()} cannot be used: {what}.") from error
    refuse_unsafe(settings)
    return settings


def _shape(kind: Any, value: Any) -> Any:
    """Text of the environment in the shape that `kind` has: lists are comma-separated, choices are lower case."""
    if not isinstance(value, str):
        return value
    if get_origin(kind) is tuple:
        # a comma inside an address (`nats://host?tenants=a,b`) separates nothing
        parts = re.split(r",(?=\s*[a-z]+://)" if "://" in value else ",", value)
        return [part.strip() for part in parts if part.strip()]
    return value.lower() if get_origin(kind) is Literal else value


def _decode(kind: type, value: Any) -> Any:
    return kind(value)  # Path is the only type here that msgspec does not know
