"""The report of a kept audit: how long it takes to make, how large it is, and when a browser has it ready.

Run: python benchmarks/report_page.py (Chromium and the package playwright for the browser's part)
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from efficiency360.render import figures, report
from efficiency360.scorecards import read_scorecard

if TYPE_CHECKING:
    from collections.abc import Iterator

REPORTS = Path(__file__).parent.parent / "reports"
MADE_S, READY_MS, BYTES = 3.0, 1000, 1_000_000
READY = "() => { const [page] = performance.getEntriesByType('navigation'); return page.domInteractive; }"


def made(folder: Path) -> tuple[str, float]:
    """The page of an audit, and the processor's seconds that it took."""
    start = time.process_time()
    card = read_scorecard(folder)
    page = report.render(card, figures.read(card, folder))
    return page, time.process_time() - start


def ready_ms(pages: list[Path]) -> Iterator[float]:
    """When each page can be used, in milliseconds; nothing where there is no browser."""
    chromium = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - not everybody has it
    except ImportError:
        return
    if chromium is None:
        return
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for path in pages:
            page = browser.new_page()
            page.goto(path.as_uri())
            yield float(page.evaluate(READY))
        browser.close()


def main() -> None:
    """Print seconds to make, bytes, and milliseconds until a browser is ready, with their limits."""
    with tempfile.TemporaryDirectory() as folder:
        pages = []
        for source in sorted(path.parent for path in REPORTS.glob("*/scorecard.json")):
            page, seconds = made(source)
            pages.append(Path(folder) / f"{source.name}.html")
            pages[-1].write_text(page, encoding="utf-8")
            size = len(page.encode())
            print(f"{source.name:<22} made in {seconds:5.2f} s (limit {MADE_S}), {size:>9,} bytes (limit {BYTES:,})")
        for path, ready in zip(pages, ready_ms(pages), strict=False):
            print(f"{path.stem:<22} ready after {ready:5.0f} ms (limit {READY_MS})")


if __name__ == "__main__":
    main()
