"""One writer for each folder, and what another terminal is told of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leukbench.cli.app import run_command_line
from leukbench.errors import UsageError
from leukbench.trials.heartbeat import PROGRESS, Progress, RunningTrial
from leukbench.trials.lock import LOCK, WORK, FolderLock, Owner, lock_is_held
from leukbench.trials.status import read_status, status_lines

HOLDER = (
    "import sys, time, pathlib; from leukbench.trials.lock import FolderLock; "
    "lock = FolderLock(pathlib.Path(sys.argv[1]), 'leukbench run-all'); print('held', flush=True); "
    "time.sleep(600)"
)


@contextmanager
def held(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock of a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def progress(folder: Path, seconds: float, *running: RunningTrial) -> None:
    """Leave what a run with the trials a, b and c leaves, so many seconds ago."""
    beat = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
    planned = {key: f"tree, fold 0, seed {number}" for number, key in enumerate("abc")}
    file = folder / WORK / PROGRESS
    file.write_text(Progress(beat=beat, planned=planned, running=running).model_dump_json())


def test_two_writers_are_never_in_one_folder(tmp_path: Path) -> None:
    with held(tmp_path) as other:
        with pytest.raises(UsageError, match=f"written by another leukbench .process {other.pid} "):
            FolderLock(tmp_path)
        assert lock_is_held(tmp_path)
    # the process is dead now, and its lock is there: it is taken over
    assert (tmp_path / WORK / LOCK).is_file()
    with FolderLock(tmp_path) as lock:
        assert lock.owner.process == os.getpid()
        with pytest.raises(UsageError, match=f"process {os.getpid()} "):
            FolderLock(tmp_path)
    assert not (tmp_path / WORK).exists()


def test_a_writer_on_another_machine_counts_while_it_gives_signs(tmp_path: Path) -> None:
    (tmp_path / WORK).mkdir()
    lock = tmp_path / WORK / LOCK
    lock.write_text(Owner(process=1, host="elsewhere", started="2026-01-01").model_dump_json())
    with pytest.raises(UsageError, match="process 1 on elsewhere since 2026-01-01"):
        FolderLock(tmp_path)
    os.utime(lock, (time.time() - 3600,) * 2)
    FolderLock(tmp_path).release()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"process": "x"}', "\0" * 10])
def test_a_damaged_lock_file_of_a_dead_process_stops_nobody(tmp_path: Path, content: str) -> None:
    (tmp_path / WORK).mkdir()
    (tmp_path / WORK / LOCK).write_text(content)
    FolderLock(tmp_path).release()


def test_a_slow_run_a_silent_one_and_a_dead_one_are_told_apart(tmp_path: Path) -> None:
    trial = RunningTrial(
        name="tree, fold 0, seed 1", since="2026-01-01T00:00:00+00:00",
        heard=datetime.now(UTC).isoformat(), epoch=3, epochs=15,
    )  # fmt: skip
    with held(tmp_path) as process:
        progress(tmp_path, 3, trial)
        slow = read_status(tmp_path)
        assert slow.state == "runs"
        assert slow.left == {"a": "tree, fold 0, seed 0", "c": "tree, fold 0, seed 2"}
        lines = list(status_lines(slow))
        assert f"process   process {process.pid} on" in lines[1]
        assert lines[2].startswith("running   tree, fold 0, seed 1, since 2026-01-01")
        assert "epoch 3 of 15, last word 0 s ago" in lines[2]
        assert "left      tree 2" in lines
        progress(tmp_path, 300, trial)
        assert read_status(tmp_path).state == "silent"
        progress(tmp_path, -3600, trial)  # a clock that was set back
        assert read_status(tmp_path).state == "runs"
        process.send_signal(signal.SIGKILL)
        process.wait()
        dead = read_status(tmp_path)
        assert dead.state == "dead"
        assert "lost      tree, fold 0, seed 1" in "\n".join(status_lines(dead))
    (tmp_path / WORK / LOCK).unlink()
    assert read_status(tmp_path).state == "stopped"


def test_the_status_of_a_run_that_ended(
    make_folder: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    plugin_models: None,
) -> None:  # fmt: skip
    protocol = tmp_path / "small.toml"
    protocol.write_text(
        'name = "small"\nmodels = ["mean_ok", "mean_raises"]\n[preprocessing]\nsize = 32\n'
        '[split]\npolicy = "stratified"\ntest_fraction = 0.25\n'
        "[audit]\nprobes = false\nallow_duplicates_across_split = true\n"
    )
    out = tmp_path / "out"
    words = ["--data", str(make_folder()), "--protocol", str(protocol), "--out", str(out)]
    with held(out):
        assert run_command_line(["run-all", *words]) == 3
        assert "is being written by another leukbench" in capsys.readouterr().err
        assert not (out / "run.json").exists()
    assert run_command_line(["run-all", *words]) == 2
    assert not (out / WORK).exists()
    capsys.readouterr()
    assert run_command_line(["status", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "written by no process" in printed and "done      1 trials" in printed
    assert "failed    mean_raises, fold 0, seed 0: RuntimeError: this model always" in printed
    assert run_command_line(["status", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["state"] == "ended" and told["done"] == 1
    assert list(told["failed"].values()) == ["failed"] and told["left"] == {}
    assert run_command_line(["status", str(tmp_path / "nowhere")]) == 3
