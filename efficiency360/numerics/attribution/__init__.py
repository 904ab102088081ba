"""Attribution: maps that say which parts of an image an answer depends on, and the experiments that test such maps."""

from efficiency360.numerics.attribution.baselines import BASELINES, Baseline, baselines
from efficiency360.numerics.attribution.cells import Cells
from efficiency360.numerics.attribution.curves import counts, exchanged, orders
from efficiency360.numerics.attribution.methods import METHODS, How, Method, choose
from efficiency360.numerics.attribution.model import Model
from efficiency360.numerics.attribution.randomise import has_weights, layers, shuffled
from efficiency360.numerics.attribution.stability import relative_changes

__all__ = [
    "BASELINES",
    "METHODS",
    "Baseline",
    "Cells",
    "How",
    "Method",
    "Model",
    "baselines",
    "choose",
    "counts",
    "exchanged",
    "has_weights",
    "layers",
    "orders",
    "relative_changes",
    "shuffled",
]
