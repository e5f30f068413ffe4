"""The tutorial and the how-to pages: every command runs and prints what the page says.

One folder serves all pages; the how-to pages use what the tutorial leaves in it.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, Step, blocks, steps

TUTORIAL = DOCS / "tutorial.md"
HOW_TO = sorted(path for path in (DOCS / "how-to").glob("*.md") if path.stem != "index")
NOT_RUNNABLE = re.compile(r"pip install|dask ssh|--scheduler")  # installs, or needs other machines


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tutorial was run; ``bin`` beside it holds the command ``leukbench``."""
    path = tmp_path_factory.mktemp("docs") / "work"
    path.mkdir()
    script = path.with_name("bin") / "leukbench"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m leukbench "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    run_page(TUTORIAL, path)
    return path


def test_tutorial(folder: Path) -> None:
    assert (folder / "run" / "report.html").is_file()


@pytest.mark.parametrize("page", HOW_TO, ids=lambda path: path.stem)
def test_how_to(page: Path, folder: Path) -> None:
    run_page(page, folder)


def test_the_plug_in_of_the_page_holds_the_contract(folder: Path) -> None:
    """The commands after its installation run where an entry point stands for the installation."""
    run_page(DOCS / "how-to" / "own-model.md", folder)
    facts = folder / "plugin" / "grey_level-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: grey-level\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[leukbench.models]\ngrey_level = grey_level\n")
    found = Step(
        'PYTHONPATH="plugin:$PYTHONPATH" leukbench check-model grey_level',
        "grey_level: ... checks hold\n",
    )
    run_step(found, folder, "how-to/own-model.md")


@pytest.mark.parametrize("page", [TUTORIAL, *HOW_TO], ids=lambda path: path.stem)
def test_commands_that_are_not_run_say_why(page: Path) -> None:
    commands = [block for block in blocks(page) if block.language == "console"]
    assert all(block.reason for block in commands if NOT_RUNNABLE.search(block.text))
    text = page.read_text(encoding="utf-8")
    assert text.count("<!-- not run:") == sum(bool(block.reason) for block in blocks(page))
    assert not any(block.reason for block in blocks(TUTORIAL))


def run_page(page: Path, folder: Path) -> None:
    """Run the console and Python blocks of a page, in their order."""
    names: dict[str, object] = {}
    for block in blocks(page):
        if block.reason:
            continue
        where = f"{page.name}, line {block.line}"
        if block.language == "console":
            for step in steps(block):
                run_step(step, folder, where)
        elif block.language == "python":
            run_examples(block.text, names, folder, where)


def run_step(step: Step, folder: Path, where: str) -> None:
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", step.command],
        cwd=folder,
        env=os.environ | {"PATH": f"{folder.with_name('bin')}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{where}: {step.command}\n{done.stdout}"
    same = doctest.OutputChecker().check_output(step.expected, done.stdout, doctest.ELLIPSIS)
    assert same, f"{where}: {step.command}\nprints\n{done.stdout}\nand not\n{step.expected}"


def run_examples(text: str, names: dict[str, object], folder: Path, where: str) -> None:
    test = doctest.DocTestParser().get_doctest(text, names, where, where, 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    told: list[str] = []
    before = Path.cwd()
    os.chdir(folder)
    try:
        failed = runner.run(test, out=told.append, clear_globs=False).failed
    finally:
        os.chdir(before)
    names.update(test.globs)
    assert not failed, "".join(told)
