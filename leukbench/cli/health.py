"""The verbs ``check-model`` and ``doctor``."""

from __future__ import annotations

from typing import Annotated

import typer


def check_model(
    names: Annotated[list[str], typer.Argument(help="Models, those of plug-ins too; or all.")],
) -> int:
    """Hold models against the contract, on small rendered images."""
    from leukbench.models import registry
    from leukbench.models.testing import check_model as check

    chosen = registry.names() if names == ["all"] else tuple(names)
    broken = 0
    for name in chosen:
        if names == ["all"] and not registry.get(name).installed:
            typer.echo(f"{name}: not checked, it {registry.get(name).missing}")
            continue
        results = check(name)
        bad = [result for result in results if not result.ok]
        broken += bool(bad)
        typer.echo(f"{name}: {len(results) - len(bad)} of {len(results)} checks hold")
        for result in bad:
            typer.echo(f"  {result.name}: {result.detail}")
    return 2 if broken else 0


def doctor() -> int:
    """Tell what the machine has, what is installed, and whether a run would work."""
    import shutil

    from leukbench.errors import DataError
    from leukbench.files import cache_dir, writable_cache
    from leukbench.machine import describe_environment
    from leukbench.trials.device import find_gpus
    from leukbench.trials.precision import describe_speedups, has_bfloat16_units, stored_speedups
    from leukbench.trials.worker import Worker

    environment = describe_environment()
    for key in ("python", "cpu", "cores", "memory_gb", "os", "machine"):
        typer.echo(f"{key:<12} {getattr(environment, key)}")
    units = "in hardware" if has_bfloat16_units() else "not in hardware"
    typer.echo(f"{'bfloat16':<12} {units}; {describe_speedups(stored_speedups())}")
    gpus = find_gpus()
    for gpu in gpus.names or (gpus.problem or "none, and no driver of one",):
        typer.echo(f"{'gpu':<12} {gpu}")
    for name, version in environment.packages.items():
        typer.echo(f"{name:<18} {version}")
    sound = True
    try:
        folder = writable_cache()
        free = shutil.disk_usage(folder).free / 2**30
        typer.echo(f"{'cache':<12} {folder}, {free:.1f} GiB free")
    except DataError as error:
        sound = False
        typer.echo(f"{'cache':<12} {cache_dir()}: {error}")
    with Worker(1) as worker:
        working = worker.ping()
    typer.echo(f"{'child':<12} {'answers' if working else 'does not start'}")
    return 0 if sound and working else 3
