"""Rules for the docstrings of the public interface: names, types, defaults, shapes, errors, sources.

numpydoc parses the docstrings, by the NumPy convention.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gbdt_pairloss
from gbdt_pairloss import datasets, metrics, model_selection, objectives
from gbdt_pairloss.objectives import PairwiseObjective

#: Methods that the package calls itself, with plans and data of its own. Their docstrings need a summary and errors.
MACHINERY = frozenset(("check_native_data", "pair_loss"))

#: Functions and classes that take parameters and raise no errors of their own.
CANNOT_FAIL = frozenset(("RankingDisplay", "RankerMixin.get_params", "WeightedSum.get_params", "main"))

#: Losses without a published source: the caller supplies the formula.
NO_SOURCE = frozenset(("PairwiseCustom",))

#: Names of parameters that are always arrays.
# fmt: off
ARRAYS = frozenset((
    "X", "y", "y_true", "y_pred", "preds", "scores", "group", "qid", "sample_weight", "mask", "query_weight",
    "item_weight", "loser_weight", "item_id", "pairs", "init_score", "base_margin", "position", "propensities",
    "interactions", "negative_weight", "positives_scores", "negatives_scores", "eval_X", "eval_y", "eval_set",
    "eval_qid", "eval_group", "eval_sample_weight", "eval_loser_weight", "eval_item_id", "eval_pairs",
    "eval_init_score", "sample_weight_eval_set", "base_margin_eval_set",
))
# fmt: on

_ARRAY = re.compile(r"\barrays?\b")
_DTYPE = re.compile(r"\b(dtype|float32|float64|int64|bool)\b")
_AS_IN = re.compile(r"As in (?::\w+:`([\w.]+)`|``([\w.]+)``)")
_DEFAULT = re.compile(r"default=(.+)$")


@dataclass(frozen=True)
class Entry:
    """A public class, function, method or property.

    Attributes
    ----------
    name : str
        Such as "LGBMRanker.fit".
    object : class, function or property
    owner : class or None
        Of a method or property.
    """

    name: str
    object: Any
    owner: type | None = None

    @property
    def short(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def function(self) -> Any:
        """The function with the signature and the body. None for a class that does not define ``__init__``."""
        if isinstance(self.object, property):
            return self.object.fget
        return vars(self.object).get("__init__") if isinstance(self.object, type) else self.object

    @property
    def text(self) -> str:
        doc = self.object.__doc__
        if doc is None and self.short in MACHINERY and self.owner is not None:
            doc = inspect.getdoc(getattr(self.owner, self.short))
        return inspect.cleandoc(doc or "")

    def parameters(self) -> dict[str, inspect.Parameter]:
        if isinstance(self.object, property):
            return {}
        parameters = dict(inspect.signature(self.object).parameters)
        if self.owner is not None and next(iter(parameters), "") in ("self", "cls"):
            del parameters[next(iter(parameters))]
        return parameters


def public() -> list[Entry]:
    """Return everything public: the names that modules list, and the methods of the classes among them."""
    from gbdt_pairloss import __main__
    from gbdt_pairloss import dask as on_clusters

    found = [(name, getattr(gbdt_pairloss, name)) for name in gbdt_pairloss.__all__]
    found += [(f"metrics.{name}", getattr(metrics, name)) for name in metrics.__all__]
    found += [(f"datasets.{name}", getattr(datasets, name)) for name in datasets.__all__]
    found += [(name, getattr(on_clusters, name)) for name in on_clusters.__all__]
    found += [(f"objectives.{name}", getattr(objectives, name)) for name in objectives.__all__]
    found += [("RankingScorer", model_selection.RankingScorer), ("main", __main__.main)]
    entries: dict[int, Entry] = {}
    for name, value in found:
        if isinstance(value, type) or inspect.isfunction(value):
            entries.setdefault(id(value), Entry(name, value))
    for entry in list(entries.values()):
        if isinstance(entry.object, type):
            for member in _members(entry.object):
                entries.setdefault(id(member.object), member)
    return list(entries.values())


def _members(cls: type) -> Iterator[Entry]:
    """Yield the public methods and properties that the package itself defines."""
    seen = set()
    for base in cls.__mro__:
        if not base.__module__.startswith("gbdt_pairloss"):
            continue
        for name, member in vars(base).items():
            if (name.startswith("_") and name != "__call__") or name in seen:
                continue
            seen.add(name)
            plain = member.__func__ if isinstance(member, (classmethod, staticmethod)) else member
            code = plain.fget if isinstance(plain, property) else plain
            if inspect.isfunction(code) and code.__module__.startswith("gbdt_pairloss"):
                yield Entry(f"{base.__name__}.{name}", plain, cls)


def faults(entry: Entry, entries: list[Entry]) -> list[str]:
    """Return the faults of an entry's docstring: what is missing, and what is wrong."""
    from numpydoc.docscrape import NumpyDocString

    if not entry.text:
        return ["there is no docstring"]
    doc = NumpyDocString(entry.text)
    found = list(_in_summary(doc))
    if entry.short in MACHINERY:
        return found + [
            f"{name} is raised in the body, and not named" for name in _raised(entry) if name not in entry.text
        ]
    for rule in (_in_names, _in_parameters, _in_returns, _in_raises, _in_source):
        found += rule(entry, doc, entries)
    return found


