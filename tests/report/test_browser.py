"""The page in a real browser: it renders, sorts, filters, asks no other host, and is accessible."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leukbench.report import write_report
from leukbench.runfolder import RunFolder
from tests.fake_run import CONTROL, MODELS, PROBE, FakeModel, make_run
from tests.report.conftest import NASTY_CLASSES, NASTY_TITLE, audit_of_split

pytestmark = pytest.mark.browser

webdriver = pytest.importorskip("selenium.webdriver", reason="no Selenium: pip install selenium")
By = pytest.importorskip("selenium.webdriver.common.by").By
Keys = pytest.importorskip("selenium.webdriver.common.keys").Keys

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
AXE_VERSION = "4.10.3"
SWITCHES = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--window-size=1280,1000",
)  # fmt: skip


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run with everything in it, names with markup included."""
    path = tmp_path_factory.mktemp("browser") / "run"
    models = (
        *MODELS,
        FakeModel("nasty", NASTY_TITLE, "classical", 0.6),
        FakeModel("broken", "Broken", "deep", 0.5, status="failed"),
        CONTROL,
        PROBE,
    )
    folder = make_run(path, models, seeds=(0, 1), classes=NASTY_CLASSES, synthetic=True)
    (path / "audit.json").write_text(json.dumps(audit_of_split(folder)), encoding="utf-8")
    write_report(RunFolder(path).path)
    return path / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium that logs its console and its requests."""
    binary = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("no Chromium: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for switch in SWITCHES:
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)
    opened = webdriver.Chrome(options=options, service=service)
    yield opened
    opened.quit()


@pytest.fixture
def page(browser: Any, report: Path) -> Any:
    """The browser with the page freshly loaded."""
    browser.get_log("performance")
    browser.get(report.as_uri())
    return browser


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Source of axe-core, from npm."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm: apt-get install npm")
    folder = tmp_path_factory.mktemp("axe")
    done = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", f"axe-core@{AXE_VERSION}"],
        cwd=folder, capture_output=True, text=True, check=False, env=os.environ | {"CI": "1"},
        timeout=180,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"npm cannot install axe-core: {done.stderr.strip().splitlines()[-1:]}")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def titles(page: Any) -> list[str]:
    """Titles of the visible rows of the comparison, from the top."""
    script = """return Array.from(document.querySelectorAll("#models-table tbody tr"))
        .filter(row => !row.hidden).map(row => row.querySelector("a").textContent)"""
    return list(page.execute_script(script))


def heading(page: Any, name: str) -> Any:
    """Heading of a column of the comparison."""
    for cell in page.find_elements(By.CSS_SELECTOR, "#models-table thead th"):
        if cell.text.split(" ↕")[0].split(" ↑")[0].split(" ↓")[0] == name:
            return cell
    raise AssertionError(f"no column {name}")


def test_page_renders_without_a_word_in_the_console(page: Any) -> None:
    assert "SYNTHETIC" in page.title
    assert page.find_element(By.TAG_NAME, "h1").is_displayed()
    assert page.get_log("browser") == []


def test_style_and_script_pass_the_policy(page: Any) -> None:
    band = page.execute_script(
        "return getComputedStyle(document.querySelector('.banner')).fontWeight"
    )
    assert band == "700"
    heading(page, "Accuracy").find_element(By.TAG_NAME, "button").click()
    assert heading(page, "Accuracy").get_attribute("aria-sort") == "descending"


def test_every_figure_is_decoded(page: Any) -> None:
    script = "return Array.from(document.images).map(i => i.complete && i.naturalWidth)"
    widths = page.execute_script(script)
    assert len(widths) == 13
    assert all(width > 100 for width in widths)


def test_page_asks_no_other_host(page: Any) -> None:
    asked = []
    for entry in page.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            asked.append(message["params"]["request"]["url"])
    assert any(url.startswith("file:") for url in asked)
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]


def test_policy_refuses_what_is_added_later(page: Any) -> None:
    refused = page.execute_async_script(
        """const done = arguments[0];
        document.addEventListener("securitypolicyviolation", e => done(e.effectiveDirective));
        const image = new Image(); image.src = "https://example.invalid/x.png";
        document.body.append(image); setTimeout(() => done("nothing"), 3000);"""
    )
    assert refused == "img-src"
    page.get_log("browser")


def test_columns_sort_both_ways_and_rows_without_value_stay_below(page: Any) -> None:
    button = heading(page, "Accuracy").find_element(By.TAG_NAME, "button")
    button.click()
    falling = titles(page)
    assert falling[0] == "VGG16"
    button.click()
    rising = titles(page)
    assert heading(page, "Accuracy").get_attribute("aria-sort") == "ascending"
    assert falling[-1] == rising[-1] == "Broken"
    assert rising[:-1] == falling[:-1][::-1]


def test_sorting_works_by_keyboard(page: Any) -> None:
    button = heading(page, "Model").find_element(By.TAG_NAME, "button")
    button.send_keys(Keys.ENTER)
    assert heading(page, "Model").get_attribute("aria-sort") == "ascending"
    assert titles(page) == sorted(titles(page), key=str.lower)
    button.send_keys(Keys.SPACE)
    assert heading(page, "Model").get_attribute("aria-sort") == "descending"


def test_only_one_column_is_marked_as_sorted(page: Any) -> None:
    for name in ("Accuracy", "Recall", "Model"):
        heading(page, name).find_element(By.TAG_NAME, "button").click()
    assert len(page.find_elements(By.CSS_SELECTOR, "th[aria-sort]")) == 1


def test_filter_by_name_and_family_says_how_many_are_left(page: Any) -> None:
    page.find_element(By.ID, "filter").send_keys("vgg")
    assert titles(page) == ["VGG16"]
    assert page.find_element(By.ID, "shown").text == "1 of 8 models"
    page.find_element(By.ID, "filter").send_keys(Keys.BACKSPACE * 3)
    page.find_element(By.CSS_SELECTOR, "#family option[value=probe]").click()
    assert titles(page) == ["Six colour numbers, 5-NN"]


def test_names_with_markup_stay_text(page: Any) -> None:
    assert NASTY_TITLE in titles(page)
    assert page.execute_script("return document.scripts.length") == 1
    assert page.execute_script("return document.querySelectorAll('main b, main i').length") == 0


@pytest.mark.parametrize("width", [360, 390, 1280])
def test_page_is_as_wide_as_the_screen(page: Any, width: int) -> None:
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(page: Any, axe: str, scheme: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    page.execute_script("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    page.execute_script(axe)
    found = page.execute_async_script(
        "const done = arguments[0]; axe.run().then(r => done(r.violations), e => done(String(e)))"
    )
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert isinstance(found, list), found
    grave = {
        fault["id"]: [node["html"][:120] for node in fault["nodes"][:3]]
        for fault in found
        if fault["impact"] in ("serious", "critical")
    }
    assert grave == {}
