"""The README's pictures of terminal and report, and the figures of its demo, made of the demo's scorecard.

Run: python docs/pictures.py [FOLDER, default e360-out/demo] (Chromium for the pictures)
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image
from rich.console import Console
from rich.text import Text

from efficiency360.records import FRAMEWORK_AXES, WHAT_IFS
from efficiency360.render import figures, report, terminal
from efficiency360.scorecards import read_scorecard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from efficiency360.records import Scorecard

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
WIDTH: Final = 82
KEPT: Final = {
    "speed": ("Latency stat=p50", "Latency stat=p95"),
    "accuracy": ("Top-1 accuracy",),
    "robustness": ("Robust accuracy",),
    "privacy": ("Accuracy, trained privately epsilon=1.0", "Members told apart (AUC) attack=loss"),
    "fairness": ("Accuracy gap (worst",),
}
"""The rows of the README's block by axis, as their labels begin; a row that the demo does not have is left out."""
DOUBTED: Final = frozenset({"speed"})
"""Axes whose warnings stay too: a busy machine is told beside its timings."""
REMARKS: Final = ("  i ", "  ! ", "  !!")
SCREEN, DRAWN = (1280, 800), 38
"""What is seen of the report in pixels, and of the terminal in lines at most."""
_BLOCK = re.compile(r"(?<=<!-- demo: python docs/pictures\.py -->\n\n```\n).*?(?=```\n)", re.DOTALL)
_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_COLOURS = 256


def printed(card: Scorecard, *, coloured: bool = False) -> str:
    """What the terminal shows of a scorecard."""
    page = io.StringIO()
    system = "truecolor" if coloured else None
    console = Console(file=page, width=WIDTH, force_terminal=coloured, color_system=system)  # type: ignore[arg-type]
    terminal.show(card, console)
    return page.getvalue()


def block(card: Scorecard) -> str:
    """The lines of the terminal that the README shows, `...` where some are left out; none of them is changed."""
    lines = [line.rstrip() for line in printed(card).splitlines()]
    kept = _kept(lines)
    said: list[str] = []
    for line, keep in zip(lines, kept, strict=True):
        if keep:
            said.append(line)
        elif said[-1] != "..." and line:
            said.append("...")
    return "\n".join(said) + "\n"


def _kept(lines: Sequence[str]) -> list[bool]:
    """Which lines stay: head, verdict and end, and of each axis in `KEPT` its head and those rows."""
    kept, axis, heads, row, value = [], "", 0, False, WIDTH
    for index, line in enumerate(lines):
        if line and not line.startswith(" "):
            axis, heads, row = line.split(" ", maxsplit=1)[0], index, False
            kept.append(axis in KEPT or axis not in {*FRAMEWORK_AXES, *WHAT_IFS})
            continue
        if index == heads + 1 and axis in KEPT:
            value = line.index("value") + len("value")
        elif not line or line.startswith(REMARKS):
            row = axis in DOUBTED and line.startswith("  !")
        elif line[2] != " " and len(line) >= value and line[value - 1] != " ":
            row = _label(lines[index:], value).startswith(KEPT.get(axis, ("\n",)))
        kept.append(bool(line) and axis in KEPT and (row or index == heads + 1))
    return kept


def _label(lines: Sequence[str], value: int) -> str:
    """The label of the row that begins here, over all its lines."""
    first, *more = lines
    parts = [re.split(r" {2,}", first.strip())[0]]
    for line in more:
        if not line or (len(line) >= value and line[value - 1] != " "):
            break
        parts.append(re.split(r" {2,}", line.strip())[0])
    return " ".join(parts)


def drawn(card: Scorecard, most: int = DRAWN) -> str:
    """The first lines of the terminal as an SVG, in colour; it ends before a remark, not within one."""
    plain = printed(card).splitlines()
    end = next(index for index in range(most, 0, -1) if plain[index].startswith(REMARKS) or not plain[index])
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    shown = Text.from_ansi(printed(card, coloured=True)).split("\n")[:end]
    console.print(Text("\n").join(shown))
    svg = console.export_svg(title="e360 demo")
    return _FONT.sub("", svg).replace("Fira Code", "DejaVu Sans Mono")


def pictured(page: str, suffix: str, size: tuple[int, int], out: Path) -> None:
    """A page as Chromium shows it, as a PNG of few colours."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("The pictures need Chromium: apt-get install chromium fonts-dejavu-core")
    with tempfile.TemporaryDirectory() as folder:
        source, shot = Path(folder) / f"page{suffix}", Path(folder) / "shot.png"
        source.write_text(page, encoding="utf-8")
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        window = f"--window-size={size[0]},{size[1]}"
        command = [chromium, *flags, window, f"--screenshot={shot}", source.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        with Image.open(shot) as image:
            image.convert("RGB").quantize(_COLOURS).save(out, optimize=True)


def _size(svg: str) -> tuple[int, int]:
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert found is not None  # noqa: S101 - rich writes it
    return round(float(found[1])), round(float(found[2]))


def main(arguments: list[str]) -> None:
    """Write both pictures and the README's block."""
    folder = Path(arguments[0] if arguments else "e360-out/demo")
    card = read_scorecard(folder)
    text = README.read_text(encoding="utf-8")
    if not _BLOCK.search(text):
        sys.exit("README.md has no block after <!-- demo: python docs/pictures.py -->")
    README.write_text(_BLOCK.sub(lambda _: block(card), text), encoding="utf-8")
    svg = drawn(card)
    pictured(svg, ".svg", _size(svg), HERE / "terminal.png")
    pictured(report.render(card, figures.read(card, folder)), ".html", SCREEN, HERE / "report.png")
    for name in ("terminal.png", "report.png"):
        print(f"{name}: {(HERE / name).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