def documented(doc: Any) -> dict[str, tuple[str, str]]:
    """Return the type and description of each parameter; "a, b : int" documents two."""
    return {
        name.strip(): (entry.type, " ".join(entry.desc))
        for entry in doc["Parameters"] + doc["Other Parameters"]
        for name in entry.name.split(",")
    }


def _in_summary(doc: Any) -> Iterator[str]:
    if len(doc["Summary"]) != 1 or not doc["Summary"][0].endswith("."):
        yield f"the summary is not one line that ends with a period: {' '.join(doc['Summary'])!r}"
    if "%(" in str(doc):
        yield "a shared text was not filled in"


def _in_names(entry: Entry, doc: Any, entries: list[Entry]) -> Iterator[str]:
    told, wanted = set(documented(doc)), set()
    for name, parameter in entry.parameters().items():
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        wanted.add(stars + name)
    if hasattr(entry.object, "__dataclass_fields__") or hasattr(entry.object, "_fields"):
        told |= {attribute.name for attribute in doc["Attributes"]}  # only the package makes such objects
    elif isinstance(entry.object, type) and "**kwargs" in told:
        wanted -= _inherited(entry.object) - told  # the text of **kwargs refers to them
    yield from (f"{name} is not documented" for name in sorted(wanted - told))
    yield from (f"{name} is documented, but not a parameter" for name in sorted(told - wanted))


def _inherited(cls: Any) -> set[str]:
    """Return the parameters of base classes that a class does not name in its own ``__init__``."""
    own = cls.__init__.__code__.co_varnames
    return {name for base in cls.__mro__[1:-1] for name in inspect.signature(base.__init__).parameters} - set(own)


def _in_parameters(entry: Entry, doc: Any, entries: list[Entry]) -> Iterator[str]:
    parameters = entry.parameters()
    for name, (kind, text) in documented(doc).items():
        reference = _AS_IN.match(text)
        if reference is not None and not _is_documented(name, reference[1] or reference[2], entry, entries):
            yield f"{name}: {reference[0]} does not document it"
        if not text:
            yield f"{name} has no description"
        if name.startswith("*") or (reference is not None and not kind):
            continue
        if not kind:
            yield f"{name} has no type"
        is_array = _ARRAY.search(kind) or (name in ARRAYS and not kind.startswith("{"))
        if is_array and "shape" not in kind + text and reference is None:
            yield f"{name} is an array, and has no shape"
        if name in parameters:
            yield from _in_default(name, kind, parameters[name].default)


def _in_default(name: str, kind: str, default: Any) -> Iterator[str]:
    said = _DEFAULT.search(kind)
    is_optional = said is not None or kind.endswith("optional")
    if default is inspect.Parameter.empty:
        if is_optional:
            yield f"{name} is documented as optional, and is not"
    elif said is not None:
        if said[1] != getattr(default, "__name__", None) and not _is_literally(said[1], default):
            yield f"{name}: the default is {default!r}, not {said[1]}"
    elif default is not None or not is_optional:
        yield f"{name}: the default {default!r} is not stated"


