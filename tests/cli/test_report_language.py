"""`--lang`: the language that the report opens in."""

from __future__ import annotations

from pathlib import Path

import pytest

from efficiency360.cli.app import run

KEPT = Path(__file__).parents[2] / "reports" / "digits-demo"


@pytest.mark.parametrize(("lang", "word"), [("en", "PASS"), ("ja", "合格")])
def test_the_report_opens_in_a_language_and_holds_both(tmp_path: Path, lang: str, word: str) -> None:
    assert run(["report", str(KEPT), "--lang", lang, "--out", str(tmp_path / "r.html")]) == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert page.startswith(f'<!DOCTYPE html>\n<html lang="{lang}">')
    assert word in page.partition("<title>")[2].partition("</title>")[0]
    assert "PASS" in page
    assert "合格" in page


@pytest.mark.parametrize("command", [["report", str(KEPT)], ["demo"], ["audit", "x.pt"]])
def test_a_language_that_it_does_not_speak_is_refused(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--lang", "tlh"]) == 2
    assert capsys.readouterr().err == "e360: --lang tlh: the report speaks en and ja\n"


def test_images_can_be_asked_for_and_refused(tmp_path: Path) -> None:
    for flag in ("--images", "--no-images"):
        assert run(["report", str(KEPT), flag, "--out", str(tmp_path / "r.html")]) == 0
