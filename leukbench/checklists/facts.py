"""A fact of a run: one or more sentences from its records, and the files that prove them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from leukbench.report.results import Results

Tell = Callable[[Results], str]


@dataclass(frozen=True)
class Fact:
    """What a run's records say on one matter; `tell` gives an empty text where they say nothing."""

    name: str
    files: tuple[str, ...]
    """Below the run folder."""
    tell: Tell


class Facts:
    """Facts by name, in the order of their definition."""

    def __init__(self) -> None:
        self.by_name: dict[str, Fact] = {}

    def add(self, *files: str) -> Callable[[Tell], Tell]:
        """Take a function as the fact of its own name, without the underscore; its files prove it."""

        def take(tell: Tell) -> Tell:
            name = tell.__name__.removeprefix("_")
            self.by_name[name] = Fact(name, files, tell)
            return tell

        return take


def plural(number: int, word: str) -> str:
    """Write a number of things.

    >>> plural(1, "fold"), plural(3, "image")
    ('1 fold', '3 images')
    """
    return f"{number} {word}" + ("" if number == 1 else "s")
