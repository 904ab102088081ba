"""All hostile entries: importing their files registers them."""

from __future__ import annotations

import corpus_archives
import corpus_foreign
import corpus_pickles
import corpus_places
from corpus_kit import HOSTILE

__all__ = ["HOSTILE", "corpus_archives", "corpus_foreign", "corpus_pickles", "corpus_places"]
