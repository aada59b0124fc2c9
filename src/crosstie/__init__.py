"""Crosstie: one API-first hub that ties the systems of a service business together."""

__version__ = "0.1.0"
