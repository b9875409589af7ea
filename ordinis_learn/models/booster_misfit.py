"""What is wrong with the bytes of a booster, told before xgboost sees them.

xgboost takes a model as it stands: children that lead nowhere, or back to where they came from, and features that no row has
end the process or read memory that is not theirs. So everything that prediction follows is checked here, and a bundle from
anywhere may be opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.models.ubjson import read_ubjson

__all__ = ["booster_misfit"]

_MOST_LEVELS: Final = 64
"""Of a tree; a configuration asks for twelve at most."""
_BY_NODE: Final = ("left_children", "right_children", "parents", "split_indices", "split_conditions")
_CATEGORIES: Final = ("categories", "categories_nodes", "categories_segments", "categories_sizes")
Ints = npt.NDArray[np.int64]


def booster_misfit(content: bytes, *, features: int, objective: str, classes: int) -> str:
    """Return how a booster differs from one of so many features and this objective, empty where it does not.

    Parameters
    ----------
    content : bytes
        As xgboost saves a model in universal binary JSON.
    objective : str
        Xgboost's name of what was fitted.
    classes : int
        Of three or more; 0 for one output.
    """
    try:
        learner = read_ubjson(content)["learner"]
        return _learner(learner, features=features, objective=objective, classes=classes)
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, AttributeError) as error:
        return f"no model as xgboost saves it ({type(error).__name__}: {error})"


def _learner(learner: Mapping[str, Any], *, features: int, objective: str, classes: int) -> str:
    given, told = learner["learner_model_param"], learner["objective"]["name"]
    booster = learner["gradient_booster"]
    if told != objective:
        return f"trees fitted with {told}, not with {objective}"
    if int(given["num_feature"]) != features:
        return f"{int(given['num_feature'])} features in the trees, {features} in the header"
    if int(given["num_class"]) != classes or int(given.get("num_target", 1)) != 1:
        return f"trees of {int(given['num_class'])} classes, the header declares {classes}"
    scores = [float(one) for one in str(given["base_score"]).strip("[]").split(",")]
    if not np.isfinite(scores).all() or len(scores) not in {1, max(classes, 1)}:
        return f"a base score of {given['base_score']}"
    if booster["name"] != "gbtree":
        return f"a booster {booster['name']}, not gbtree"
    return _model(booster["model"], features=features, groups=max(classes, 1))


def _model(model: Mapping[str, Any], *, features: int, groups: int) -> str:
    trees, told = model["trees"], model["gbtree_model_param"]
    group, rounds = np.asarray(model["tree_info"]), np.asarray(model.get("iteration_indptr", [0, len(trees)]))
    if (
        int(told["num_trees"]) != len(trees)
        or int(told["num_parallel_tree"]) != 1
        or len(group) != len(trees)
    ):
        return f"{len(trees)} trees, of which it tells otherwise"
    if len(trees) and not (group.min() >= 0 and group.max() < groups):
        return "a tree of a class that there is not"
    if len(rounds) < 1 or rounds[0] != 0 or rounds[-1] != len(trees) or (np.diff(rounds) < 0).any():
        return "rounds that do not add up to the trees"
    if any(len(part) for part in model.get("cats", {}).values()):
        return "categories, which none of ours has"
    faults = (_tree(tree, number=number, features=features) for number, tree in enumerate(trees))
    return next(filter(None, faults), "")


def _tree(tree: Mapping[str, Any], *, number: int, features: int) -> str:
    nodes = len(tree["left_children"])
    lengths = {len(tree[name]) for name in (*_BY_NODE, "default_left", "base_weights", "sum_hessian")}
    told = tree["tree_param"]
    left, right, parents, split, condition = (tree[name] for name in _BY_NODE)
    if any(one.dtype.kind != "i" for one in (left, right, parents, split)) or condition.dtype.kind != "f":
        return f"tree {number} has arrays of another type"
    inner = np.flatnonzero(left != -1)
    asked = split[inner]
    faults = {
        "has arrays of different lengths": lengths != {nodes} or not nodes or int(told["num_nodes"]) != nodes,
        "has another's number": int(tree["id"]) != number,
        "is of other outputs or features": int(told["size_leaf_vector"]) > 1
        or int(told["num_feature"]) != features,
        "splits by category": any(len(tree.get(name, ())) for name in _CATEGORIES)
        or bool(np.any(np.asarray(tree.get("split_type", 0)))),
        "holds a number that is not finite": not np.isfinite(condition).all(),
        "asks for a feature that there is not": bool(((asked < 0) | (asked >= features)).any()),
    }
    found = next((fault for fault, holds in faults.items() if holds), "")
    if not found and not _is_tree(left, right, parents, inner=inner):
        found = "is no tree"
    return f"tree {number} {found}" if found else ""


def _is_tree(left: Ints, right: Ints, parents: Ints, *, inner: Ints) -> bool:
    """Tell whether every way from the root leads to a leaf, and no node is reached twice."""
    children = np.concatenate([left[inner], right[inner]])
    if not np.array_equal(np.flatnonzero(right != -1), inner):
        return False
    if children.size and not (children.min() > 0 and children.max() < len(left)):
        return False
    # With one parent each and none above the root, what is reached from there has no circle.
    if len(np.unique(children)) != len(children) or (parents[children] != np.tile(inner, 2)).any():
        return False
    level = np.zeros(1, dtype=np.int64)
    for _ in range(_MOST_LEVELS):
        level = level[left[level] != -1]
        if not level.size:
            return True
        level = np.concatenate([left[level], right[level]])
    return False
