"""How far a saliency map can be trusted: what can be measured of it instead of looked at.

    question = Question(model, METHODS["gradient"], {}, batch, target, layer)
    check(question).verdict

All is measured on a copy of the net, so that the model is left bit for bit as it is and other sessions need not wait.
"""

from .check import ORDERS, Trust, check
from .consistency import Completeness, Spread, completeness
from .curves import GROUPS, Curve, curves, edges_like, faithfulness_estimate, shares
from .question import CHECKED, EDGES, Question, highest_in_common, likeness, private, similarity, spearman
from .verdict import LEVELS, MEANINGS, WEIGHTS, Verdict
from .weights import Stage, randomisation, randomise, stages_of, untrained

__all__ = [
    "CHECKED",
    "EDGES",
    "GROUPS",
    "LEVELS",
    "MEANINGS",
    "ORDERS",
    "WEIGHTS",
    "Completeness",
    "Curve",
    "Question",
    "Spread",
    "Stage",
    "Trust",
    "Verdict",
    "check",
    "completeness",
    "curves",
    "edges_like",
    "faithfulness_estimate",
    "highest_in_common",
    "likeness",
    "private",
    "randomisation",
    "randomise",
    "shares",
    "similarity",
    "spearman",
    "stages_of",
    "untrained",
]
