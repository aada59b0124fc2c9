"""The messages that every tenant has: what they are about, and their words in English and Arabic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crosstie.kit.locale import LANGUAGES
from crosstie.modules.notifications.value import Placeholder

#: nobody gives these up: they are how a person learns that somebody is at his account, or were asked for just now
MANDATORY = frozenset(("security", "help"))


@dataclass(frozen=True, slots=True)
class Words:
    """A message in one language. Without `short` a text message is the text; without `html` it is made of the text."""

    subject: str
    text: str
    short: str | None = None
    html: str | None = None


@dataclass(frozen=True, slots=True)
class Built:
    """A message that Crosstie brings along."""

    name: str
    category: str
    placeholders: tuple[Placeholder, ...]
    words: Mapping[str, Words]
    #: a value that opens something: made when the message leaves, and never kept or shown
    late: str | None = None


def _values(*names: str, **types: str) -> tuple[Placeholder, ...]:
    plain = (Placeholder(name) for name in names)
    return (*plain, *(Placeholder(name, type) for name, type in types.items()))


_LINES = (
    "{% if lines %}{% for line in lines %}\n– {{ line.sku|default('') }} × {{ line.quantity|default('') }}{% endfor %}"
    "\n{% endif %}"
)
TEMPLATES = {
    each.name: each
    for each in (
        Built(
            "user.invited", "security", _values("name", "firm", "link"),
            {
                "en": Words(
                    "You are invited to {{ firm }}",
                    "Hello{% if name %} {{ name }}{% endif %},\n\n{{ firm }} has an account for you. Set your password"
                    " here; the link works once, for a week:\n\n{{ link }}\n\nIf you do not know {{ firm }}, ignore"
                    " this message.",
                ),
                "ar": Words(
                    "دعوة إلى {{ firm }}",
                    "مرحبًا{% if name %} {{ name }}{% endif %}،\n\nلدى {{ firm }} حساب لك. اختر كلمة المرور من هنا؛"
                    " يعمل الرابط مرة واحدة خلال أسبوع:\n\n{{ link }}\n\nإذا كنت لا تعرف {{ firm }} فتجاهل هذه"
                    " الرسالة.",
                ),
            },
            late="link",
        ),
        Built(
            "user.reset_requested", "security", _values("name", "firm", "link"),
            {
                "en": Words(
                    "Set a new password for {{ firm }}",
                    "Hello{% if name %} {{ name }}{% endif %},\n\nsomebody asked for a new password for your account"
                    " at {{ firm }}. If it was you, set it here within an hour; the link works once:\n\n"
                    "{{ link }}\n\nIf it was not you, do nothing: your password stays as it is.",
                ),
                "ar": Words(
                    "كلمة مرور جديدة لدى {{ firm }}",
                    "مرحبًا{% if name %} {{ name }}{% endif %}،\n\nطُلبت كلمة مرور جديدة لحسابك لدى {{ firm }}. إذا كنت"
                    " أنت من طلبها فاخترها من هنا خلال ساعة؛ يعمل الرابط مرة واحدة:\n\n{{ link }}\n\nإذا لم تطلبها فلا"
                    " تفعل شيئًا: تبقى كلمة المرور كما هي.",
                ),
            },
            late="link",
        ),
        Built(
            "user.password_set", "security", _values("name", "firm"),
            {
                "en": Words(
                    "Your password for {{ firm }} was changed",
                    "Hello{% if name %} {{ name }}{% endif %},\n\nthe password of your account at {{ firm }} was set"
                    " just now, and earlier sign-ins were ended. If it was not you, tell {{ firm }} at once.",
                ),
                "ar": Words(
                    "تغيّرت كلمة مرورك لدى {{ firm }}",
                    "مرحبًا{% if name %} {{ name }}{% endif %}،\n\nتم الآن تعيين كلمة مرور حسابك لدى {{ firm }} وأُنهيت"
                    " عمليات الدخول السابقة. إذا لم تكن أنت من فعل ذلك فأخبر {{ firm }} فورًا.",
                ),
            },
        ),
        Built(
            "erp.payroll.processed", "payroll",
            _values("period", "currency", total_amount="number", employee_count="number"),
            {
                "en": Words(
                    "Payroll for {{ period }} is processed",
                    "The payroll for {{ period }} is processed{% if employee_count %}, for {{ employee_count }} people"
                    "{% endif %}. Payments follow.",
                ),
                "ar": Words(
                    "تمت معالجة رواتب {{ period }}",
                    "تمت معالجة رواتب {{ period }}{% if employee_count %} لعدد {{ employee_count }} من الموظفين"
                    "{% endif %}. وتتبعها المدفوعات.",
                ),
            },
        ),
        Built(
            "erp.leave.requested", "leave", _values("employee_id", "type", "from", "to", days="number"),
            {
                "en": Words(
                    "Leave requested{% if from %}: {{ from }} – {{ to }}{% endif %}",
                    "Leave{% if type %} ({{ type }}){% endif %} was requested{% if from %} from {{ from }} to {{ to }}"
                    "{% endif %}{% if days %}, {{ days }} days{% endif %}. It waits for your answer.",
                ),
                "ar": Words(
                    "طلب إجازة{% if from %}: {{ from }} – {{ to }}{% endif %}",
                    "طُلبت إجازة{% if type %} ({{ type }}){% endif %}{% if from %} من {{ from }} إلى {{ to }}{% endif %}"
                    "{% if days %}، {{ days }} أيام{% endif %}. وهي بانتظار ردك.",
                ),
            },
        ),
        Built(
            "erp.leave.approved", "leave", _values("type", "from", "to", "reason", days="number"),
            {
                "en": Words(
                    "Leave granted{% if from %}: {{ from }} – {{ to }}{% endif %}",
                    "Your leave is granted{% if from %}, from {{ from }} to {{ to }}{% endif %}."
                    "{% if reason %} {{ reason }}{% endif %}",
                ),
                "ar": Words(
                    "تمت الموافقة على الإجازة{% if from %}: {{ from }} – {{ to }}{% endif %}",
                    "تمت الموافقة على إجازتك{% if from %}، من {{ from }} إلى {{ to }}{% endif %}."
                    "{% if reason %} {{ reason }}{% endif %}",
                ),
            },
        ),
        Built(
            "erp.leave.rejected", "leave", _values("type", "from", "to", "reason", days="number"),
            {
                "en": Words(
                    "Leave refused{% if from %}: {{ from }} – {{ to }}{% endif %}",
                    "Your leave was refused{% if from %}, from {{ from }} to {{ to }}{% endif %}."
                    "{% if reason %} {{ reason }}{% endif %}",
                ),
                "ar": Words(
                    "رُفضت الإجازة{% if from %}: {{ from }} – {{ to }}{% endif %}",
                    "رُفض طلب إجازتك{% if from %}، من {{ from }} إلى {{ to }}{% endif %}."
                    "{% if reason %} {{ reason }}{% endif %}",
                ),
            },
        ),
        Built(
            "erp.order.created", "orders", _values("order_id", "currency", total_amount="number", lines="list"),
            {
                "en": Words(
                    "Your order {{ order_id }}",
                    "Thank you for your order {{ order_id }}.\n" + _LINES +
                    "{% if total_amount %}\nTotal: {{ total_amount }} {{ currency|default('', true) }}{% endif %}",
                ),
                "ar": Words(
                    "طلبك {{ order_id }}",
                    "شكرًا لطلبك {{ order_id }}.\n" + _LINES +
                    "{% if total_amount %}\nالإجمالي: {{ total_amount }} {{ currency|default('', true) }}{% endif %}",
                ),
            },
        ),
        Built(
            "erp.campaign.sent", "campaigns", _values("campaign_id", "channel", recipient_count="number"),
            {
                "en": Words(
                    "Campaign {{ campaign_id }} was sent",
                    "Campaign {{ campaign_id }} was sent{% if channel %} by {{ channel }}{% endif %}"
                    "{% if recipient_count %} to {{ recipient_count }} recipients{% endif %}.",
                ),
                "ar": Words(
                    "أُرسلت الحملة {{ campaign_id }}",
                    "أُرسلت الحملة {{ campaign_id }}{% if channel %} عبر {{ channel }}{% endif %}"
                    "{% if recipient_count %} إلى {{ recipient_count }} مستلمًا{% endif %}.",
                ),
            },
        ),
        Built(
            "erp.lead.qualified", "leads", _values("lead_id", contact="object", value="number"),
            {
                "en": Words(
                    "A lead is qualified{% if contact and contact.name %}: {{ contact.name }}{% endif %}",
                    "Lead {{ lead_id }} is qualified{% if contact and contact.name %}: {{ contact.name }}{% endif %}"
                    "{% if value %}, worth {{ value }}{% endif %}.",
                ),
                "ar": Words(
                    "تأهّل عميل محتمل{% if contact and contact.name %}: {{ contact.name }}{% endif %}",
                    "تأهّل العميل المحتمل {{ lead_id }}{% if contact and contact.name %}: {{ contact.name }}{% endif %}"
                    "{% if value %}، بقيمة {{ value }}{% endif %}.",
                ),
            },
        ),
        Built(
            "erp.purchase_order.created", "purchasing",
            _values("purchase_order_id", "currency", "expected_date", total_amount="number"),
            {
                "en": Words(
                    "Purchase order {{ purchase_order_id }}",
                    "Purchase order {{ purchase_order_id }} was made{% if total_amount %} for {{ total_amount }}"
                    " {{ currency|default('', true) }}{% endif %}{% if expected_date %}; the goods are expected on"
                    " {{ expected_date }}{% endif %}.",
                ),
                "ar": Words(
                    "أمر الشراء {{ purchase_order_id }}",
                    "صدر أمر الشراء {{ purchase_order_id }}{% if total_amount %} بمبلغ {{ total_amount }}"
                    " {{ currency|default('', true) }}{% endif %}{% if expected_date %}، والتسليم متوقع في"
                    " {{ expected_date }}{% endif %}.",
                ),
            },
        ),
        Built(
            "erp.work_order.completed", "production",
            _values("work_order_id", planned_quantity="number", actual_quantity="number"),
            {
                "en": Words(
                    "Work order {{ work_order_id }} is done",
                    "Work order {{ work_order_id }} is done{% if actual_quantity %}: {{ actual_quantity }} made"
                    "{% if planned_quantity %} of {{ planned_quantity }} planned{% endif %}{% endif %}.",
                ),
                "ar": Words(
                    "اكتمل أمر العمل {{ work_order_id }}",
                    "اكتمل أمر العمل {{ work_order_id }}{% if actual_quantity %}: أُنتج {{ actual_quantity }}"
                    "{% if planned_quantity %} من {{ planned_quantity }} مخططة{% endif %}{% endif %}.",
                ),
            },
        ),
        Built(
            "alert.firing", "alerts", _values("subject", "severity", "summary"),
            {
                "en": Words(
                    "Alert{% if severity %} ({{ severity }}){% endif %}{% if subject %}: {{ subject }}{% endif %}",
                    "{{ summary|default('An alert is firing.', true) }}",
                ),
                "ar": Words(
                    "تنبيه{% if severity %} ({{ severity }}){% endif %}{% if subject %}: {{ subject }}{% endif %}",
                    "{{ summary|default('يوجد تنبيه قائم.', true) }}",
                ),
            },
        ),
        Built(
            "alert.resolved", "alerts", _values("subject", "severity", "summary"),
            {
                "en": Words(
                    "Resolved{% if subject %}: {{ subject }}{% endif %}",
                    "This is over: {{ summary|default('an alert', true) }}",
                ),
                "ar": Words(
                    "انتهى التنبيه{% if subject %}: {{ subject }}{% endif %}",
                    "انتهى هذا: {{ summary|default('تنبيه', true) }}",
                ),
            },
        ),
        Built(
            "help", "help", _values("firm", "contact"),
            {
                "en": Words(
                    "Messages from {{ firm }}",
                    "{{ firm }} writes to you here.{% if contact %} Contact: {{ contact }}.{% endif %}"
                    " Reply STOP to get nothing more, START to get it again.",
                ),
                "ar": Words(
                    "رسائل من {{ firm }}",
                    "تصلك هنا رسائل {{ firm }}.{% if contact %} للتواصل: {{ contact }}.{% endif %}"
                    " أرسل «توقف» لإيقافها و«ابدأ» لاستئنافها.",
                ),
            },
        ),
        Built(
            "digest", "digest", _values("firm", "total", "rest", items="list"),
            {
                "en": Words(
                    "{{ total }} messages from {{ firm }}",
                    "{% for item in items %}{{ item.subject }}\n{{ item.text }}\n\n{% endfor %}"
                    "{% if rest %}And {{ rest }} more.{% endif %}",
                ),
                "ar": Words(
                    "{{ total }} رسائل من {{ firm }}",
                    "{% for item in items %}{{ item.subject }}\n{{ item.text }}\n\n{% endfor %}"
                    "{% if rest %}و{{ rest }} أخرى.{% endif %}",
                ),
            },
        ),
        Built(
            "plain", "general", (Placeholder("subject"), Placeholder("text", required=True)),
            {locale: Words("{{ subject|default('', true) }}", "{{ text }}") for locale in LANGUAGES},
        ),
    )
}  # fmt: skip
