"""From stored predictions to numbers, intervals and tests."""

UNRANKED_FAMILIES = frozenset({"probe", "control"})
"""Families that show what a number is worth and compete with nobody."""
ALPHAS = (0.0001, 0.5)
"""Smallest and largest level of a test."""
MOST_COST = 1e9
"""Of an error of a kind, in units of the other's."""
BENIGN, MALIGNANT = "benign", "malignant"
"""Classes of the view that asks what a reader of smears asks first."""
