"""What the services' engine declares: providers, kept answers, and what follows when a call is given up."""

from __future__ import annotations

from crosstie.declare.module import Module, Reaction
from crosstie.services.answers import answers, changes
from crosstie.services.provider import CLOSED, OPENED, PROVIDERS
from crosstie.services.sink import given_up

MODULE = Module(
    "services",
    "Who provides which service, and how a remote one does.",
    resources=(PROVIDERS,),
    tables=(answers, changes),
    events=(OPENED, CLOSED),
    reactions=(Reaction("services.given_up", ("delivery.dead",), given_up),),
)
