"""The server of the sandbox: one whose connections can be cut."""

from __future__ import annotations

from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Cuttable(HttpToolsProtocol):
    """Hands the connection to the application, under `extensions` as ASGI has it for what servers offer beside."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)["extensions"] = {"transport": self.transport}
