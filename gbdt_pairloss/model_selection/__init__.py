"""Training by names, cross-validation, scorers and displays for rankings."""

from __future__ import annotations

from ._cv import cv
from ._display import RankingDisplay
from ._scorer import RankingScorer, make_ranking_scorer
from ._train import train

__all__ = ["RankingDisplay", "RankingScorer", "cv", "make_ranking_scorer", "train"]
