"""From stored predictions to numbers, intervals and tests."""

UNRANKED_FAMILIES = frozenset({"probe", "control"})
"""Families that show what a number is worth and compete with nobody."""
