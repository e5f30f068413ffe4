"""The verb ``list``: models, datasets, protocols."""

from __future__ import annotations

import os
from typing import Annotated

import typer

app = typer.Typer(help="List models, datasets or protocols.", no_args_is_help=True)

Long = Annotated[bool, typer.Option("--long", help="Recipe, departures, reference, parameters.")]


@app.command("models")
def list_models(long: Long = False) -> int:
    """List all models, those of plug-ins too, and the shortcut probes."""
    from leukbench.models import registry

    specs = (*registry.specs(), *registry.probes())
    if not long:
        width = max(len(spec.name) for spec in specs)
        for spec in specs:
            typer.echo(f"{spec.name:<{width}}  {spec.family:<9}  {spec.title}")
        return 0
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow is talkative
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    from leukbench.models.training.cost import describe_cost

    for spec in specs:
        typer.echo(f"{spec.name}: {spec.title} ({spec.family})")
        typer.echo(f"  reference   {spec.reference or 'none'}")
        typer.echo(f"  recipe      {spec.recipe}")
        for name, value in spec.options.items():
            typer.echo(f"  option      {name} = {value} (change it under [options.{spec.name}])")
        typer.echo(f"  parameters  {describe_cost(spec)}")
        published = spec.published
        if published is None:
            typer.echo("  published   not reported")
        else:
            data = "this dataset" if published.same_data else "other data"
            typer.echo(f"  published   accuracy {published.accuracy} on {data}; {published.source}")
        for departure in spec.departures:
            typer.echo(f"  departure   {departure}")
        typer.echo("")
    return 0


@app.command("datasets")
def list_datasets() -> int:
    """List the datasets that are recognised."""
    from leukbench.data.catalog import CATALOG

    for entry in CATALOG:
        images = f"{entry.images} images" if entry.images else "as many images as asked for"
        typer.echo(f"{entry.name:<13} {images:<28} {entry.title}")
        typer.echo(f"{'':<13} licence: {entry.licence}")
    return 0


@app.command("protocols")
def list_protocols() -> int:
    """List the built-in protocols."""
    from leukbench.protocol import builtin_protocols, load_protocol

    for name in builtin_protocols():
        protocol = load_protocol(name)
        typer.echo(f"{name:<10} {protocol.title} (fingerprint {protocol.fingerprint[:12]})")
        typer.echo(f"{'':<10} {' '.join(protocol.description.split())}")
    return 0
