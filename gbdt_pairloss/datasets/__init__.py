"""Ranking datasets: strict readers of LETOR files, an image retrieval task, and synthetic data.

load_letor             read one LETOR file
load_letor_files       read several LETOR files, with the features of all of them
make_digits_ranking    make an image retrieval task from scikit-learn's handwritten digits
make_ranking           make synthetic queries
RankingSplit           features, labels and query ids of one part of a dataset
"""

from __future__ import annotations

from ._digits import make_digits_ranking
from ._letor import load_letor, load_letor_files
from ._split import RankingSplit
from ._synthetic import make_ranking

__all__ = ["RankingSplit", "load_letor", "load_letor_files", "make_digits_ranking", "make_ranking"]
