"""Records of what the package does inside a training, for the tests of trainings on clusters, threads and plans.

These are the only helpers of the booster tests that reach into the package.
"""

from __future__ import annotations

import os
import uuid

import numpy as np

from gbdt_pairloss import PairwiseLogistic
from gbdt_pairloss.engine.cpu.engine import CPUEngine


class RecordsQueries(PairwiseLogistic):
    """An objective that saves which queries each process trains on, with their numbers of rows."""

    def __init__(self, *, folder, **params) -> None:
        super().__init__(**params)
        self.folder = folder

    def _candidates(self, data, mask):
        columns = np.column_stack([data.groups.ids, data.groups.sizes]).astype(str)
        np.save(f"{self.folder}/{os.getpid()}-{uuid.uuid4().hex}.npy", columns)
        return super()._candidates(data, mask)


def queries_by_process(folder):
    """Return the sets of (query id, number of rows) that the processes saved, one set a process."""
    seen = {}
    for path in folder.iterdir():
        seen.setdefault(path.name.partition("-")[0], set()).update(map(tuple, np.load(path)))
    return list(seen.values())


def record_plans(monkeypatch):
    """Return a list that gets an entry for each plan that is built."""
    built, candidates = [], PairwiseLogistic._candidates  # which every plan of labels asks for once
    recorded = lambda self, *arguments: built.append(self) or candidates(self, *arguments)  # noqa: E731
    monkeypatch.setattr(PairwiseLogistic, "_candidates", recorded)
    return built


def record_threads(monkeypatch):
    """Return a list that gets the number of threads of each engine that is made."""
    used, init = [], CPUEngine.__init__
    monkeypatch.setattr(CPUEngine, "__init__", lambda self, n: (used.append(n), init(self, n))[1])
    return used
