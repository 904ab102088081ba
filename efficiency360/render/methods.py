"""Ways to make an interval, in words."""

from __future__ import annotations

_METHODS = (
    ("wilson, for all groups together", "Wilson's intervals that hold for all groups together (Bonferroni 1936)"),
    (
        "wilson, with trainings",
        "Wilson's interval over images, widened by the chance of trainings (Zou and Donner 2008)",
    ),
    ("bootstrap, with trainings", "a bootstrap over images, widened by the chance of trainings (Zou and Donner 2008)"),
    (
        "bootstrap, widened, with trainings",
        "a bootstrap over images, widened because few tell, and by the chance of trainings (Zou and Donner 2008)",
    ),
    ("delong, widened", "DeLong's interval of the area under an ROC curve, widened because few tell"),
    ("delong", "DeLong's interval of the area under an ROC curve (DeLong, DeLong and Clarke-Pearson 1988)"),
    ("beta over sampled thresholds", "beta intervals over thresholds drawn anew from the non-members"),
    ("wilson by class", "Wilson's interval of each class, put together (Zou and Donner 2008)"),
    ("wilson", "Wilson's score interval of a proportion (Wilson 1927)"),
    ("tango", "Tango's score interval of a difference on the same images (Tango 1998)"),
    ("newcombe, paired", "Newcombe's interval of a difference on the same images (Newcombe 1998)"),
    ("newcombe", "Newcombe's interval of a difference of two proportions (Newcombe 1998)"),
    ("square-and-add", "square-and-add of the two intervals, as if independent (Zou and Donner 2008)"),
    ("bootstrap, widened", "a bootstrap, widened because few images tell (Efron and Tibshirani 1993)"),
    ("bootstrap", "a bootstrap, the images drawn anew again and again (Efron and Tibshirani 1993)"),
    ("order statistics", "order statistics of the timed runs (Conover 1999)"),
    ("medians of stretches", "Student's interval of the medians of separate stretches of time"),
    ("tolerance of stretches", "a tolerance limit over separate stretches of time (Natrella 1963)"),
    ("batch means", "the means of batches of runs (Law 2015)"),
    ("hodges-lehmann", "Hodges and Lehmann's interval of a shift between timings (Hodges and Lehmann 1963)"),
    ("simultaneous", "simultaneous intervals of all pairs of groups (Games and Howell 1976)"),
    ("max-t", "simultaneous intervals of all groups (max-t)"),
)
"""Ways to make an interval by how their names begin, the longer names first."""


def method(name: str) -> str:
    """A method in a few words, with its source; by its own name where it is not known."""
    known = next((words for start, words in _METHODS if name.lower().startswith(start)), None)
    return known if known is not None else f"the method '{name}'"
