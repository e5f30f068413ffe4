"""check-table on a user's own CSV file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leukbench.errors import DataError, LeukbenchError, UsageError
from leukbench.published import CheckReport, PublishedRow, check_table, read_table
from leukbench.published.rows import IMPOSSIBLE
from leukbench.published.tables import METRICS
from tests.published.random_tables import altered, random_binary, random_macro, row

HEADER = "algorithm,accuracy,precision,recall,specificity,f1"
REPORT = """class,precision,recall,f1,support
a,0.80,0.80,0.80,5
b,0.75,0.75,0.75,4
accuracy,,,0.78,9
"""


def check(folder: Path, text: str, **options: object) -> CheckReport:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return check_table(str(path), **options)  # type: ignore[arg-type]


def written(rows: list[PublishedRow]) -> str:
    lines = [",".join([r.name, *(r.cells[m] for m in METRICS)]) for r in rows]
    return "\n".join([HEADER, *lines]) + "\n"


def test_a_true_table_exits_0_and_a_false_row_1(tmp_path: Path) -> None:
    good = f"{HEADER}\nours,90.11,84.88,93.59,87.50,89.02\n"
    report = check(tmp_path, good, kind="binary")
    assert report.exit_code == 0
    assert "ours (binary): consistent" in report.lines()
    bad = good.replace("87.50", "94.79")
    report = check(tmp_path, bad, kind="binary")
    assert report.exit_code == 1
    assert "negative predictive value" in "\n".join(report.lines())


def test_headers_may_be_written_in_other_ways(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "\ufeffModel,Accuracy,Precision,Sensitivity,Specificity,F1-Score,Support\nours,90.1%,–,,,n/a,182\n",
        encoding="utf-8",
    )
    (only,) = read_table(path).rows
    assert only.cells == {"accuracy": "90.1%"} and only.supports == (182,)


def test_the_kind_column_and_option(tmp_path: Path) -> None:
    text = f"{HEADER},kind\nours,97.70,97.70,96.99,99.22,97.32,macro\n"
    assert check(tmp_path, text).exit_code == 0
    report = check(tmp_path, text, kind="binary")
    assert report.exit_code == 1
    assert check(tmp_path, text, kind="auto").rows[0].status == "open"


def test_support_decides_where_the_shares_alone_do_not(tmp_path: Path) -> None:
    text = f"{HEADER},support\nours,90.11,84.88,93.59,87.50,89.02,%s\n"
    assert check(tmp_path, text % "182", kind="binary").exit_code == 0
    assert check(tmp_path, text % "78/104", kind="binary").exit_code == 0
    assert check(tmp_path, text % "104/78", kind="binary").exit_code == 1
    assert check(tmp_path, text % "183", kind="binary").exit_code == 1


def test_rows_of_unstated_kind_are_named_if_they_are_not_binary_like_the_others(
    tmp_path: Path,
) -> None:
    """One such row may be a mean over runs: it is impossible only if its kind is stated."""
    rng = np.random.default_rng(21)
    rows = [row(random_binary(rng)[0], rng, 2, True) for _ in range(8)]
    assert check(tmp_path, written(rows)).exit_code == 0
    wrong = PublishedRow("none", {**rows[3].cells, "f1": "11.11"})
    cells = rows[5].cells
    moved = f"{float(cells['accuracy']) - 1.5:.2f}"
    also = PublishedRow("moved", {**cells, "accuracy": moved})
    text = written([*rows[:3], wrong, rows[4], also, *rows[6:]])
    report = check(tmp_path, text)
    # No reading at all prints the F1; only a binary one excludes the accuracy.
    assert [i for i, v in enumerate(report.rows) if v.status == IMPOSSIBLE] == [3]
    assert [f.data["rows"] for f in report.findings if f.kind == "kinds"] == [["moved"]]
    report = check(tmp_path, text, kind="binary")
    assert [i for i, v in enumerate(report.rows) if v.status == IMPOSSIBLE] == [3, 5]


def test_a_table_of_macro_rows_of_unstated_kind_raises_no_alarm(tmp_path: Path) -> None:
    rng = np.random.default_rng(22)
    for digits, percent in ((2, True), (3, False)):
        rows = [row(random_macro(rng)[0], rng, digits, percent) for _ in range(25)]
        assert check(tmp_path, written(rows), images=100).exit_code == 0


def test_altered_binary_rows_are_caught_and_without_their_kind_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(23)
    rows = [altered(row(random_binary(rng)[0], rng, 2, True), rng, 2, True, 5.0) for _ in range(40)]
    report = check(tmp_path, written(rows), kind="binary", images=100)
    assert sum(v.status == IMPOSSIBLE for v in report.rows) >= 38
    open_ = check(tmp_path, written(rows), images=100).rows
    assert sum(v.status == IMPOSSIBLE or v.kind == "not binary" for v in open_) >= 38


def test_a_classification_report_is_rebuilt(tmp_path: Path) -> None:
    report = check(tmp_path, REPORT)
    assert report.exit_code == 0
    (verdict,) = report.reports
    assert verdict.matrices == (((4, 1), (1, 3)),)
    assert "[[4, 1], [1, 3]] (rows true, columns predicted)" in "\n".join(report.lines())


def test_the_misprinted_cell_of_a_report_is_named_with_its_true_value(tmp_path: Path) -> None:
    report = check(tmp_path, REPORT.replace("a,0.80,0.80,0.80", "a,0.80,0.80,0.90"))
    assert report.exit_code == 1
    assert report.reports[0].hints == (
        "a: f1 0.90 is probably misprinted: the other cells make it 0.8000",
    )


def test_supports_that_do_not_add_up_are_named(tmp_path: Path) -> None:
    report = check(tmp_path, REPORT.replace(",9\n", ",10\n"))
    assert report.exit_code == 1
    assert "the classes add up to 9" in report.reports[0].hints[0]


def test_a_report_without_supports_is_checked_class_by_class(tmp_path: Path) -> None:
    text = "class,precision,recall,f1\na,0.80,0.60,0.69\nb,0.75,0.75,0.75\n"
    assert check(tmp_path, text).exit_code == 0
    report = check(tmp_path, text.replace("0.69", "0.75", 1))
    assert report.exit_code == 1 and report.reports[0].hints[0].startswith("a:")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", "no rows"),
        (HEADER, "no rows"),
        ("algorithm,epochs\nx,1\n", "lacks the column 'algorithm' or any of accuracy"),
        ("accuracy,f1\n1,1\n", "lacks the column 'algorithm'"),
        (f"{HEADER},accuracy\nx,1,1,1,1,1,1\n", "'accuracy' twice"),
        (f"{HEADER}\nx,0.9,0.9,about 9,0.9,0.9\n", "line 2, column recall: 'about 9'"),
        (f"{HEADER}\n\nx,0.9,0.9,0.9,0.9,1e-3\n", "line 3, column f1"),
        (f"{HEADER}\n,0.9,0.9,0.9,0.9,0.9\n", "line 2 has no algorithm"),
        (f"{HEADER}\nx,0.9,0.9,0.9,0.9,0.9,0.9\n", "line 2 has 7 cells"),
        (f"{HEADER},kind\nx,0.9,0.9,0.9,0.9,0.9,ternary\n", "line 2, column kind: 'ternary'"),
        (f"{HEADER},support\nx,0.9,0.9,0.9,0.9,0.9,many\n", "line 2, column support: 'many'"),
        ("class,precision,recall,f1\na,1,1,1\n", "fewer than two classes"),
        ("class,precision,recall,f1\na,1,1,1\nb,1,1,1\naccuracy,,,\n", "line 4 has no value"),
    ],
)
def test_what_cannot_be_read_is_named_in_one_sentence(
    tmp_path: Path, text: str, names: str
) -> None:
    with pytest.raises(DataError) as caught:
        check(tmp_path, text)
    assert names in str(caught.value) and "table.csv" in str(caught.value)
    assert caught.value.exit_code == 3 and "\n" not in str(caught.value)


def test_files_and_options_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        check_table(str(tmp_path / "missing.csv"))
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="UTF-8"):
        check_table(str(binary))
    options: list[dict[str, object]] = [{"kind": "x"}, {"classes": 1}, {"images": 1}]
    for option in options:
        with pytest.raises(LeukbenchError, match="`"):
            check_table("paper", **option)  # type: ignore[arg-type]


def test_a_long_table_says_that_common_test_sets_were_not_looked_for(tmp_path: Path) -> None:
    rows = [PublishedRow("m", dict.fromkeys(METRICS, "100"))] * 61
    report = check(tmp_path, written(rows), kind="binary", images=20)
    assert report.exit_code == 0 and len(report.rows) == 61
    assert [f.kind for f in report.findings] == ["not-looked-for"]
    assert "61 rows" in "\n".join(report.lines())
