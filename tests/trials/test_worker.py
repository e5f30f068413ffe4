"""The child process of a trial."""

from __future__ import annotations

from pathlib import Path

import psutil

from leukbench.trials.worker import Worker


def test_what_a_child_leaves_among_temporary_files_goes_with_it() -> None:
    before = {child.pid for child in psutil.Process().children()}
    with Worker(1) as worker:
        assert worker.ping()
        (child,) = (c for c in psutil.Process().children() if c.pid not in before)
        scratch = Path(child.environ()["TMPDIR"])
        (scratch / "generated_code.py").write_text("", encoding="utf-8")
    assert not child.is_running()
    assert not scratch.exists()
