"""Flows: the chains that cross modules and services, an ordinary function for each step."""

from crosstie.declare.module import Module
from crosstie.flows import delivery, money, stock

MODULE = Module(
    "flows",
    "What follows from an event at another service.",
    reactions=(*money.REACTIONS, *stock.REACTIONS, *delivery.REACTIONS),
)
