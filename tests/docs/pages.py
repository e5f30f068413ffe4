"""Commands, examples and links of the Markdown pages, as tests read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "benchmarks" / "README.md",
    *sorted(
        path for path in DOCS.rglob("*.md") if not path.relative_to(DOCS).parts[0].startswith("_")
    ),
)

_FENCE = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]*?) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block; `reason` says why the tests do not run it, or is empty."""

    language: str
    text: str
    line: int
    reason: str


@dataclass(frozen=True)
class Step:
    """A command and what the page says that it prints; three dots stand for anything."""

    command: str
    expected: str


def blocks(page: Path) -> Iterator[Block]:
    """All fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start("text"))
        yield Block(found["language"], found["text"], line, found["reason"] or "")


def steps(block: Block) -> list[Step]:
    """The commands of a console block: ``$`` begins one, ``>`` continues it, the rest is output.

    >>> steps(Block("console", "$ cat > a <<E\\n> x\\n> E\\n$ cat a\\nx\\n", 1, ""))
    [Step(command='cat > a <<E\\nx\\nE', expected=''), Step(command='cat a', expected='x\\n')]
    """
    found: list[Step] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append(Step(line[2:], ""))
            continue
        last = found.pop()
        if not last.expected and (line == ">" or line.startswith("> ")):
            found.append(Step(f"{last.command}\n{line[2:]}", ""))
        else:
            found.append(Step(last.command, f"{last.expected}{line}\n"))
    return found


def links(page: Path) -> Iterator[str]:
    """Targets of the links and pictures of a page that stay within the repository."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(page: Path) -> set[str]:
    """What a link can name after ``#``: the headings, as GitHub and MyST write them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
