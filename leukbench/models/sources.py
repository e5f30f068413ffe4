"""Where the published values of the paper's models are printed."""

from __future__ import annotations

PAPER_TABLE = "Keerthivasan and Saranya 2023, Table 1"
QUOTED_IN_PAPER = f"{PAPER_TABLE}; from another paper and other data"