def _is_literally(text: str, value: Any) -> bool:
    try:
        return bool(ast.literal_eval(text) == value)
    except ValueError:
        return False


def _is_documented(name: str, reference: str, entry: Entry, entries: list[Entry]) -> bool:
    """Return True if the reference of an "As in ..." documents the parameter."""
    from numpydoc.docscrape import NumpyDocString

    package, _, path = reference.partition(".")
    if package in ("lightgbm", "xgboost"):
        target = importlib.import_module(package)
        for part in path.split("."):
            target = getattr(target, part)
        return name in inspect.signature(target).parameters
    places = {f"{base.__name__}.{reference}" for base in getattr(entry.owner, "__mro__", ())}
    places |= {f"{module}.{reference}" for module in ("metrics", "datasets")}
    for other in entries:
        if other.name in (*places, reference, reference.removeprefix("gbdt_pairloss.")):
            found = documented(NumpyDocString(other.text))
            return name in found and (found[name][0] != "" or name.startswith("*"))
    return False


def _in_returns(entry: Entry, doc: Any, entries: list[Entry]) -> Iterator[str]:
    if isinstance(entry.object, type):
        return
    if isinstance(entry.object, property):
        if "Array" in str(inspect.signature(entry.function).return_annotation) and "shape" not in entry.text:
            yield "the property is an array, and has no shape"
        return
    returns = inspect.signature(entry.object).return_annotation not in (None, "None")
    if returns != bool(doc["Returns"]):
        yield "there is no section Returns" if returns else "there is a section Returns, but nothing to return"
    for value in doc["Returns"]:
        text = f"{value.type} {' '.join(value.desc)}"
        if _ARRAY.search(value.type):
            if "shape" not in text:
                yield f"the returned array has no shape: {value.type}"
            if not _DTYPE.search(text):
                yield f"the returned array has no dtype: {value.type}"


def _in_raises(entry: Entry, doc: Any, entries: list[Entry]) -> Iterator[str]:
    told = {name.strip() for error in doc["Raises"] for name in error.type.split(",")}
    kinds = [getattr(builtins, name, None) for name in told]
    for name, kind in zip(told, kinds, strict=True):
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            yield f"{name} is not an exception"
    yield from (f"{error.type} has no condition" for error in doc["Raises"] if not error.desc)
    if entry.name in CANNOT_FAIL:
        if told:
            yield "there is a section Raises, although CANNOT_FAIL lists the name"
    elif entry.parameters() and not told and not _is_made_here(entry):
        yield "there is no section Raises"
    for name in sorted(_raised(entry)):
        if not any(issubclass(getattr(builtins, name), kind) for kind in kinds if isinstance(kind, type)):
            yield f"{name} is raised in the body, and not in the section Raises"


def _is_made_here(entry: Entry) -> bool:
    """Return True for a class whose objects only the package makes."""
    return hasattr(entry.object, "__dataclass_fields__") or hasattr(entry.object, "_fields")


def _raised(entry: Entry) -> set[str]:
    """Return the built-in exceptions that a body raises by name."""
    if entry.function is None or isinstance(entry.object, type):
        return set()
    tree = ast.parse(textwrap.dedent(inspect.getsource(entry.function)))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
            names.add(node.exc.func.id)
    return {name for name in names if hasattr(builtins, name)}


def has_formula(entry: Entry) -> bool:
    """Return True if an entry computes a published formula: a loss, a metric, weights."""
    definitions = {definition.function for definition in metrics.METRICS.values()}
    is_loss = isinstance(entry.object, type) and issubclass(entry.object, PairwiseObjective)
    is_weight = entry.short.endswith("_weights")
    return (is_loss and entry.object is not PairwiseObjective) or is_weight or entry.object in definitions


def _in_source(entry: Entry, doc: Any, entries: list[Entry]) -> Iterator[str]:
    if not has_formula(entry):
        return
    if not re.search(r"::\n\n    \S", entry.text):
        yield "there is no formula"
    if not doc["References"] and entry.name not in NO_SOURCE:
        yield "there is no section References"
