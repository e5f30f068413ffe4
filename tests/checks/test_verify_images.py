"""``verify --images`` reads every byte of the images that a run was made of."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from leukbench.checks.verify_images import verify_images
from leukbench.cli.app import run_command_line
from tests.fake_run import make_run


def images_of(run: Path, folder: Path) -> list[Path]:
    """Files whose bytes are those that the run's split names."""
    import hashlib

    import pandas as pd

    split = pd.read_csv(run / "split.csv", dtype=str)
    files = []
    for image in split["image"].unique():
        file = folder / image
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(image.encode())
        files.append(file)
    hashes = {image: hashlib.sha256(image.encode()).hexdigest() for image in split["image"]}
    split["sha256"] = split["image"].map(hashes)
    split.to_csv(run / "split.csv", index=False)
    return files


def test_every_change_of_the_images_is_named(tmp_path: Path) -> None:
    run, folder = tmp_path / "run", tmp_path / "images"
    make_run(run)
    files = images_of(run, folder)
    assert list(verify_images(run, folder)) == []
    status = files[0].stat()
    files[0].write_bytes(files[0].read_bytes()[::-1])
    os.utime(files[0], ns=(status.st_atime_ns, status.st_mtime_ns))
    files[1].unlink()
    (files[2].parent / "new.png").write_bytes(b"x")
    told = [str(difference) for difference in verify_images(run, folder)]
    assert len(told) == 3
    assert any(files[0].name in line and "other bytes" in line for line in told)
    assert any(files[1].name in line and "is not in" in line for line in told)
    assert any("new.png" in line and "was not in the run" in line for line in told)


def test_the_command_reads_images(
    make_folder: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = make_folder(images=10), tmp_path / "run"
    protocol = tmp_path / "p.toml"
    protocol.write_text(
        'name = "p"\nmodels = ["naive_bayes"]\n[preprocessing]\nsize = 32\n'
        '[split]\npolicy = "stratified"\n[audit]\nprobes = false\n',
        encoding="utf-8",
    )
    command = ["run-all", "--data", str(data), "--protocol", str(protocol), "--out", str(out)]
    assert run_command_line(command) == 0
    assert run_command_line(["verify", str(out), "--images", str(data)]) == 0
    victim = next((data / "Pro").iterdir())
    victim.write_bytes(victim.read_bytes() + b"\0")
    capsys.readouterr()
    assert run_command_line(["verify", str(out), "--images", str(data)]) == 1
    assert f"Pro/{victim.name}" in capsys.readouterr().out
