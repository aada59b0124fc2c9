"""Messages as e-mail: text and HTML, with the headers by which mail systems know what it is and how to stop it."""

from __future__ import annotations

from collections.abc import Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from crosstie.modules.notifications import render
from crosstie.modules.notifications.letter import Letter

HERE = Path(__file__).parent
_FRAME = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
    (HERE / "mail.html").read_text("utf-8")
)
#: headers whose one long word has no place to be folded: encoded instead, no mail program knows them any more
WHOLE = ("list-unsubscribe", "list-unsubscribe-post", "message-id")


class _Policy(EmailPolicy):
    """Folds lines at 78 characters (RFC 5322 §2.1.1), but for headers that are one word."""

    def fold(self, name: str, value: Any) -> str:
        return f"{name}: {value}{self.linesep}" if name.lower() in WHOLE else super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self.fold(name, value).encode() if name.lower() in WHOLE else super().fold_binary(name, value)


POLICY = _Policy(linesep="\r\n")
FOOTER = {
    "en": ("You get this message from {}.", "Unsubscribe"),
    "ar": ("تصلك هذه الرسالة من {}.", "إلغاء الاشتراك"),
}


def written(letter: Letter, sender: str, files: Sequence[bytes] = ()) -> EmailMessage:
    """The mail of a letter, with the bytes of its attachments. The same at every attempt, its Message-ID included."""
    domain = sender.rpartition("@")[2]
    found = EmailMessage(POLICY)
    found["From"] = _address(sender, render.SPACE.sub(" ", letter.firm))
    found["To"] = _address(letter.address)
    found["Subject"] = letter.content.subject or letter.firm
    found["Date"] = letter.made_at
    found["Message-ID"] = f"<{letter.id}@{domain}>"
    found["Auto-Submitted"] = "auto-generated"
    if letter.reply_to:
        found["Reply-To"] = _address(letter.reply_to)
    if letter.unsubscribe:
        found["List-Unsubscribe"] = f"<{letter.unsubscribe}>"
        found["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    from_whom, stop = footer(letter)
    text = f"{letter.content.text}\n\n-- \n{from_whom}\n"
    if letter.unsubscribe:
        text += f"{stop}: {letter.unsubscribe}\n"
    found.set_content(text, cte="quoted-printable")
    found.add_alternative(markup(letter), subtype="html", cte="quoted-printable")
    for attachment, content in zip(letter.attachments, files, strict=True):
        kind, _, subkind = attachment.content_type.partition("/")
        params = {"charset": "utf-8"} if kind == "text" else {}
        name = render.SPACE.sub(" ", attachment.name)
        found.add_attachment(content, kind, subkind, cte="base64", filename=name, params=params)
    found["Content-Language"] = letter.locale  # now that it would not go with the first part
    return found


def _address(word: str, name: str = "") -> Address:
    """An address as a header has it; one beyond ASCII, too."""
    user, _, domain = word.rpartition("@")
    return Address(name, user, domain)


def footer(letter: Letter) -> tuple[str, str]:
    """Who writes, and the word for giving it up."""
    from_whom, stop = FOOTER.get(letter.locale, FOOTER["en"])
    return from_whom.format(letter.firm), stop


def markup(letter: Letter) -> str:
    """The HTML part: the template's own, or its text in paragraphs."""
    from_whom, stop = footer(letter)
    return _FRAME.render(
        lang=letter.locale,
        dir="rtl" if letter.locale == "ar" else "ltr",
        firm=letter.firm,
        subject=letter.content.subject,
        html=Markup(letter.content.html) if letter.content.html else None,  # noqa: S704  # escaped by its template
        paragraphs=list(render.paragraphs(letter.content.text)),
        from_whom=from_whom,
        stop=stop,
        unsubscribe=letter.unsubscribe,
    )
