"""Notifications: the one part of Crosstie that sends messages to people."""

from crosstie.declare.module import Module, Reaction
from crosstie.modules.notifications import consent, receipt, suppression
from crosstie.modules.notifications.message import EVENTS, MESSAGES
from crosstie.modules.notifications.notice import NOTICES
from crosstie.modules.notifications.preference import PREFERENCES
from crosstie.modules.notifications.provider import PROVIDERS
from crosstie.modules.notifications.rule import RULES
from crosstie.modules.notifications.service import NOTIFICATIONS
from crosstie.modules.notifications.suppression import SUPPRESSIONS
from crosstie.modules.notifications.template import MESSAGE_TEMPLATES
from crosstie.modules.notifications.unsubscribe import UNSUBSCRIBE_LINK

MODULE = Module(
    "notifications",
    "Messages to people.",
    resources=(MESSAGES, NOTICES, MESSAGE_TEMPLATES, PREFERENCES, RULES, PROVIDERS, SUPPRESSIONS),
    events=(*EVENTS, *consent.EVENTS),
    reactions=(
        Reaction("suppressions", ("message.failed",), suppression.note),
        Reaction("receipts", ("inbound.received",), receipt.note, passes=receipt.about),
        Reaction("consent", ("inbound.received",), consent.note, passes=consent.about),
    ),
    links=(UNSUBSCRIBE_LINK,),
    provides=(NOTIFICATIONS,),
)
