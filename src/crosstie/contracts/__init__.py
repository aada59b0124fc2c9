"""The contracts of the partner services: all that a caller needs to know of each."""
