"""Tests of ``python -m gbdt_pairloss``: table, options, files, plot, progress bar and errors."""

from __future__ import annotations

import gzip
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import dump_svmlight_file

from gbdt_pairloss import datasets
from gbdt_pairloss.__main__ import main
from gbdt_pairloss._demo import _report as report
from gbdt_pairloss._demo._comparison import DEFAULT_OBJECTIVES, METRICS, NATIVE_OBJECTIVES
from gbdt_pairloss._demo._report import Progress, Result
from gbdt_pairloss.datasets import make_ranking

pytest.importorskip("lightgbm")
pytest.importorskip("xgboost")

QUICK = ["--rounds", "3", "--threads", "1"]
ALL = [(b, o) for b, natives in NATIVE_OBJECTIVES.items() for o in (*natives, *DEFAULT_OBJECTIVES)]
COLUMNS = [*METRICS, "seconds"]


def rows_of(text: str) -> dict[tuple[str, str], list[str]]:
    """Return the cells of the table by booster and objective, without the marks."""
    lines = [line.replace("*", "").split() for line in text.splitlines()]
    rows = {(cells[0], cells[1]): cells[2:] for cells in lines if len(cells) == 2 + len(COLUMNS)}
    return {key: cells for key, cells in rows.items() if key[0] in NATIVE_OBJECTIVES}


def write_letor(folder: Path, labels: str = "grades", suffix: str = "", first_test_query: int = 100) -> list[str]:
    """Write two files of 30 queries, and return the arguments that name them."""
    arguments = []
    for seed, part in enumerate(("train", "test")):
        split = make_ranking(n_queries=30, query_size=12, n_features=4, labels=labels, random_state=seed)
        path = folder / f"{part}.txt"
        dump_svmlight_file(split.X, split.y, str(path), query_id=split.qid + first_test_query * seed, zero_based=False)
        if suffix == ".gz":
            packed = path.with_name(path.name + suffix)
            packed.write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
            path = packed
        arguments += [f"--{part}", str(path)]
    return arguments


@pytest.fixture(autouse=True)
def small_digits(monkeypatch):
    whole = datasets.make_digits_ranking

    def small(*, random_state=0):
        return whole(n_train_queries=20, n_test_queries=20, n_candidates=30, random_state=random_state)

    monkeypatch.setattr(datasets, "make_digits_ranking", small)


def test_default_table_contains_every_booster_and_objective(capsys):
    assert main(QUICK) == 0
    out, err = capsys.readouterr()
    assert err == ""  # no progress bar: stderr is not a terminal
    rows = rows_of(out)
    assert list(rows) == ALL
    figures = np.array([[float(cell) for cell in cells] for cells in rows.values()])
    assert np.isfinite(figures).all()
    assert ((figures[:, :-1] >= 0) & (figures[:, :-1] <= 1)).all()
    assert figures[:, 1].min() > 0.3  # the NDCG@10 of a random order is about 0.2
    assert "Train: 600 rows of 20 queries. Test: 600 rows of 20 queries. Features: 35." in out
    assert "None of the test queries is in the training data." in " ".join(out.split())


def test_table_is_aligned_ascii_and_marks_the_best_values(capsys):
    assert main(QUICK) == 0
    out = capsys.readouterr().out
    assert out.isascii()
    lines = out.splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("booster"))
    table = lines[head : head + 2 + len(ALL)]
    assert len({len(line) for line in table}) == 1
    edges = [match.end() for match in re.finditer("-+", table[1])]
    for row in table[2:]:
        assert all(edge >= len(row) or row[edge : edge + 2] == "  " for edge in edges)
    for column, metric in enumerate(METRICS):
        cells = [row[edges[1 + column] : edges[2 + column]].strip() for row in table[2:]]
        best = max(cell.rstrip("*") for cell in cells)
        assert [cell for cell in cells if cell.endswith("*")] == [f"{best}*"] * sum(
            cell.rstrip("*") == best for cell in cells
        ), metric


