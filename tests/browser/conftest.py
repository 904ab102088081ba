"""Debian's Chromium, driven by Playwright, and pages to show it; skipped with a reason where either cannot be."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from efficiency360.records import Scorecard
from efficiency360.render import figures, report
from efficiency360.scorecards import read_scorecard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    Open = Callable[..., Page]

REPORTS = Path(__file__).parents[2] / "reports"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "e360-tests"
AXE = "axe-core@4"
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\u202ecod\u2066e\x1b[31m{{ 7 * 7 }}=1+1&amp;<b>"
RIGHT_TO_LEFT = "\u05de\u05d5\u05d3\u05dc \u0645\u0648\u062f\u064a\u0644 "


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is; installed where it is absent and that is possible."""
    if found := shutil.which("chromium"):
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (
            ["apt-get", "update"],
            ["apt-get", "install", "-y", "--no-install-recommends", "chromium", "fonts-noto-cjk"],
        ):
            subprocess.run(command, check=False, capture_output=True, timeout=600)
    if found := shutil.which("chromium"):
        return found
    pytest.skip("Chromium is not here and could not be installed: apt-get install chromium")


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """A headless browser that is shared by all tests."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, fetched from npm once."""
    script = CACHE / "axe.min.js"
    if not script.is_file():
        _fetch_axe(script)
    return script.read_text(encoding="utf-8")


def _fetch_axe(script: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not here, from which axe-core comes")
    CACHE.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [npm, "pack", "--silent", AXE], cwd=CACHE, check=False, capture_output=True, text=True, timeout=120
    )
    if done.returncode:
        pytest.skip(f"npm could not fetch axe-core: {done.stderr.strip()[-200:]}")
    with tarfile.open(CACHE / done.stdout.split()[-1]) as archive:
        source = archive.extractfile("package/axe.min.js")
        assert source is not None
        script.write_bytes(source.read())


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports as files: of kept scorecards, and of the same with whatever a hostile or an odd one holds."""
    folder = tmp_path_factory.mktemp("pages")
    found: dict[str, Path] = {}
    for name in ("digits-demo", "efficientnet-lite0"):
        card = read_scorecard(REPORTS / name)
        found[name] = folder / f"{name}.html"
        found[name].write_text(report.render(card, figures.read(card, REPORTS / name)), encoding="utf-8")
    demo = read_scorecard(REPORTS / "digits-demo")
    for name, card in {"failing": _failing(demo), "hostile": _hostile(demo), "nothing": _nothing(demo)}.items():
        found[name] = folder / f"{name}.html"
        found[name].write_text(report.render(card), encoding="utf-8")
    return found


def _hostile(card: Scorecard) -> Scorecard:
    """Every text that comes from outside is an attack, from the right, or without an end."""
    content = card.model_dump(mode="json")
    long = "a_name_without_any_blank_" * 400
    content["subject"] |= {"name": long, "arch": HOSTILE, "file": RIGHT_TO_LEFT + HOSTILE}
    content["dataset"] |= {"name": HOSTILE + RIGHT_TO_LEFT * 20, "groups": [long, HOSTILE, RIGHT_TO_LEFT]}
    content["verdict"]["reasons"] = [HOSTILE, long, RIGHT_TO_LEFT * 40, *content["verdict"]["reasons"]]
    names = chain([HOSTILE, long, RIGHT_TO_LEFT * 30] * 200, repeat(HOSTILE))
    for axis in content["axes"]:
        axis["caveats"] = [{"id": HOSTILE, "severity": "critical", "text": next(names)} for _ in range(3)]
        for series in axis["series"]:
            series["title"] = next(names)
            for column in series["columns"].values():
                column[:] = [next(names, HOSTILE) if isinstance(cell, str) else cell for cell in column]
        for measurement in axis["measurements"]:
            if "class" in measurement["params"]:
                measurement["params"]["class"] += next(names, HOSTILE)[:4000]
    content["command"] = HOSTILE + long
    return Scorecard.model_validate(content)


def _failing(card: Scorecard) -> Scorecard:
    """Much worse than its baseline: long reasons, and more comparisons than a screen holds."""
    content = card.model_dump(mode="json")
    top1 = next(one for axis in card.axes for one in axis.measurements if one.name == "accuracy.top1")
    ends = {"low": 0.002, "high": 0.006, "level": 0.95, "method": "tango"}
    compared = {"baseline": top1.value + 0.004, "worse_by": 0.004, "relative": False, "interval": ends}
    told = f"is {100 * top1.value:.1f} %, 0.4 points worse than the baseline's (0.2 to 0.6 points worse), and breaks it"
    rule = {
        "severity": "block",
        "outcome": "fail",
        "bound": "no_worse_than_baseline",
        "limit": 0.001,
        "needed": None,
        "measurement": top1.name,
        "params": top1.params,
        "measured": top1.value,
        "comparison": compared,
        "reason": f"accuracy.top1 {told}, at most 0.1 points worse",
    }
    rules = [{**content["verdict"]["rules"][0], **rule, "rule": f"no-worse-{index}"} for index in range(40)]
    baseline = {"name": "digits-demo of last spring " * 3, "started_at": "2026-03-14T09:26:00+00:00"}
    reasons = [f"rule {one['rule']}: {one['reason']}" for one in rules]
    content["verdict"] |= {"outcome": "fail", "rules": rules, "reasons": reasons}
    content["verdict"]["baseline"] = {**baseline, "fingerprint": "ab" * 32}
    return Scorecard.model_validate(content)


def _nothing(card: Scorecard) -> Scorecard:
    """Nothing was measured, without data, and a third party's axis failed."""
    content = card.model_dump(mode="json")
    content |= {"dataset": None, "scores": []}
    failed = {"id": "acme_wobble", "version": 1, "status": "failed", "reason": "Traceback: " + HOSTILE * 20}
    content["axes"] = [failed]
    content["verdict"] |= {"outcome": "inconclusive", "rules": [], "reasons": ["nothing could be judged"]}
    return Scorecard.model_validate(content)


@pytest.fixture
def show(browser: Browser, pages: dict[str, Path]) -> Iterator[Open]:
    """Opens a page by name; fails where it asks for anything, complains, or opens a dialogue."""
    contexts = []
    trouble: list[str] = []

    def opened(name: str, width: int = 1280, height: int = 800, *, theme: str = "light", language: str = "en") -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: trouble.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: trouble.append(f"error: {error}"))
        page.on("dialog", lambda dialogue: trouble.append(f"dialogue: {dialogue.message}"))
        address = pages[name].as_uri()
        page.on("request", lambda request: trouble.append(request.url) if request.url != address else None)
        page.goto(address)
        if language != "en":
            page.check(f"#language-{language}", force=True)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert trouble == []
