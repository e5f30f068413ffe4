"""Published tables as data, and whether their arithmetic can be true.

``check_table`` is the door; ``published_table`` gives the paper's numbers as printed.
"""

from __future__ import annotations

from leukbench.published.check import CheckReport, check_table
from leukbench.published.paper_tables import published_table
from leukbench.published.reading import read_table
from leukbench.published.tables import ClassRow, PublishedRow, PublishedTable

__all__ = [
    "CheckReport",
    "ClassRow",
    "PublishedRow",
    "PublishedTable",
    "check_table",
    "published_table",
    "read_table",
]
