"""Work in a process of its own gives what it would give here, and nothing is pickled on the way."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from leukbench.data.dataset import Dataset, ImageRecord
from leukbench.data.folder import load_folder
from leukbench.errors import DataError
from leukbench.files import write_text
from leukbench.machine import available_cores
from leukbench.protocol import Protocol, load_protocol
from leukbench.records import file_sha256
from leukbench.report import write_report
from leukbench.trials import execute, prepare
from leukbench.trials import subprocess_call as module
from leukbench.trials.subprocess_call import SMALL, _types, _written, call_in_subprocess

PACKAGE = Path(prepare.__file__).parents[1]


def test_many_images_are_worked_on_elsewhere_and_few_here(tmp_path: Path) -> None:
    target = tmp_path / "café \udce9\n.txt"
    assert call_in_subprocess(write_text, target, "é\n", images=SMALL) is None
    assert target.read_text(encoding="utf-8") == "é\n"
    assert call_in_subprocess(available_cores, images=SMALL) == available_cores()
    assert call_in_subprocess(os.getpid, images=SMALL - 1) == os.getpid()


def test_an_error_of_the_user_keeps_its_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no run folder") as caught:
        call_in_subprocess(write_report, tmp_path / "nowhere", images=SMALL)
    assert str(tmp_path / "nowhere") in str(caught.value)
    assert "Traceback" in caught.value.__notes__[0]
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        call_in_subprocess(write_text, tmp_path / "file" / "below", "text", images=SMALL)


def test_an_error_of_the_system_keeps_its_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError) as caught:
        call_in_subprocess(file_sha256, tmp_path, images=SMALL)
    assert caught.value.filename == str(tmp_path)


def test_any_other_error_is_named() -> None:
    def missing() -> None:
        """Stands for what is wrong in the code."""

    missing.__module__, missing.__qualname__ = "leukbench.files", "missing"
    with pytest.raises(RuntimeError, match=r"AttributeError: .* has no attribute 'missing'"):
        call_in_subprocess(missing, images=SMALL)


def test_a_process_that_is_ended_from_outside_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match=r"available_cores was ended .* \(exit code 1\)"):
        call_in_subprocess(available_cores, images=SMALL)


def test_no_function_of_another_package_is_called() -> None:
    def stranger() -> None:
        """Belongs to the tests."""

    with pytest.raises(RuntimeError, match=r"exit code 1"):
        call_in_subprocess(stranger, images=SMALL)


def test_what_is_passed_arrives_as_it_was() -> None:
    records = (
        ImageRecord("a b/é.png", "A", "0" * 64, "p", "train"),
        ImageRecord("c.png", "B", "1"),
    )
    dataset = Dataset("set", Path("/tmp/x\udce9"), records, synthetic=True, notes=("n",))
    protocol = load_protocol("honest")
    for function, values in (
        (prepare._audit_and_split, (dataset, dataset, protocol)),
        (execute._write_arrays, (dataset, protocol.preprocessing, ["colour"])),
    ):
        kinds = _types(function)[:-1]
        for kind, value in zip(kinds, values, strict=True):
            again = kind.validate_python(module.json.loads(_written(kind.dump_python(value))))
            assert again == value and type(again) is type(value)
            if isinstance(value, Protocol):
                assert again.fingerprint == value.fingerprint


def test_the_split_and_the_audit_are_the_same_there(
    make_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dataset, protocol = load_folder(make_folder()), load_protocol("paper")
    found = []
    for name, small in (("here", SMALL), ("there", 0)):
        monkeypatch.setenv("LEUKBENCH_CACHE", str(tmp_path / name))
        monkeypatch.setattr(module, "SMALL", small)
        _, split, report = prepare.audited_split(dataset, protocol)
        found.append((split.to_csv(), report.findings))
    assert found[0] == found[1]


UNSAFE = {
    ("pickle", "load"), ("pickle", "Unpickler"), ("joblib", "load"), ("dill", "load"),
    ("cloudpickle", "load"), ("torch", "load"), ("marshal", "load"), ("marshal", "loads"),
    ("shelve", "open"), ("pd", "read_pickle"), ("yaml", "load"), ("yaml", "unsafe_load"),
}  # fmt: skip
UNSAFE_OPTIONS = {("allow_pickle", True), ("safe_mode", False), ("shell", True)}


def unsafe_calls(source: str) -> list[str]:
    """What a source file does that could run code which lies on disk."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if (node.value.id, node.attr) in UNSAFE:
                found.append(f"{node.value.id}.{node.attr}")
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found += [
                f"from {node.module} import {a.name}"
                for a in node.names
                if (node.module, a.name) in UNSAFE or node.module == "pickle"
            ]
        elif isinstance(node, ast.Import):
            found += [f"import {a.name}" for a in node.names if a.name in ("pickle", "dill")]
        elif isinstance(node, ast.Name) and node.id in ("eval", "exec"):
            found.append(node.id)
        elif isinstance(node, ast.keyword):
            option = node.arg, getattr(node.value, "value", None)
            found += [f"{option[0]}={option[1]}"] if option in UNSAFE_OPTIONS else []
    return found


def test_no_pickle_is_loaded_from_disk() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix(): unsafe_calls(path.read_text(encoding="utf-8"))
        for path in PACKAGE.rglob("*.py")
    }
    allowed = found.pop("models/testing.py")  # a contract check: in memory, of its own making
    assert allowed == ["import pickle"]
    assert {name: calls for name, calls in found.items() if calls} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from pickle import loads", "import joblib\njoblib.load('x')",
        "import numpy as np\nnp.load('x', allow_pickle=True)", "pd.read_pickle('x')", "eval('1')",
        "keras.models.load_model('x', safe_mode=False)", "subprocess.run('x', shell=True)",
    ],
)  # fmt: skip
def test_the_scan_finds_what_it_looks_for(source: str) -> None:
    assert unsafe_calls(source)
