"""Command line, ``python -m gbdt_pairloss``: compare ranking objectives on held-out queries.

The comparison itself, and how to add a booster to it, is in ``_demo/_comparison.py``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import NoReturn

from ._demo._comparison import DEFAULT_OBJECTIVES, NATIVE_OBJECTIVES, Options, UsageError, compare
from .objectives import objective_names

_EXAMPLES = """\
examples:
  python -m gbdt_pairloss
  python -m gbdt_pairloss --booster xgboost --objective rank:ndcg,pairwise_logistic --plot ndcg.png
  python -m gbdt_pairloss --train Fold1/train.txt.gz --test Fold1/test.txt.gz --rounds 300
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Train, print the table of metrics, and return the exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; by default those of the command line.

    Returns
    -------
    int
        0 if at least one training succeeded; 2 for bad arguments or files, with one line on stderr; 130 if interrupted.
    """
    try:
        compare(Options(**vars(_parser().parse_args(argv))))
    except UsageError as error:
        message = str(error)
    except OSError as error:
        message = str(error) if error.filename is None else f"{error.filename}: {error.strerror}"
    except KeyboardInterrupt:
        return 130
    else:
        return 0
    print(f"gbdt-pairloss: {message}", file=sys.stderr)
    return 2


class _Parser(argparse.ArgumentParser):
    """A parser that raises a UsageError instead of printing its usage and exiting."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (--help lists the options)")


def _parser() -> argparse.ArgumentParser:
    """Return the parser; its destinations are the fields of ``Options``."""
    parser = _Parser(
        prog="gbdt-pairloss",
        description="Train the boosters' native ranking objectives and those of gbdt_pairloss with\n"
        "the same settings, and print their metrics on held-out queries in one table.\n"
        "Without --train and --test, the data are scikit-learn's handwritten digits.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    natives = "; ".join(f"{booster}: {', '.join(names)}" for booster, names in NATIVE_OBJECTIVES.items())
    from_0, from_1 = partial(_whole_number, low=0), partial(_whole_number, low=1)
    add = parser.add_argument
    add("--train", metavar="FILE", help="LETOR (SVMlight) file with qid:, may end in .gz or .bz2; needs --test")
    add("--test", metavar="FILE", help="LETOR file with the queries to test on; needs --train")
    names = f"objectives to compare; may be repeated; gbdt_pairloss: {', '.join(objective_names())}; {natives}"
    default = f"all native objectives, {' and '.join(DEFAULT_OBJECTIVES)}"
    add("--objective", metavar="NAME[,NAME]", action="append", help=f"{names} (default: {default})")
    add("--booster", choices=tuple(NATIVE_OBJECTIVES), help="use only this booster (default: all installed boosters)")
    add("--rounds", metavar="N", type=from_1, default=100, help="trees of each training (default: 100)")
    add("--seed", metavar="N", type=from_0, default=0, help="seed of boosters and of the digits' draw (default: 0)")
    threads = "threads of each training (default: 1 for the digits, which are too few for more; all cores for files)"
    add("--threads", metavar="N", type=from_1, help=threads)
    plot = "draw NDCG@10, or pair accuracy if there is no NDCG@10, as a bar chart; needs matplotlib"
    add("--plot", metavar="FILE.png", help=plot)
    return parser


def _whole_number(text: str, low: int) -> int:
    if not (text.isascii() and text.isdecimal() and low <= int(text) < 2**31):
        raise argparse.ArgumentTypeError(f"must be a whole number from {low} to {2**31 - 1}, not {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
