"""Sums of money and other amounts, with as many digits as a reader can use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_WHOLE_FROM, _TENTHS_BELOW, _CENTS_FROM = 100, 10, 0.01


def amount_of(value: float) -> str:
    """`12,345` from a hundred on, `12.35` below, two digits of what would come out as 0; whole numbers as they are."""
    if abs(value) >= _WHOLE_FROM or float(value).is_integer():
        return f"{value + 0.0:,.0f}"
    return f"{value:,.2f}" if abs(value) >= _CENTS_FROM else f"{value:.2g}"


def approximately(value: float) -> str:
    """About two significant digits, for what is known no better: `0.85`, `3.2`, `120`."""
    return f"{value:,.0f}" if abs(value) >= _TENTHS_BELOW else f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"


def money(value: float, currency: str, words: Mapping[str, Any]) -> str:
    """A sum as the language of `words` writes it: `EUR 12,345`."""
    return str(words["format"]["money"].format(currency=called(currency, words), amount=amount_of(value)))


def called(currency: str, words: Mapping[str, Any]) -> str:
    """A currency as the language of `words` calls it; its code where that has no other name for it."""
    return str(words.get("currency", {}).get(currency, currency))
