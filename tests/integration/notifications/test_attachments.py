"""Attachments: a document of the tenant goes along with a mail, and its address with a text message."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from tests.fence import until
from tests.integration.notifications.conftest import Desk, address, africastalking, number
from tests.integration.services.conftest import provide
from tests.parts.carriers import Exchange
from tests.parts.peer import Peer, peer
from tests.parts.post import Mailbox, texts
from tests.stage import calling

PATH = "/api/v1/notifications/messages"


def asked(to: str, *ids: str, channel: str = "email", **more: Any) -> dict[str, Any]:
    files = [{"document_id": id} for id in ids]
    given = {"channel": channel, "template": "plain", "to": [to], "data": {"subject": "Roof", "text": "Here it is."}}
    return given | {"attachments": files} | more


async def test_a_mail_with_files(desk: Desk, box: Mailbox) -> None:
    big, name = secrets.token_bytes(1_500_000), "Größe – عرض.txt"
    plain = "Zoë\nعرض\n".encode()
    first = await desk.document(plain, name)
    pdf = b"%PDF-1.7\n" + big + b"\n%%EOF\n"
    second = await desk.document(pdf, "plan.pdf", "application/pdf")
    to = address()
    answer = await desk.client.post(PATH, json=asked(to, first, second))
    assert answer.status_code == 202, answer.text
    (mail,) = await box.wait(to)
    assert "Here it is." in texts(mail)[0]
    found = list(mail.iter_attachments())
    assert [each.get_filename() for each in found] == [name, "plan.pdf"]
    assert [each.get_content_type() for each in found] == ["text/plain", "application/pdf"]
    assert [each.get_payload(decode=True) for each in found] == [plain, pdf]
    row = await desk.ended(answer.json()["messages"][0]["id"], "sent")
    assert row["attachments"] == [{"noun": "documents", "id": first}, {"noun": "documents", "id": second}]
    assert max(len(line) for line in box.raws[box.mails.index(mail)].split(b"\r\n")) <= 998


async def test_a_text_with_the_address_of_a_file(desk: Desk, exchange: Exchange) -> None:
    await africastalking(desk, exchange)
    to, content = number(), b"It is mended."
    answer = await desk.client.post(PATH, json=asked(to, await desk.document(content), channel="sms"))
    await desk.ended(answer.json()["messages"][0]["id"], "sent")
    (taken,) = exchange.to(to)
    text, _, url = taken["text"].rpartition("\n")
    assert text == "Here it is."
    async with calling() as anybody:
        assert (await anybody.get(url)).content == content
        assert (await anybody.get(url[:-4] + "AAAA")).status_code == 403


async def test_what_cannot_go_along_is_refused(desk: Desk) -> None:
    there = await desk.document(b"a")
    large = [await desk.document(b"a" * 6_000_000) for _ in range(2)]
    other = await desk.stage.tenant()
    async with other.client() as stranger:
        made = await stranger.post("/api/v1/documents", files={"file": ("a.txt", b"a", "text/plain")})
    user = await desk.user()
    cases: list[tuple[dict[str, Any], str]] = [
        (asked(address(), *large), "/attachments"),
        (asked(address(), there, made.json()["id"]), "/attachments/1/document_id"),
        (asked(address()) | {"attachments": [{"media_id": there}]}, "/attachments/0/media_id"),
        (asked(address()) | {"attachments": [{"name": "a", "url": "https://x.example/a"}]}, "/attachments/0"),
        (asked(user["id"], there, channel="in_app"), "/attachments"),
        (asked(address(), *[there] * 11), "/attachments"),
    ]
    for given, pointer in cases:
        answer = await desk.client.post(PATH, json=given)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer), answer.text


async def test_whoever_may_not_read_a_file_sends_it_to_nobody(desk: Desk, remote: Peer) -> None:
    id = await desk.document(b"a")
    made = await desk.client.post("/api/v1/api-keys", json={"name": "n", "scopes": ["notifications:write"]})
    headers = {"authorization": f"Bearer {made.json()['key']}"}
    async with calling(desk.tenant.url, headers=headers) as narrow:
        assert (await narrow.post(PATH, json=asked(address()))).status_code == 202
        refused = await narrow.post(PATH, json=asked(address(), id))
        assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
        await provide(desk.client, remote, "notifications")

        async def switched() -> bool:
            await narrow.post(PATH, json=asked(address()))
            return bool(await remote.seen())

        await until(switched)
        refused = await narrow.post(PATH, json=asked(address(), id))
        assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    assert not any(each["body"]["attachments"] for each in await remote.seen())


async def test_a_file_that_is_gone_takes_its_message_along(desk: Desk, box: Mailbox) -> None:
    id, to = await desk.document(b"a"), address()
    await desk.make("notification-preferences", address=to, quiet_from="00:00", quiet_until="23:59")
    answer = await desk.client.post(PATH, json=asked(to, id))
    row = await desk.ended(answer.json()["messages"][0]["id"], "held")
    assert (await desk.client.delete(f"/api/v1/documents/{id}")).status_code == 204
    boss = await desk.stage.superuser()
    await boss.execute("UPDATE messages SET due_at = now() - interval '1 s' WHERE id = $1", row["id"])
    await boss.close()
    assert (await desk.ended(row["id"], "suppressed"))["reason"] == "obsolete"
    assert box.to(to) == []


@pytest.fixture
async def remote() -> AsyncIterator[Peer]:
    """A notifications service of the tenant's own."""
    async with peer() as found:
        yield found


async def test_a_remote_service_gets_an_address(desk: Desk, remote: Peer) -> None:
    """The same at every repeat, whoever sends it: the gateway, and later the worker."""
    await provide(desk.client, remote, "notifications")
    id = await desk.document(b"content")
    await remote.fail("reset", usual="503")
    answer: httpx2.Response = await desk.client.post(PATH, json=asked(address(), id))
    assert answer.status_code == 202, answer.text
    await remote.fail()

    async def again() -> bool:
        return len(await remote.seen()) > 4

    await until(again)
    files = [each["body"]["attachments"] for each in await remote.seen()]
    assert all(each == files[0] for each in files)
    assert files[0][0]["document_id"] == id
    async with calling() as anybody:
        assert (await anybody.get(files[0][0]["url"])).content == b"content"