def test_equal_seeds_give_equal_metrics(capsys):
    figures = []
    for seed in ("1", "1", "2"):
        assert main([*QUICK, "--seed", seed]) == 0
        figures.append({key: cells[:-1] for key, cells in rows_of(capsys.readouterr().out).items()})
    assert figures[0] == figures[1] != figures[2]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--objective", "bpr"], [("lightgbm", "bpr"), ("xgboost", "bpr")]),
        (["--objective", "bpr,lambdarank", "--objective", "bpr, rank:ndcg"],
         [("lightgbm", "bpr"), ("lightgbm", "lambdarank"), ("xgboost", "bpr"), ("xgboost", "rank:ndcg")]),
        (["--objective", "rank:pairwise"], [("xgboost", "rank:pairwise")]),
        (["--booster", "xgboost"], [pair for pair in ALL if pair[0] == "xgboost"]),
        (["--booster", "lightgbm", "--objective", "pairwise_logistic"], [("lightgbm", "pairwise_logistic")]),
    ],
)  # fmt: skip
def test_objective_and_booster_options_select_trainings(capsys, arguments, expected):
    assert main([*QUICK, *arguments]) == 0
    assert list(rows_of(capsys.readouterr().out)) == expected


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_letor_files_are_read(tmp_path, capsys, suffix):
    assert main([*QUICK, *write_letor(tmp_path, suffix=suffix)]) == 0
    out = capsys.readouterr().out
    assert list(rows_of(out)) == ALL
    assert "-" not in {cell for cells in rows_of(out).values() for cell in cells}
    assert "from 0 to 4" in out
    assert "Train: 360 rows of 30 queries." in out
    assert "CAUTION" not in out


