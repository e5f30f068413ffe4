"""Parts of the reference that are written from the code, so that they cannot fall behind it.

Each function returns Markdown. Before Sphinx reads a page, all of them are written to ``_generated/``,
from where the pages include them.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, get_args, get_origin

import pandas as pd
from command_reference import commands
from markdown_table import table
from pydantic import BaseModel
from pydantic.fields import FieldInfo

ROOT = Path(__file__).parents[2]


def protocol_keys() -> str:
    """Every key of a protocol file, section by section, from the pydantic models."""
    from leukbench.protocol import Protocol

    own = {
        name: field
        for name, field in Protocol.model_fields.items()
        if not _is_model(field.annotation)
    }
    parts = ["### At the top of the file", "", *_field_table(own, Protocol)]
    for name, field in Protocol.model_fields.items():
        if _is_model(field.annotation):
            summary = inspect.getdoc(field.annotation).splitlines()[0]
            parts += ["", f"### `[{name}]`", "", summary, ""]
            parts += _field_table(field.annotation.model_fields, field.annotation)
    return "\n".join(parts)


def builtin_protocols() -> str:
    """The protocols that come with the package."""
    from leukbench.protocol import builtin_protocols, load_protocol

    rows = []
    for name in builtin_protocols():
        one = load_protocol(name)
        rows.append((f"`{name}`", one.title, " ".join(one.description.split())))
    return "\n".join(table(("name", "title", "what it is for"), rows))


def records() -> str:
    """What ``run.json`` and ``record.json`` hold, from the records that write and read them."""
    from leukbench import records as module

    kinds = [
        (module.RunDescription, "`run.json`"),
        (module.DatasetDescription, "`dataset` in `run.json`"),
        (module.SkippedFile, "an entry of `skipped` in `dataset`"),
        (module.Environment, "`environment` in `run.json`"),
        (module.TrialRecord, "`trials/<key>/record.json`"),
        (module.PublishedValues, "`published` in `record.json`"),
    ]
    parts: list[str] = []
    for kind, title in kinds:
        summary = inspect.getdoc(kind).splitlines()[0]
        parts += [f"### {title}", "", summary, "", *_field_table(kind.model_fields, kind), ""]
    return "\n".join(parts)


def exit_codes() -> str:
    """The exit codes, from the constants and the classes of errors that carry them."""
    from leukbench import errors
    from leukbench.cli.app import INTERRUPTED

    said = _texts_after(ast.parse(inspect.getsource(errors)).body)
    rows = [("0", "Everything is fine.", "")]
    for name, text in said.items():
        what = text.removeprefix("Exit code of ")
        rows.append((str(getattr(errors, name)), what[0].upper() + what[1:], ""))
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.LeukbenchError) and kind is not errors.LeukbenchError
    ]
    rows += [(str(kind.exit_code), inspect.getdoc(kind), f"`{kind.__name__}`") for kind in kinds]
    rows.append((str(INTERRUPTED), "The command was interrupted; finished trials are kept.", ""))
    rows.sort(key=lambda row: int(row[0]))
    return "\n".join(table(("exit code", "when", "exception in Python"), rows))


def models() -> str:
    """All registered models."""
    from leukbench.models import registry

    rows = [
        (f"`{spec.name}`", spec.title, spec.family, spec.reference, spec.recipe)
        for spec in registry.specs()
    ]
    return "\n".join(table(("name", "title", "family", "reference", "recipe"), rows))


def figures() -> str:
    """All figures with their captions."""
    from leukbench.report.figures import FIGURES

    rows = [(f"`{one.name}`", one.title, one.caption) for one in FIGURES]
    return "\n".join(table(("name", "title", "what it shows"), rows))


def metrics() -> str:
    """Every metric of the registry, with its formula and source."""
    from leukbench.score.metrics import METRICS

    rows = [
        (f"`{one.name}`", _bounds(one.low, one.high), _aim(one.higher_is_better), one.definition)
        for one in METRICS.values()
    ]
    return "\n".join(table(("name", "values", "better", "definition"), rows))


def comparison_columns() -> str:
    """The columns of ``comparison.csv``; those that are not described here are metrics."""
    columns = _comparison("synthetic-example").columns
    rows = [
        (f"`{name}`", COLUMNS.get(name, f"the [metric](../reference/metrics.md) `{name}`"))
        for name in columns
    ]
    return "\n".join(table(("column", "content"), rows))


COLUMNS = {
    "model": "name of the model",
    "title": "its title; with `[SYNTHETIC]` where the images were rendered",
    "family": "deep, classical, ensemble, control, reference or probe",
    "status": "ok, failed, timeout, out-of-memory or degenerate",
    "trials": "number of trials that left predictions",
    "accuracy": "accuracy, mean over seeds and folds",
    "accuracy_low": "lower end of its 95 % interval",
    "accuracy_high": "upper end of its 95 % interval",
    "parameters": "numbers that are trained",
    "flops": "floating-point operations for one image",
    "train_seconds": "seconds of training, mean of the trials",
    "predict_ms_per_image": "milliseconds of prediction for one image",
    "peak_memory_mb": "largest resident memory, MiB",
    "published_accuracy": "accuracy as a paper prints it, or `not reported`; never a measured value",
    "published_source": "where it is printed, and on which data it was measured",
}


def paper_results() -> str:
    """The paper's table as measured, beside the published accuracies."""
    measured = _comparison("all-pbs-paper")
    shown = measured[
        ~measured["model"].isin(["control_majority", "control_stratified_random"])
        & (
            (measured["family"] != "probe")
            | measured["model"].isin(["probe_background", "probe_colour"])
        )
    ]
    rows = []
    for row in shown.to_dict("records"):
        published = str(row["published_accuracy"])
        dagger = " †" if published != "not reported" and row["model"] != "modified_cnn" else ""
        rows.append(
            (
                row["title"],
                _with_interval(row),
                *(f"{row[name]:.1%}" for name in ("precision", "recall", "specificity", "f1")),
                str(row["trials"]),
                "" if row["family"] in ("probe", "control", "reference") else published + dagger,
            )
        )
    head = ("model", "accuracy, measured", "precision", "recall", "specificity", "F1", "seeds",
            "accuracy, published")  # fmt: skip
    return "\n".join(table(head, rows))


