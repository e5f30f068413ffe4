"""Runs to be broken: small data, a process for each run that can be killed, and what must hold after.

Processes are forked from a server that has imported leukbench already; from there on each is a run as
the command line makes it, with child processes of its own.
"""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import psutil

from leukbench.records import file_sha256, read_record
from leukbench.runfolder import RunFolder
from leukbench.trials.lock import lock_is_held

MODEL = "naive_bayes"
PROTOCOL = """name = "faults"
models = ["{model}"]
seeds = [{seeds}]
[preprocessing]
size = 16
median_kernel = 0
[split]
policy = "stratified"
test_fraction = 0.25
[audit]
probes = false
allow_duplicates_across_split = true
"""
PATIENCE = 180.0
PRELOADED = [
    "leukbench.cli.run", "leukbench.trials.execute", "leukbench.report.html", "tests.faults.site",
    "leukbench.report.figures", "leukbench.report.tables", "leukbench.report.results", "pyarrow.parquet",
]  # fmt: skip

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(PRELOADED)


class Run:
    """A run under way in a process of its own, with its log."""

    numbers = count()

    def __init__(self, site: Site, out: Path, words: Sequence[str], step: int | None) -> None:
        self.out = out
        self.log = site.folder / f"log-{next(self.numbers)}.txt"
        self.steps = self.log.with_suffix(".steps")
        command = site.command(out, *words)
        self._process = _context.Process(
            target=_run, args=(command, site.environment, self.log, out, step, self.steps)
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def wait(self) -> int:
        """The exit code; negative for the signal that ended it."""
        self._process.join(PATIENCE)
        assert self._process.exitcode is not None, f"a run does not end: {self.text}"
        return self._process.exitcode

    @property
    def ended(self) -> bool:
        return self._process.exitcode is not None

    @property
    def text(self) -> str:
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""

    def wait_for(self, words: str, times: int = 1) -> bool:
        """Whether the log holds some words before the run ends."""
        end = time.monotonic() + PATIENCE
        while not self.ended and time.monotonic() < end:
            if self.text.count(words) >= times:
                return True
            time.sleep(0.01)
        return False

    def processes(self, words: str) -> list[psutil.Process]:
        """Descendants whose command line holds some words."""
        found = []
        try:
            for child in psutil.Process(self.pid).children(recursive=True):
                try:
                    if words in " ".join(child.cmdline()):
                        found.append(child)
                except psutil.Error:
                    continue
        except psutil.Error:
            return []
        return found


def signalled(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


@dataclass(frozen=True)
class Site:
    """A folder with images, a protocol and a cache."""

    folder: Path
    data: Path
    protocol: Path
    environment: Mapping[str, str]

    @classmethod
    def make(cls, folder: Path, seeds: int) -> Site:
        data, protocol = folder / "data", folder / "faults.toml"
        generator = np.random.default_rng(5)
        for number, label in enumerate(("A", "B")):
            (data / label).mkdir(parents=True, exist_ok=True)
            for index in range(12):
                pixels = np.clip(generator.normal(80 + 60 * number, 50, (24, 24, 3)), 0, 255)
                cv2.imwrite(str(data / label / f"{index}.png"), pixels.astype(np.uint8))
        text = PROTOCOL.format(model=MODEL, seeds=", ".join(map(str, range(seeds))))
        protocol.write_text(text, encoding="utf-8")
        environment = {"LEUKBENCH_CACHE": str(folder / "cache"), "MPLBACKEND": "agg"}
        return cls(folder, data, protocol, environment)

    def command(self, out: Path, *words: str) -> list[str]:
        stated = {"--data": self.data, "--protocol": self.protocol, "--out": out, "--jobs": 1}
        stated |= {"--threads": 1}
        return ["run-all", *(str(word) for pair in stated.items() for word in pair), *words]

    def start(self, out: Path, *words: str, step: int | None = None) -> Run:
        return Run(self, out, words, step)

    def whole_run(self, name: str = "undisturbed") -> Path:
        """A run that nobody disturbed."""
        out = self.folder / name
        run = self.start(out)
        assert run.wait() == 0, run.text
        return out


def _run(
    command: Sequence[str], environment: Mapping[str, str], log: Path, out: Path, step: int | None,
    steps: Path,
) -> None:  # fmt: skip
    """What the process of a run does."""
    os.setsid()
    _obey_permissions()
    os.environ.update(environment)
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", closefd=False)
    from leukbench.cli.app import run_command_line

    numbers = _die_at(step, out)
    code = run_command_line(list(command))
    steps.write_text(str(next(numbers)), encoding="ascii")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _obey_permissions() -> None:
    """Where root runs the tests: give up the right to write what may not be written (Linux)."""
    if sys.platform != "linux" or os.getuid():
        return
    libc, override = ctypes.CDLL(None, use_errno=True), 1
    libc.prctl(24, override, 0, 0, 0)  # PR_CAPBSET_DROP: for children too
    header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    libc.capget(header, sets)
    for place in range(3):  # effective, permitted, inheritable
        sets[place] &= ~(1 << override)
    libc.capset(header, sets)


def _die_at(step: int | None, out: Path) -> count[int]:
    """Make this process kill itself at a step; gives the counter of its steps.

    A step is the moment before or after a name below `out` is made, changed or removed, or half
    through the write of a small file.
    """
    numbers, lock, below = count(), threading.Lock(), os.fspath(out)

    def tick() -> None:
        with lock:
            if next(numbers) == step:
                os.kill(os.getpid(), signal.SIGKILL)

    def watched(function: Callable[..., object]) -> Callable[..., object]:
        def call(path: object, *arguments: object, **options: object) -> object:
            if not isinstance(path, str | os.PathLike) or not os.fspath(path).startswith(below):
                return function(path, *arguments, **options)
            tick()
            result = function(path, *arguments, **options)
            tick()
            return result

        return call

    def write_bytes(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            written = file.write(data[: len(data) // 2])
            file.flush()
            if os.fspath(path).startswith(below):
                tick()
            return written + file.write(data[len(data) // 2 :])

    for name in ("mkdir", "rename", "replace", "unlink", "rmdir"):
        setattr(os, name, watched(getattr(os, name)))
    Path.write_bytes = write_bytes  # type: ignore[method-assign]
    return numbers


def finished(out: Path) -> set[str]:
    """Keys of trials with predictions that are whole; anything else that says it is one is a fault."""
    keys = set()
    for path in out.glob("trials/*/record.json"):
        record = read_record(path)
        if record.scored:
            for name, digest in record.files.items():
                assert file_sha256(path.parent / name) == digest, (
                    f"{path.parent / name} is not whole"
                )
            keys.add(record.key)
    return keys


def check_wholeness(out: Path) -> None:
    """Every file that a reader would open is whole; temporary names begin with a dot."""
    ends = {".html": b"</html>", ".svg": b"</svg>", ".png": b"IEND\xaeB`\x82", ".csv": b"\n"}
    for file in out.rglob("*"):
        below = file.relative_to(out)
        if not file.is_file() or any(part.startswith(".") for part in below.parts):
            continue
        content = file.read_bytes()
        if file.suffix == ".json":
            json.loads(content)
        elif file.suffix in ends:
            assert content.endswith((ends[file.suffix], ends[file.suffix] + b"\n")), file
        elif file.suffix == ".parquet":
            pd.read_parquet(file)
        assert content, f"{file} is empty"


def check_after(out: Path, before: set[str], log: str = "") -> set[str]:
    """What must hold after any fault: nothing that was finished or announced is lost, nothing is half."""
    end = time.monotonic() + 10
    while lock_is_held(out) and time.monotonic() < end:
        time.sleep(0.05)  # a dead process is being cleaned away
    check_wholeness(out)
    now = finished(out)
    assert before <= now, f"lost: {sorted(before - now)}"
    announced = sum(line.startswith("ok ") for line in log.splitlines())
    assert len(now - before) >= announced, (
        f"{announced} trials were announced, {len(now - before)} are there"
    )
    return now


def check_same(out: Path, undisturbed: Path) -> None:
    """A run that was resumed gives the predictions of an undisturbed one, and leaves nothing behind."""
    from leukbench.checks.verify import verify_run

    left = [file.name for file in out.rglob(".*")]
    assert not left, f"left behind: {left}"
    one, other = RunFolder(out), RunFolder(undisturbed)
    assert [r.key for r in one.records] == [r.key for r in other.records]
    for left_record, right_record in zip(one.records, other.records, strict=True):
        pd.testing.assert_frame_equal(one.predictions(left_record), other.predictions(right_record))
    assert (out / "split.csv").read_bytes() == (undisturbed / "split.csv").read_bytes()
    findings = [json.loads((path / "audit.json").read_bytes()) for path in (out, undisturbed)]
    assert findings[0] | {"seconds": 0} == findings[1] | {"seconds": 0}
    assert verify_run(out) == []
