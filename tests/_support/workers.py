"""Trainings in workers of every kind, for test_workers.py, which runs each kind in a process that may hang."""

from __future__ import annotations

import faulthandler
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import joblib
import numpy as np

from _support.problems import make_problem
from _support.rankers import make_ranker
from gbdt_pairloss import BPR, LGBMRanker, PairwiseLogistic, XGBRanker

PROBLEM = make_problem(5, n_queries=60)
RANKERS = {"lightgbm": LGBMRanker, "xgboost": XGBRanker}
OBJECTIVE = BPR(threshold=1, negatives=1, random_state=3)  # shared by all trainings of a process

ALL = [(booster, n_jobs) for booster in RANKERS for n_jobs in (1, 2)]


def train(job):
    """Return the predictions of a ranker, and gradients of an objective on two threads."""
    booster, n_jobs = job
    problem, Ranker = PROBLEM, RANKERS[booster]
    ranker = make_ranker(Ranker, n_jobs=n_jobs, objective=OBJECTIVE)
    ranker.fit(problem.X, problem.y, qid=problem.qid, eval_set=[(problem.X, problem.y)], eval_qid=[problem.qid])
    gradient = PairwiseLogistic(pair_weight="ndcg", n_threads=2).gradient_hessian(
        problem.y, problem.scores, qid=problem.qid
    )
    return np.concatenate([ranker.predict(problem.X), *gradient])


def send(job, queue):
    queue.put((job, train(job)))


def forked(jobs):
    """Start the jobs in forked workers, all at once; ``collect`` waits for them."""
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    workers = [context.Process(target=send, args=(job, queue)) for job in jobs]
    for worker in workers:
        worker.start()
    return queue, workers


def collect(queue, workers):
    results = [queue.get() for _ in workers]
    for worker in workers:
        worker.join()
    return results


def with_results(results, jobs):
    return list(zip(jobs, results, strict=True))


def threads(jobs):
    with ThreadPoolExecutor(len(jobs)) as pool:
        return with_results(pool.map(train, jobs), jobs)


def spawned(jobs):
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        return with_results(pool.map(train, jobs), jobs)


def in_threads():
    return threads(ALL * 3)


def in_forked_workers():
    # The package's own threads, in the parent before the fork, are not lost by it.
    PairwiseLogistic(n_threads=2).gradient_hessian(PROBLEM.y, PROBLEM.scores, qid=PROBLEM.qid)
    return collect(*forked(ALL))


def in_workers_forked_after_lightgbm_trained():
    train(("lightgbm", 2))
    return collect(*forked([("lightgbm", 1)] * 3))


def in_workers_forked_after_all_trained_on_one_thread():
    """Fork after trainings of both boosters; needs OMP_NUM_THREADS=1."""
    jobs = [(booster, 1) for booster in RANKERS]
    for job in jobs:
        train(job)
    return collect(*forked(jobs * 2))


def in_spawned_workers():
    for job in ALL:
        train(job)
    return spawned(ALL)


def in_joblib_workers():
    for job in ALL:
        train(job)
    return with_results(joblib.Parallel(2)(joblib.delayed(train)(job) for job in ALL), ALL)


def in_workers_of_all_kinds_at_once():
    """Run threads, forked and spawned workers together; the forked ones start first."""
    queue, workers = forked(ALL)
    with ThreadPoolExecutor(2) as pool:
        others = [pool.submit(threads, ALL), pool.submit(spawned, ALL)]
        results = [result for other in others for result in other.result()]
    return [*collect(queue, workers), *results]


def main(kind):
    faulthandler.dump_traceback_later(120, exit=True)
    results = globals()[kind]()
    alone = {job: train(job) for job in sorted({job for job, _ in results})}
    for job, result in results:
        if not np.array_equal(result, alone[job]):
            sys.exit(f"{job} differs from the same training alone")
    print(len(results))