def reference_results() -> str:
    """Accuracy under three splits that differ in nothing else."""
    names = {
        "random, stratified": "all-pbs-reference",
        "grouped": "all-pbs-reference-grouped",
        "blocks": "all-pbs-reference-blocks",
    }
    tables = {title: _comparison(name).set_index("model") for title, name in names.items()}
    first = next(iter(tables.values()))
    rows = [
        (first.at[model, "title"], *(_with_interval(one.loc[model]) for one in tables.values()))
        for model in first.index
    ]
    return "\n".join(table(("model", *names), rows))


def honest_results() -> str:
    """Accuracy under the honest protocol."""
    rows = [
        (row["title"], _with_interval(row), str(row["trials"]))
        for row in _comparison("all-pbs-honest").to_dict("records")
    ]
    return "\n".join(table(("model", "accuracy", "trials"), rows))


PAGES: dict[str, Callable[[], str]] = {
    one.__name__: one
    for one in (
        protocol_keys,
        builtin_protocols,
        records,
        commands,
        exit_codes,
        models,
        figures,
        metrics,
        comparison_columns,
        paper_results,
        honest_results,
        reference_results,
    )
}


def write_pages(folder: Path) -> None:
    """Write every part to `folder`; a file that would not change stays untouched."""
    folder.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        path, text = folder / f"{name}.md", make() + "\n"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Hook into Sphinx."""
    app.connect("builder-inited", lambda app: write_pages(Path(app.srcdir) / "_generated"))
    return {"parallel_read_safe": True}


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _field_table(fields: dict[str, FieldInfo], owner: type[BaseModel]) -> list[str]:
    said = attribute_texts(owner)
    rows = [
        (
            f"`{name}`",
            _type_name(field.annotation),
            _default(field),
            _limits(field),
            said.get(name, ""),
        )
        for name, field in fields.items()
    ]
    return table(("key", "type", "default", "limits", "meaning"), rows)


def attribute_texts(kind: type[BaseModel]) -> dict[str, str]:
    """What the text after each field of a model and of its parents says of the field."""
    texts: dict[str, str] = {}
    for parent in reversed(kind.__mro__):
        if _is_model(parent) and parent is not BaseModel:
            texts |= _texts_after(ast.parse(inspect.getsource(parent)).body[0].body)
    return texts


def _texts_after(body: list[ast.stmt]) -> dict[str, str]:
    """The text that follows each assignment of a name."""
    texts: dict[str, str] = {}
    for assignment, after in itertools.pairwise(body):
        match assignment, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(ast.Constant(str(text))),
            ):
                texts[name] = " ".join(text.split()).replace("``", "`")
    return texts


def _type_name(kind: Any) -> str:
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) is UnionType or str(get_origin(kind)) == "typing.Union":
        return " or ".join(_type_name(one) for one in get_args(kind))
    if str(get_origin(kind)) == "typing.Literal":
        return ", ".join(f"`{one}`" for one in get_args(kind))
    plain = {
        str: "text", int: "whole number", float: "number", bool: "true or false",
        type(None): "nothing", Path: "path", Any: "anything",
    }  # fmt: skip
    if kind in plain:
        return plain[kind]
    arguments = [one for one in get_args(kind) if one is not Ellipsis]
    if get_origin(kind) in (tuple, list):
        return f"list of {_plural(_type_name(arguments[0]))}"
    if get_origin(kind) is dict:
        return f"table of {_plural(_type_name(arguments[1]))}"
    return f"`{kind.__name__}`"


def _plural(type_name: str) -> str:
    return re.sub(r"\b(number|table|list)\b", r"\1s", type_name)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value in (None, "", (), {}):
        return ""
    return f"`{json.dumps(value)}`"


def _limits(field: FieldInfo) -> str:
    signs = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}
    found = [
        f"{words} {getattr(rule, key)}"
        for rule in field.metadata
        for key, words in signs.items()
        if getattr(rule, key, None) is not None
    ]
    return " ".join(found)


def _bounds(low: float, high: float) -> str:
    return f"from {low:g}" if high == float("inf") else f"{low:g} to {high:g}"


def _aim(higher_is_better: bool) -> str:
    return "higher" if higher_is_better else "lower"


def _comparison(run: str) -> pd.DataFrame:
    return pd.read_csv(ROOT / "results" / run / "comparison.csv")


def _with_interval(row: Any) -> str:
    return (
        f"{row['accuracy']:.1%} ({100 * row['accuracy_low']:.1f}–{100 * row['accuracy_high']:.1f})"
    )
