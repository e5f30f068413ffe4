"""The page: one file, no request, nothing of the run taken for markup."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from leukbench.report import write_report
from leukbench.report.html import render_report
from leukbench.report.results import Results
from leukbench.runfolder import RunFolder
from tests.fake_run import FakeModel, make_run
from tests.report.conftest import NASTY_CLASSES, NASTY_TITLE


class Page(HTMLParser):
    """Tags, ids and visible text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.parts: list[str] = []
        self.raw: dict[str, list[str]] = {"style": [], "script": []}
        self._inside = ""
        self.feed(text)
        self.text = re.sub(r"\s+", " ", " ".join(self.parts))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag if tag in self.raw else ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        (self.raw[self._inside] if self._inside else self.parts).append(data)


def page_of(folder: RunFolder) -> Page:
    return Page(render_report(Results(folder), {}))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_run(tmp_path_factory.mktemp("page") / "run", seeds=(0, 1))
    write_report(folder.path)
    return folder.path


def test_everything_is_written_in_one_call(written: Path) -> None:
    names = {path.relative_to(written).as_posix() for path in written.rglob("*") if path.is_file()}
    assert {"comparison.csv", "comparison.md", "comparison.tex", "report.html"} <= names
    assert {"figures/comparison.svg", "figures/comparison.png", "figures/hardest.csv"} <= names


def test_page_is_one_file_that_asks_for_nothing(written: Path) -> None:
    text = (written / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    for tag, attributes in page.tags:
        for name in ("src", "href", "data", "action", "srcset", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, value)
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
    assert "url(" not in "".join(page.raw["style"])
    assert len(text) < 3_000_000


def test_policy_allows_this_style_and_this_script_only(written: Path) -> None:
    page = Page((written / "report.html").read_text(encoding="utf-8"))
    policy = next(
        attributes["content"] or ""
        for tag, attributes in page.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        text = "".join(page.raw[tag])
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_every_figure_has_its_alternative_text(written: Path) -> None:
    page = Page((written / "report.html").read_text(encoding="utf-8"))
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == 13
    assert all(len(image["alt"] or "") > 30 for image in images)


def test_ids_are_unique_and_links_lead_somewhere(written: Path) -> None:
    page = Page((written / "report.html").read_text(encoding="utf-8"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [a["href"] for tag, a in page.tags if tag == "a" and (a["href"] or "").startswith("#")]
    assert {(link or "")[1:] for link in links} <= set(ids)


def test_names_with_markup_stay_text(nasty: RunFolder) -> None:
    page = page_of(nasty)
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert "b" not in {tag for tag, _ in page.tags}
    assert NASTY_TITLE in page.text
    for name in NASTY_CLASSES:
        assert name in page.text


def test_page_says_what_the_table_says(mixed: RunFolder) -> None:
    page = page_of(mixed)
    for row in Results(mixed).comparison.to_dict("records"):
        assert row["title"] in page.text
        if row["accuracy"] == row["accuracy"]:
            assert f"{100 * row['accuracy']:.2f} %" in page.text
    assert "Traceback of broken, fold 0, seed 0" in page.text
    assert "the loss became NaN in epoch 3" in page.text


def test_verdict_comes_first(folded: RunFolder) -> None:
    text = page_of(folded).text
    places = [text.index(word) for word in ("SYNTHETIC", "Warning.", "Filter by name", "Trials")]
    assert places == sorted(places)


def test_audit_stands_on_the_page(audited: RunFolder) -> None:
    text = page_of(audited).text
    assert "5 of 40 test images have a partner in training" in text
    assert "Without a partner" in text
    assert "0.970" in text


def test_page_has_sections_for_audit_protocol_environment_and_one_command(plain: RunFolder) -> None:
    text = page_of(plain).text
    for said in (
        "This run holds no audit", "preprocessing.median_kernel", plain.run.protocol_fingerprint,
        "A processor", "leukbench run-all --data fake --protocol paper", "Not for diagnosis",
    ):  # fmt: skip
        assert said in text


def test_same_run_gives_the_same_page(plain: RunFolder) -> None:
    first = render_report(Results(RunFolder(plain.path)), {})
    assert render_report(Results(RunFolder(plain.path)), {}) == first


def test_page_of_a_run_without_predictions(tmp_path: Path) -> None:
    folder = make_run(tmp_path, (FakeModel("m", "M", "deep", 0.5, status="timeout"),))
    write_report(folder.path)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "No model is ranked" in page.text


def test_report_needs_neither_tensorflow_nor_the_rooms_that_train(written: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from leukbench.report import write_report;"
        f"write_report(Path({str(written)!r}));"
        "bad = [m for m in sys.modules if m.split('.')[0] in ('tensorflow', 'keras')"
        " or m.startswith(('leukbench.models', 'leukbench.trials.'))];"
        "sys.exit(', '.join(bad) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]


def test_pictures_stand_on_the_page_only_where_images_are_given(
    pictured: tuple[RunFolder, Path],
) -> None:
    folder, images = pictured
    page = folder.path / "report.html"
    write_report(folder.path, images)
    assert page.read_text(encoding="utf-8").count("data:image/jpeg") == 3
    write_report(folder.path)
    assert "data:image/jpeg" not in page.read_text(encoding="utf-8")
