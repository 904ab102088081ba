"""The verdict as a badge for a README: a small SVG that says what it shows, without a font or an address of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from efficiency360.render.text import scored

if TYPE_CHECKING:
    from efficiency360.records import Outcome, Scorecard

_LABEL = "e360"
_COLOURS: dict[Outcome, str] = {"pass": "#19753f", "fail": "#b3261e", "inconclusive": "#8a5700"}
"""White on each has a contrast of 5 and more (WCAG AA: 4.5)."""
_SIGNS: dict[Outcome, str] = {"pass": "M2 6.2l2.8 2.8L10 3.4", "fail": "M3 3l6 6M9 3l-6 6", "inconclusive": "M2 6h8"}
_HEIGHT, _AIR, _SIGN = 20, 7, 12
_NARROW, _WIDE = frozenset(" ,.:;'|!()[]fijlrtI"), frozenset("mwMW@%")
_WIDTHS = (4.2, 6.9, 10.4)
"""Pixels of a narrow, an ordinary and a wide letter in 11 pixels of a sans-serif font."""


def render(card: Scorecard) -> str:
    """The badge; the same scorecard gives the same bytes.

    The grade stands beside the verdict where the audit file names scores.
    """
    outcome = card.verdict.outcome
    grade = f", grade {card.overall.grade}" if scored(card) else ""
    return _drawn(f"{outcome}{grade}", _COLOURS[outcome], _SIGNS[outcome])


def width(text: str) -> int:
    """About how many pixels a text takes; the picture stretches it to exactly that, whatever font there is."""
    return round(sum(_WIDTHS[0 if char in _NARROW else 2 if char in _WIDE else 1] for char in text))


def _drawn(message: str, colour: str, sign: str) -> str:
    label, said = width(_LABEL), width(message)
    left = label + 2 * _AIR
    right = _AIR + _SIGN + 4 + said + _AIR
    whole = left + right
    title = f"{_LABEL} audit: {message}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{_HEIGHT}" viewBox="0 0 {whole} {_HEIGHT}"'
        f' role="img" aria-label="{title}">\n<title>{title}</title>\n'
        f'<clipPath id="e360-round"><rect width="{whole}" height="{_HEIGHT}" rx="3"/></clipPath>\n'
        f'<g clip-path="url(#e360-round)"><rect width="{left}" height="{_HEIGHT}" fill="#3b444c"/>'
        f'<rect x="{left}" width="{right}" height="{_HEIGHT}" fill="{colour}"/></g>\n'
        f'<path transform="translate({left + _AIR} 4)" d="{sign}" fill="none" stroke="#fff" stroke-width="2"'
        ' stroke-linecap="round" stroke-linejoin="round"/>\n'
        '<g fill="#fff" font-family="Verdana, DejaVu Sans, Geneva, sans-serif" font-size="11" aria-hidden="true">'
        f'<text x="{_AIR}" y="14" textLength="{label}">{_LABEL}</text>'
        f'<text x="{left + _AIR + _SIGN + 4}" y="14" textLength="{said}">{message}</text></g>\n</svg>\n'
    )
