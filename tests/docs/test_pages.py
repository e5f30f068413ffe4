"""README and pages: links hold, examples run, numbers are those of the committed results."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pandas as pd
import pytest

from tests.docs.pages import DOCS, PAGES, ROOT, anchors, blocks, links

README = ROOT / "README.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_internal_links_hold(page: Path) -> None:
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if target == DOCS / "gallery" / "index.rst":  # made from this file when the site is built
            target = DOCS / "examples" / "GALLERY_HEADER.rst"
        assert target.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link}"


def test_readme_is_short_and_has_the_two_commands() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    assert (
        "    python3 -m venv .venv && .venv/bin/pip install -c constraints.txt . "
        "&& .venv/bin/python -m leukbench run-all\n"
    ) in text
    assert "    python3 -m venv .venv && .venv/bin/pip install tox && .venv/bin/tox\n" in text


def test_the_python_example_of_the_readme_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (example,) = (block for block in blocks(README) if block.language == "python")
    assert len(example.text.splitlines()) <= 12
    result = doctest.testfile(str(README), module_relative=False)
    assert result.failed == 0 and result.attempted >= 4


@pytest.mark.parametrize(
    ("model", "written"),
    [
        ("modified_cnn", "82.0 % (78.1–85.4)"),
        ("svm_rbf", "94.2 %"),
        ("random_forest", "93.5 %"),
        ("control_two_numbers", "81.9 %"),
        ("probe_background", "99.1 % (98.0–99.6)"),
    ],
)
def test_the_findings_of_the_readme_are_those_of_the_results(model: str, written: str) -> None:
    table = pd.read_csv(ROOT / "results" / "all-pbs-paper" / "comparison.csv").set_index("model")
    row = table.loc[model]
    accuracy = f"{100 * row['accuracy']:.1f} %"
    interval = f"{accuracy} ({100 * row['accuracy_low']:.1f}–{100 * row['accuracy_high']:.1f})"
    assert written in (accuracy, interval)
    assert written in " ".join(README.read_text(encoding="utf-8").split())


def test_commands_that_readme_and_pages_name_exist() -> None:
    import typer.main

    from leukbench.cli.app import app

    known = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    for page in PAGES:
        named = re.findall(r"(?:`|\$ |^ +)leukbench ([a-z][a-z-]+)", page.read_text("utf-8"), re.M)
        assert set(named) <= known, f"{page.name}: {set(named) - known}"


def test_who_reports_a_fault_or_cites_finds_what_is_true() -> None:
    from leukbench import __version__

    folder = ROOT / ".github"
    assert f"\nversion: {__version__}\n" in (folder / "CITATION.cff").read_text(encoding="utf-8")
    for link in links(folder / "SECURITY.md"):
        assert (folder / link).is_file(), link
