"""A checklist filled from a run: item by item what its records say, and what is left to the authors."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal, get_args

import pandas as pd

from leukbench.checklists.of_data import DATA
from leukbench.checklists.of_models import MODELS
from leukbench.checklists.of_results import RESULTS
from leukbench.errors import UsageError, did_you_mean
from leukbench.report.formats import SYNTHETIC, escape_markdown
from leukbench.report.results import Results

FACTS = DATA.by_name | MODELS.by_name | RESULTS.by_name
Status = Literal["from the records", "in part", "for the authors"]
COLUMNS = ("item", "section", "asks", "status", "answer", "files", "write")
UNKNOWN = "The records of this run do not say it: write what was done, or that it was not."


@dataclass(frozen=True)
class Item:
    """One item of a guideline, in our own words."""

    number: str
    """As the guideline has it."""
    section: str
    asks: str
    facts: tuple[str, ...]
    """Names in `FACTS`."""
    write: str
    """What the authors must write in any case; empty where records can answer the item."""


@dataclass(frozen=True)
class Guideline:
    """A checklist as it comes with the package."""

    name: str
    title: str
    subject: str
    source: str
    note: str
    """How its items are numbered, and what of it was not read."""
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Answer:
    """What a run says to an item, the files that prove it, and what is left to write."""

    item: Item
    text: str
    files: tuple[str, ...]
    write: str

    @property
    def status(self) -> Status:
        """Who answers it."""
        if not self.text:
            return "for the authors"
        return "in part" if self.write else "from the records"


def guidelines() -> tuple[str, ...]:
    """Names of all checklists and cards."""
    folder = resources.files("leukbench.checklists") / "guidelines"
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name[:-5] for name in names if name.endswith(".toml")))


@cache
def guideline(name: str) -> Guideline:
    """Read a checklist by its name; `UsageError` where there is none of that name."""
    if name not in guidelines():
        raise UsageError(
            f"There is no checklist {name!r}{did_you_mean(name, guidelines())}: choose from "
            f"{', '.join(guidelines())}."
        )
    source = resources.files("leukbench.checklists") / "guidelines" / f"{name}.toml"
    stored = tomllib.loads(source.read_text(encoding="utf-8"))
    items = tuple(
        Item(number, section, asks, tuple(facts), write)
        for number, section, asks, facts, write in stored.pop("items")
    )
    return Guideline(name=name, items=items, **stored)


def fill(results: Results, name: str) -> list[Answer]:
    """Answer every item of a checklist from a run, in its order."""
    told: dict[str, str] = {}
    answers = []
    for item in guideline(name).items:
        for fact in item.facts:
            told.setdefault(fact, FACTS[fact].tell(results))
        known = [FACTS[fact] for fact in item.facts if told[fact]]
        files = dict.fromkeys(file for fact in known for file in fact.files)
        there = tuple(file for file in files if any(results.folder.path.glob(file)))
        text = " ".join(told[fact.name] for fact in known)
        answers.append(Answer(item, text, there, item.write or ("" if text else UNKNOWN)))
    return answers


def checklist_table(results: Results, name: str) -> pd.DataFrame:
    """The answers as a table, one row an item; columns `COLUMNS`."""
    rows = [
        (a.item.number, a.item.section, a.item.asks, a.status, a.text, " ".join(a.files), a.write)
        for a in fill(results, name)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def checklist_markdown(results: Results, name: str) -> str:
    """The answers as Markdown, section by section."""
    chosen, answers, run = guideline(name), fill(results, name), results.folder.run
    counts = dict.fromkeys(get_args(Status), 0)
    for answer in answers:
        counts[answer.status] += 1
    lines = [
        f"# {chosen.title}: {chosen.subject}",
        "",
        f"Run {escape_markdown(run.dataset.title or run.dataset.name)}, protocol "
        f"{escape_markdown(run.protocol.name)}, leukbench {run.leukbench_version}.",
    ]
    if run.dataset.synthetic:
        lines += ["", f"**{SYNTHETIC}: no number here says anything about patients.**"]
    lines += [
        "",
        f"{chosen.source}. {chosen.note} Items are in our own words: read them in the source.",
        "",
        f"{len(answers)} items: "
        + ", ".join(f"{n} {status}" for status, n in counts.items())
        + ".",
    ]
    section = ""
    for answer in answers:
        if answer.item.section != section:
            section = answer.item.section
            lines += ["", f"## {section}"]
        lines += ["", *_item_lines(answer)]
    return "\n".join(lines) + "\n"


def _item_lines(answer: Answer) -> list[str]:
    lines = [f"**{answer.item.number} {answer.item.asks}** ({answer.status})"]
    if answer.text:
        proof = ", ".join(f"`{file}`" for file in answer.files)
        lines += ["", escape_markdown(answer.text) + (f" [{proof}]" if proof else "")]
    if answer.write:
        lines += ["", f"*For the authors:* {answer.write}"]
    return lines
