"""Work in a process of its own gives what it would give here."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from leukbench.data.folder import load_folder
from leukbench.errors import DataError
from leukbench.protocol import load_protocol
from leukbench.trials import prepare
from leukbench.trials import subprocess_call as module
from leukbench.trials.subprocess_call import SMALL, call_in_subprocess


def test_many_images_are_worked_on_elsewhere_and_few_here() -> None:
    assert call_in_subprocess(os.getpid, images=SMALL) != os.getpid()
    assert call_in_subprocess(os.getpid, images=SMALL - 1) == os.getpid()


def test_an_error_of_the_user_keeps_its_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere` does not exist"):
        call_in_subprocess(load_folder, tmp_path / "nowhere", images=SMALL)


def test_a_process_that_is_ended_from_outside_is_told() -> None:
    with pytest.raises(RuntimeError, match=r"_exit was ended from outside \(exit code 7\)"):
        call_in_subprocess(os._exit, 7, images=SMALL)


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
