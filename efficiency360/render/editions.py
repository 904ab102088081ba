"""Several languages on one page: ids that stay unique, and pictures that are there once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Mapping

    from efficiency360.render.wording import Language

_ID = re.compile(r'(?<=\s)id="([^"]*)"')
_POINTS_AT = re.compile(r'(?<=\s)(for|headers|aria-labelledby|aria-describedby|aria-details|aria-controls)="([^"]*)"')
_LINK = re.compile(r'(?<=\s)((?:xlink:)?href)="#([^"]*)"')
_PAINT = re.compile(r"""url\((["']?|&#39;|&#34;|&quot;)#([^)"'&]*)\1\)(?=[^<>]*>)""")
_PICTURE = re.compile(r'<img src="(data:image/[^"]+)" width="(\d+)" height="(\d+)" alt="([^"]*)"(?: class="([^"]*)")?>')


def joined(told: Mapping[Language, Markup]) -> tuple[dict[Language, Markup], Markup]:
    """The bodies of a page in several languages, ready to stand on one, and the pictures that they share.

    Args:
        told: what each language says, escaped markup in which quotes stand around attributes only.
    """
    if len(told) == 1:
        return dict(told), Markup()
    pictures: dict[str, str] = {}
    bodies = {language: scoped(_shared(body, pictures), language) for language, body in told.items()}
    return bodies, Markup("\n").join(Markup(one) for one in pictures.values())  # noqa: S704 - from our templates


def scoped(body: Markup, language: Language) -> Markup:
    """A body whose ids begin with its language, and whatever points at one of them likewise."""
    own = set(_ID.findall(body))

    def named(name: str) -> str:
        return f"{language}-{name}" if name in own else name

    body_ = _ID.sub(lambda found: f'id="{named(found[1])}"', body)
    body_ = _LINK.sub(lambda found: f'{found[1]}="#{named(found[2])}"', body_)
    body_ = _POINTS_AT.sub(lambda found: f'{found[1]}="{" ".join(map(named, found[2].split()))}"', body_)
    return Markup(_PAINT.sub(lambda found: f"url({found[1]}#{named(found[2])}{found[1]})", body_))  # noqa: S704 - as given


def _shared(body: str, pictures: dict[str, str]) -> Markup:
    """A body that shows each picture from where it is defined for all languages; adds it to `pictures`."""

    def shown(found: re.Match[str]) -> str:
        address, width, height, alt, looks = found.groups()
        name = f"picture-{list(pictures).index(address) if address in pictures else len(pictures)}"
        pictures.setdefault(
            address,
            f'<image id="{name}" href="{address}" width="{width}" height="{height}" preserveAspectRatio="none"/>',
        )
        return (
            f'<svg class="picture {looks or ""}" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            f' role="img" aria-label="{alt}"><use href="#{name}"/></svg>'
        )

    return Markup(_PICTURE.sub(shown, body))  # noqa: S704 - as given