def test_query_ids_in_both_files_are_reported(tmp_path, capsys):
    assert main([*QUICK, "--objective", "bpr", *write_letor(tmp_path, first_test_query=20)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "CAUTION: query ids in both files: 10;" in out
    assert "None of the test queries" not in out


def test_unsuitable_labels_give_missing_values_and_a_note(tmp_path, capfd):
    assert main([*QUICK, *write_letor(tmp_path, labels="float")]) == 0
    out, err = capfd.readouterr()
    assert err == ""  # LightGBM did not write to it
    rows = rows_of(out)
    for key in ALL:
        refused = key[1] in ("lambdarank", "rank_xendcg", "rank:ndcg")
        assert [cell == "-" for cell in rows[key]] == ([True] * 5 if refused else [True, True, False, False, False])
    assert re.search(r"^- lightgbm lambdarank, lightgbm rank_xendcg: takes whole-number labels from 0 to 30", out, re.M)
    assert re.search(r"^- xgboost rank:ndcg: takes whole-number labels from 0 to 31", out, re.M)
    assert re.search(r"^- NDCG@5, NDCG@10: the label is -\S+ at row \d+", out, re.M)
    assert "negative labels are treated like any other label" in out


def test_labels_without_relevant_rows_or_pairs_give_notes(tmp_path, capsys):
    arguments = write_letor(tmp_path, labels="binary")
    for path in arguments[1::2]:
        Path(path).write_text(re.sub(r"(?m)^(\d) ", lambda m: f"{int(m[1]) - 1} ", Path(path).read_text()))
    assert main([*QUICK, "--objective", "bpr,rank:pairwise", "--booster", "xgboost", *arguments]) == 0
    out = capsys.readouterr().out
    assert "- MAP: no test label reaches 1" in out
    assert "- xgboost bpr: nothing can be learned" in out
    assert rows_of(out)["xgboost", "bpr"] == ["-"] * 5


def test_query_that_is_too_long_for_lightgbm_gives_a_note(tmp_path, capfd):
    for part, first in (("train", 0), ("test", 1)):
        rows = "".join(f"{i % 2} qid:{first} 1:{i % 7}\n" for i in range(10_001))
        (tmp_path / part).write_text(rows)
    files = ["--train", str(tmp_path / "train"), "--test", str(tmp_path / "test")]
    assert main([*QUICK, "--objective", "lambdarank,rank:pairwise", *files]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert "- lightgbm lambdarank: takes at most 10,000 rows per query, but there is a query of 10,001" in out
    assert rows_of(out)["xgboost", "rank:pairwise"][1] != "-"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--objective", "lamdarank"], "no objective 'lamdarank'; known: lambdarank, rank_xendcg, .*, bpr, "),
        (["--objective", ""], "no objective ''"),
        (["--objective", "lambdarank", "--booster", "xgboost"], "lambdarank is an objective of lightgbm"),
        (["--booster", "catboost"], "--booster.*catboost"),
        (["--rounds", "0"], "--rounds: must be a whole number from 1"),
        (["--rounds", "ten"], "--rounds: must be a whole number from 1"),
        (["--seed", "-1"], "--seed"),
        (["--train", "a.txt"], "--train and --test must be given together"),
        (["--test", "a.txt"], "--train and --test must be given together"),
        (["--train", "missing.txt", "--test", "missing.txt"], "missing.txt: No such file"),
        (["--plot", "ndcg.pdf"], "'ndcg.pdf' does not end in .png"),
        (["--plot", "missing/ndcg.png"], "no folder 'missing'"),
        (["--frobnicate"], "--frobnicate"),
    ],
)
def test_invalid_arguments_exit_with_2_and_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("gbdt-pairloss: ")
    assert err.count("\n") == 1
    assert re.search(message, err.rstrip("\n")), err


def test_error_of_a_malformed_file_names_file_and_line(tmp_path, capsys):
    good = write_letor(tmp_path)
    bad = tmp_path / "bad.txt"
    bad.write_text("1 qid:1 1:0.5\n0 qid:1 1:x\n")
    assert main([*good[:2], "--test", str(bad)]) == 2
    assert f"{bad}, line 2: " in capsys.readouterr().err


def test_help_lists_examples_and_objectives(capsys):
    with pytest.raises(SystemExit, match="^0$"):
        main(["--help"])
    out = capsys.readouterr().out
    assert "python -m gbdt_pairloss --train" in out
    assert all(objective in " ".join(out.split()) for _, objective in ALL)


@pytest.mark.parametrize("missing", ["lightgbm", "xgboost"])
def test_missing_booster_is_left_out_or_named_in_the_error(monkeypatch, capsys, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    (present,) = set(NATIVE_OBJECTIVES) - {missing}
    for arguments in (["--booster", missing], ["--objective", NATIVE_OBJECTIVES[missing][0]]):
        assert main([*QUICK, *arguments]) == 2
        expected = f"gbdt-pairloss: {missing} is not installed: pip install 'gbdt_pairloss[{missing}]'\n"
        assert capsys.readouterr().err == expected
    assert main([*QUICK, "--objective", "bpr"]) == 0
    assert list(rows_of(capsys.readouterr().out)) == [(present, "bpr")]


def test_error_without_any_booster(monkeypatch, capsys):
    for name in NATIVE_OBJECTIVES:
        monkeypatch.setitem(sys.modules, name, None)
    assert main(QUICK) == 2
    assert "pip install 'gbdt_pairloss[lightgbm]' or 'gbdt_pairloss[xgboost]'" in capsys.readouterr().err


def test_plot_is_a_png_file(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    path = tmp_path / "ndcg.png"
    assert main([*QUICK, "--plot", str(path)]) == 0
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    assert width > 800
    assert height > 400
    assert len(content) > 10_000


def test_plot_shows_pair_accuracy_if_ndcg_is_missing(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    path = tmp_path / "ndcg.png"
    files = write_letor(tmp_path, labels="float")
    assert main([*QUICK, "--objective", "bpr", *files, "--plot", str(path)]) == 0
    assert len(rows_of(capsys.readouterr().out)) == 2
    assert path.read_bytes().startswith(b"\x89PNG")


def test_error_after_the_table_if_no_training_succeeded(tmp_path, capsys):
    files = write_letor(tmp_path, labels="float")
    assert main([*QUICK, "--objective", "lambdarank", *files, "--plot", str(tmp_path / "ndcg.png")]) == 2
    out, err = capsys.readouterr()
    assert len(rows_of(out)) == 1
    assert "no training succeeded; the notes above give the reasons" in err
    assert not (tmp_path / "ndcg.png").exists()


def test_plot_without_matplotlib_fails_before_the_trainings(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main([*QUICK, "--plot", str(tmp_path / "ndcg.png")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "pip install 'gbdt_pairloss[notebooks]'" in err


def test_progress_bar_on_a_terminal_counts_rounds_and_is_removed(monkeypatch, capsys):
    monkeypatch.setattr(report.sys.stderr, "isatty", lambda: True)
    assert main([*QUICK, "--objective", "lambdarank,bpr"]) == 0
    drawn = capsys.readouterr().err.split("\r\x1b[K")
    assert drawn[0] == ""
    assert drawn[1].endswith("0/9 rounds  lightgbm lambdarank")
    assert any(line.endswith("6/9 rounds  xgboost bpr") for line in drawn)
    assert all(line.startswith("[") and "\n" not in line for line in drawn[1:-1])
    assert drawn[-1] == ""


@pytest.mark.parametrize("booster", NATIVE_OBJECTIVES)
def test_progress_bar_counts_every_round_once(monkeypatch, capsys, booster):
    ticks = []
    monkeypatch.setattr(Progress, "tick", lambda self: ticks.append(self.current))
    assert main(["--rounds", "7", "--threads", "1", "--booster", booster]) == 0
    names = [f"{b} {o}" for b, o in ALL if b == booster]
    assert ticks == [name for name in names for _ in range(7)]


def test_interrupt_exits_with_130_and_without_output(monkeypatch, capsys):
    def interrupted(self):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Progress, "tick", interrupted)
    assert main(QUICK) == 130
    out, err = capsys.readouterr()
    assert err == ""
    assert rows_of(out) == {}


def test_each_note_is_one_line():
    refused = "[08:00:00] /src/common/x.h:365: Check failed: is_ok: Labels\nare bad.\nStack trace:\n  [bt] (0) lib.so"
    results = [Result("xgboost", name, True, {}, notes=[(f"xgboost {name}", refused)]) for name in ("a", "b")]
    assert report.note_lines(results) == ["- xgboost a, xgboost b: Labels are bad."]


def test_table_marks_all_tied_best_values():
    figures = [("a", 0.50001), ("b", 0.5), ("c", 0.4), ("d", float("nan"))]
    results = [Result("lightgbm", name, True, {"MAP": value}, 1.0) for name, value in figures]
    assert [line.split()[2] for line in report.table(results)[2:]] == ["0.5000*", "0.5000*", "0.4000", "-"]


def test_command_runs_as_a_process_without_warnings(tmp_path):
    arguments = [*QUICK, "--objective", "pairwise_logistic", *write_letor(tmp_path)]
    command = [sys.executable, "-W", "error", "-m", "gbdt_pairloss", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2])
    assert (done.returncode, done.stderr) == (0, "")
    assert list(rows_of(done.stdout)) == [("lightgbm", "pairwise_logistic"), ("xgboost", "pairwise_logistic")]


def test_queries_without_ids_give_no_caution(tmp_path, capsys):
    files = []
    for option in ("--train", "--test"):
        path = tmp_path / option[2:]
        rows = [f"{label} 1:{label + 0.5 * (i % 3)} 2:{i}" for i in range(10) for label in (0, 1, 2)]
        path.write_text("\n".join(rows) + "\n")
        (tmp_path / f"{option[2:]}.query").write_text("15\n15\n")
        files += [option, str(path)]
    assert main([*QUICK, "--objective", "pairwise_logistic", "--booster", "xgboost", *files]) == 0
    assert "CAUTION" not in capsys.readouterr().out
