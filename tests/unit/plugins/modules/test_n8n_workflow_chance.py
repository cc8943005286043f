"""Declarations by chance, hands in n8n by chance, a kill anywhere: the next run ends where an undisturbed one does."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest

from tests.support.flows import call, flow, hook, node
from tests.support.n8n_double import Killed, N8nDouble, run_workflows
from tests.support.run_module import ModuleFailed

NAMES = ("a", "b", "c", "d")
PATHS = ("w", "x", "y", "z")


pytestmark = pytest.mark.usefixtures("at_once")


def declared(chance: random.Random) -> list[dict[str, Any]]:
    """Some of the names, each with a path of its own, that call each other in any way."""
    names = sorted(chance.sample(NAMES, chance.randint(1, 4)))
    items = []
    for name, path in zip(names, chance.sample(PATHS, len(names))):
        nodes = [node(f"Work {name}", "noOp", 1, note=chance.choice("pq"))]
        if chance.random() < 0.5:
            nodes.append(call("Call", chance.choice(names)))
        settings = {"errorWorkflow": chance.choice(names)} if chance.random() < 0.3 else {}
        words = {"description": chance.choice("rs")} if chance.random() < 0.3 else {}
        items.append({**flow(name, hook(path), *nodes, **settings), **words})
    return items


def options(chance: random.Random) -> dict[str, Any]:
    state = chance.choice(("published", "published", "published", "present"))
    return {"state": state, "prune": chance.random() < 0.5, "prune_to": chance.choice(("archived", "absent"))}


def run(double: N8nDouble, workflows: list[dict[str, Any]], **over: Any) -> dict[str, Any]:
    return run_workflows(double, *workflows, on_existing="adopt", **over)


def meddle(double: N8nDouble, chance: random.Random) -> None:
    for item in list(double.workflows.values()):
        what = chance.random()
        if what < 0.1:
            double._unpublish(item, None)
        elif what < 0.2:
            double._archive(item, None)
        elif what < 0.3:
            item["name"] = f"renamed {item['name']}"
        elif what < 0.4:
            item["nodes"][1]["parameters"]["note"] = "by hand"
            item["versionId"] = f"by hand {item['versionId']}"


@pytest.mark.parametrize("seed", range(10))
def test_any_run_that_is_killed_is_finished_by_the_next(seed: int) -> None:
    chance = random.Random(seed)
    start = N8nDouble()
    for item in declared(chance) if chance.random() < 0.3 else ():
        item.pop("description", None)
        item["nodes"] = [one for one in item["nodes"] if one["name"] != "Call"]
        start.seed({**item, "settings": {}}, published=chance.random() < 0.5)
    if start.workflows == {}:
        run(start, declared(chance), state=chance.choice(("published", "present")))
    meddle(start, chance)
    workflows, given = declared(chance), options(chance)
    start.writes = []
    undisturbed = copy.deepcopy(start)
    try:
        run(undisturbed, workflows, **given)
    except ModuleFailed as failed:
        told = any(words in str(failed) for words in ("which belongs to the workflow", "which is not published, and"))
        assert told and undisturbed.writes == [], failed
        return
    expected, writes = undisturbed.state(), len(undisturbed.writes)
    undisturbed.writes = []
    assert run(undisturbed, workflows, **given)["changed"] is False
    moments = [(write, answered) for write in range(writes) for answered in (False, True)]
    for write, answered in chance.sample(moments, min(len(moments), 4)):
        double = copy.deepcopy(start)
        double.kill_at(write, answered=answered)
        with pytest.raises(Killed):
            run(double, workflows, **given)
        where = f"{'after' if answered else 'before'} {double.writes[-1]}, write {write + 1} of {writes}"
        predicted = run(double, workflows, check=True, **given)
        done = run(double, workflows, **given)
        assert (done["actions"], done["diff"]) == (predicted["actions"], predicted["diff"]), where
        assert double.state() == expected, where
        assert run(double, workflows, **given)["changed"] is False, where
