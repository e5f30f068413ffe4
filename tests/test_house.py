"""The house: which room may import which, what is imported when, and how long things are."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "leukbench"
HEAVY = ("tensorflow", "keras", "sklearn", "pandas", "cv2", "scipy", "matplotlib")


def modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {line.split(".")[0] for line in done.stdout.splitlines()}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["list", "models"],
        ["list", "datasets"],
        ["list", "protocols"],
        ["run-all", "--help"],
    ],
    ids=" ".join,
)
def test_light_verbs_import_nothing_heavy(arguments: list[str]) -> None:
    found = modules_after(
        f"from leukbench.cli.app import run_command_line\nassert run_command_line({arguments!r}) == 0"
    )
    assert not found & set(HEAVY)


def test_importing_leukbench_is_light() -> None:
    assert not modules_after("import leukbench") & {*HEAVY, "numpy", "pydantic", "typer"}


def test_naming_the_api_imports_no_library_of_scores_or_figures() -> None:
    loaded = modules_after("import leukbench; leukbench.run; leukbench.Run")
    assert not loaded & {"tensorflow", "keras", "sklearn", "scipy", "matplotlib", "statsmodels"}


def test_a_run_with_nothing_to_do_imports_no_library_of_models_or_tables() -> None:
    loaded = modules_after("import leukbench.trials.execute, leukbench.cli.progress")
    assert not loaded & {"tensorflow", "keras", "sklearn", "scipy", "matplotlib", "statsmodels"}


def test_rooms_import_only_what_they_may() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_room_stands_in_the_drawing_of_the_house() -> None:
    """CONTRIBUTING.md and the import contract name the same rooms, and these are all there are."""
    rooms = {
        path.stem
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    } - {"__init__", "_version"}
    table = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    heads = re.findall(r"^\| (`[^|]+`) \|", table, re.MULTILINE)
    drawn = {Path(name).stem for head in heads for name in re.findall(r"`([^`]+)`", head)}
    assert drawn - {"protocols"} == rooms
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = next(
        contract["layers"]
        for contract in config["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    )
    assert {room for layer in layers for room in layer.split(" | ")} - {"_version"} == rooms


def test_run_is_a_plain_function() -> None:
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import leukbench, types; assert isinstance(leukbench.run, types.FunctionType)",
        ],
        check=True,
    )


def functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function of leukbench, with its file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path.relative_to(PACKAGE), node


def test_no_function_is_longer_than_60_lines() -> None:
    lengths = {
        f"{path}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path, node in functions()
    }
    assert {name: lines for name, lines in lengths.items() if lines > 60} == {}


def test_no_file_is_longer_than_400_lines() -> None:
    lengths = {
        str(path.relative_to(PACKAGE)): len(path.read_text(encoding="utf-8").splitlines())
        for path in PACKAGE.rglob("*.py")
    }
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}


def test_no_module_imports_itself_through_others() -> None:
    """No circle, not even among imports inside functions or for type checking."""
    graph = grimp.build_graph("leukbench", cache_dir=None)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    TopologicalSorter(imports).prepare()  # raises CycleError, which names the circle


UNTYPED = re.compile(r"(?:dict|Mapping)\[str, (?:Any|object)\]")
RECORD = re.compile(r"job|outcome|record|description")
PASSED = re.compile(rf"{RECORD.pattern}|task|answer|^run$")


def test_jobs_outcomes_and_descriptions_of_runs_are_typed() -> None:
    """No function takes or returns one of them as a dict of anything; they are records."""
    untyped = []
    for path, node in functions():
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        hints = [(one.arg, one.annotation) for one in arguments if PASSED.search(one.arg)]
        hints += [("return", node.returns)] if RECORD.search(node.name) else []
        untyped += [
            f"{path}: {node.name}: {name}"
            for name, hint in hints
            if hint is not None and UNTYPED.search(ast.unparse(hint))
        ]
    assert untyped == []
