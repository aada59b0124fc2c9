"""The key-value engine (version 2) of HashiCorp Vault and of OpenBao: it keeps values, each with its versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from crosstie.kit.transit import Line, field


class Kv(Line):
    """One secret of one engine."""

    def __init__(
        self, url: str, token: Path, *, mount: str, path: str, namespace: str = "", ca: Path | None = None
    ) -> None:
        super().__init__(url, token, namespace=namespace, ca=ca)
        self.name = f"{mount}/{path}"
        self._path = f"/v1/{quote(mount)}/data/{quote(path)}"

    async def read(self) -> dict[str, Any]:
        """The values of its newest version. Raises TransitError."""
        return dict(field(await self.ask("GET", self._path), "data", "data"))
