"""The report of an audit: how long page and PDF take to make, how large the page is, when a browser has it ready.

Run: python benchmarks/report_page.py [FOLDER ...] (default: the kept reports; WeasyPrint for the PDF, Chromium and the
package playwright for the browser's part). Each is made in a process of its own, as `e360 report` makes it, so imports
and the start of the engine that draws charts are in the seconds.
"""

from __future__ import annotations

import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

REPORTS = Path(__file__).parent.parent / "reports"
MADE_S, READY_MS, BYTES = {"html": 3.0, "pdf": 10.0}, 1000, 1_000_000
RUNS = 5
READY = "() => { const [page] = performance.getEntriesByType('navigation'); return page.domInteractive; }"


def made(folder: Path, kind: str, out: Path) -> float:
    """Write the report of an audit; the processor's seconds that it took, the median of some runs."""
    command = [sys.executable, "-m", "efficiency360", "report", str(folder), "--format", kind, "--out", str(out)]
    taken = []
    for _ in range(RUNS):
        before = _spent()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(_spent() - before)
    return statistics.median(taken)


def _spent() -> float:
    """The processor's seconds that processes which this one started have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
        kept = sorted(path.parent for path in REPORTS.glob("*/scorecard.json"))
        kinds = ("html", "pdf") if find_spec("weasyprint") else ("html",)
        for source in map(Path, sys.argv[1:] or kept):
            took = {kind: made(source, kind, Path(folder) / f"{source.name}.{kind}") for kind in kinds}
            said = ", ".join(f"{kind} in {seconds:5.2f} s (limit {MADE_S[kind]:g})" for kind, seconds in took.items())
            pages.append(Path(folder) / f"{source.name}.html")
            print(f"{source.name:<22} {said}, page of {pages[-1].stat().st_size:>9,} bytes (limit {BYTES:,})")
        for path, ready in zip(pages, ready_ms(pages), strict=False):
            print(f"{path.stem:<22} ready after {ready:5.0f} ms (limit {READY_MS})")


if __name__ == "__main__":
    main()
