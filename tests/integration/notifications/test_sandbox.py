"""The sandbox's mail server shows what it got, and lets none of it act."""

from __future__ import annotations

import ssl

import httpx2
from starlette.applications import Starlette

from crosstie.modules.notifications.smtp import Server, Smtp
from crosstie.sandbox.mail import Mail
from tests.integration.notifications.test_smtp import letter
from tests.stage import free_port


async def test_mails_are_shown() -> None:
    mail, port = Mail(), free_port()
    async with await mail.listen(port):
        own = Server("127.0.0.1", port, "none", "no-reply@acme.example")
        for to in ("thandi@example.com", "ثاندي@example.com"):
            assert (await Smtp("x", own, ssl.create_default_context()).send(letter(to))).ok
    transport = httpx2.ASGITransport(Starlette(routes=mail.routes()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as browser:
        for lang, words in (("en", "Mails that came"), ("ar", "الرسائل الواردة")):
            page = await browser.get("/mail", params={"lang": lang})
            assert words in page.text
            assert "thandi@example.com" in page.text
            assert "&lt;Co&gt;" in page.text
        whole = await browser.get("/mail/1")
        assert "Text" in whole.text
        assert "sandbox" in whole.headers["content-security-policy"]
        assert (await browser.get("/mail/9")).status_code == 404
        (newest, first) = (await browser.get("/mails")).json()["data"]
        assert (newest["to"], first["headers"]["List-Unsubscribe"]) == ("ثاندي@example.com", "<https://x.example/u>")
