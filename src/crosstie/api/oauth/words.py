"""The words of the consent page, in each language."""

from __future__ import annotations

from typing import Any

_EN: dict[str, Any] = {
    "title": "Allow {0}?",
    "asks": "{0} wants to act for you at {1}.",
    "may": "It would be able to",
    "who": "You are signed in as {0}.",
    "back": "Then you go back to {0}.",
    "allow": "Allow",
    "deny": "Do not allow",
    "stuck": "This does not work",
    "because_app": "The app is not known here. Tell whoever sent you.",
    "because_address": "The app asked to send you to an address that it did not register. Tell whoever sent you.",
    "because_pending": "The app awaits the approval of an admin.",
    "because_suspended": "The app is suspended.",
    "because_request": "The app's question cannot be read. Tell whoever sent you.",
    "because_form": "The page is too old or came from elsewhere. Go back to the app and begin again.",
    "scopes": {
        "openid": "Know who you are",
        "profile": "Read your name",
        "email": "Read your e-mail address",
        "offline_access": "Stay connected after you have signed out",
        "*": "Do everything that you may do",
        "read": "Read",
        "write": "Change",
    },
}
_AR: dict[str, Any] = {
    "title": "هل تسمح لتطبيق {0}؟",
    "asks": "يريد {0} التصرف نيابةً عنك لدى {1}.",
    "may": "سيكون بإمكانه",
    "who": "أنت مسجّل الدخول باسم {0}.",
    "back": "بعد ذلك تعود إلى {0}.",
    "allow": "السماح",
    "deny": "عدم السماح",
    "stuck": "تعذّر إتمام الطلب",
    "because_app": "هذا التطبيق غير معروف هنا. أخبر من أرسلك.",
    "because_address": "طلب التطبيق إرسالك إلى عنوان لم يسجّله. أخبر من أرسلك.",
    "because_pending": "التطبيق بانتظار موافقة المشرف.",
    "because_suspended": "التطبيق موقوف.",
    "because_request": "تعذّرت قراءة طلب التطبيق. أخبر من أرسلك.",
    "because_form": "الصفحة قديمة أو جاءت من مكان آخر. عُد إلى التطبيق وابدأ من جديد.",
    "scopes": {
        "openid": "معرفة هويتك",
        "profile": "قراءة اسمك",
        "email": "قراءة بريدك الإلكتروني",
        "offline_access": "البقاء متصلاً بعد تسجيل خروجك",
        "*": "فعل كل ما يُسمح لك به",
        "read": "قراءة",
        "write": "تعديل",
    },
}
WORDS = {"en": _EN, "ar": _AR}
