"""The parts of the reference that are written from the code: complete, and described."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import reference_pages

from leukbench import records
from leukbench.protocol import Protocol
from tests.docs.pages import DOCS, ROOT

PAGES: dict[str, Callable[[], str]] = reference_pages.PAGES


@pytest.mark.parametrize("name", sorted(PAGES))
def test_every_part_is_made_and_included(name: str) -> None:
    table = PAGES[name]()
    assert table.count("\n") > 2
    pages = [path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md")]
    assert sum(f"_generated/{name}.md" in text for text in pages) == 1


@pytest.mark.parametrize(
    "kind",
    [
        Protocol,
        *(field.annotation for field in Protocol.model_fields.values()
          if hasattr(field.annotation, "model_fields")),
        records.RunDescription,
        records.DatasetDescription,
        records.SkippedFile,
        records.Environment,
        records.TrialRecord,
        records.PublishedValues,
    ],
    ids=lambda kind: kind.__name__,
)  # fmt: skip
def test_every_key_is_described(kind: Any) -> None:
    described = {name for name, text in reference_pages.attribute_texts(kind).items() if text}
    sections = {name for name, field in Protocol.model_fields.items() if kind is Protocol
                and hasattr(field.annotation, "model_fields")}  # fmt: skip
    assert set(kind.model_fields) <= described | sections


def test_columns_that_are_no_metrics_are_described() -> None:
    from leukbench.score.metrics import METRICS

    columns = set(pd.read_csv(ROOT / "results" / "synthetic-example" / "comparison.csv").columns)
    assert columns <= {*reference_pages.COLUMNS, *METRICS}


def test_types_of_keys_are_readable() -> None:
    line = next(one for one in PAGES["protocol_keys"]().splitlines() if "`options`" in one)
    assert "table of tables of true or false or whole numbers or numbers or text" in line
    assert "list of whole numbers" in PAGES["protocol_keys"]()


def test_commands_name_every_option() -> None:
    text = PAGES["commands"]()
    for written in ("leukbench run-all", "`--memory TEXT`", "leukbench export mlflow", "`--debug`"):
        assert written in text
