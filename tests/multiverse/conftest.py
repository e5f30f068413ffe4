"""One multiverse of a known truth, which the tests of this folder read."""

from __future__ import annotations

from pathlib import Path

import pytest

from leukbench.cli.app import run_command_line
from tests.multiverse.made import FakeTrials, arguments, write_images


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("multiverse"))


@pytest.fixture(scope="session")
def whole(work: Path) -> Path:
    """The folder of the tiny multiverse, run without a break."""
    with pytest.MonkeyPatch.context() as patch:
        fake = FakeTrials()
        patch.setattr("leukbench.trials.execute.run_trials", fake)
        assert run_command_line(arguments(work, "whole")) == 0
        assert len(fake.trained) == len(set(fake.trained)) == 16 * 2 + 8 * 2
    return work / "whole"
