"""A run that is killed anywhere, and a plain run after it, end where an undisturbed run ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.flows import call, called, flow, hook, node, simple
from tests.support.n8n_double import Killed, N8nDouble
from tests.support.n8n_double import run_workflows as run
from tests.support.run_module import ModuleFailed

pytestmark = pytest.mark.usefixtures("at_once")


def family() -> list[dict[str, Any]]:
    """They call each other, tell one another their failures, and have words for people."""
    alarm = flow("alarm", node("Failed", "errorTrigger", 1), errorWorkflow="caller")
    caller = {**simple("caller", "call", call("Call", "sub")), "description": "for people"}
    caller["settings"]["errorWorkflow"] = "alarm"
    return [caller, called("sub", call("Again", "sub")), alarm]


def circle(*names: str, path: str = "circle") -> list[dict[str, Any]]:
    """Each calls the next one, and the last the first; the first has a webhook."""
    nexts = dict(zip(names, [*names[1:], names[0]]))
    made = [called(name, call("Call", after)) for name, after in nexts.items()]
    made[0]["nodes"].append(hook(path))
    return made


def half_a_circle() -> N8nDouble:
    """The second one was unpublished by hand, and the first one runs."""
    double = standing(*circle("a", "b"))()
    double._unpublish(double.named("b"), None)
    return double


def fresh() -> N8nDouble:
    return N8nDouble()


def standing(*workflows: dict[str, Any]) -> Callable[[], N8nDouble]:
    def start() -> N8nDouble:
        double = N8nDouble()
        run(double, *workflows)
        return double

    return start


def somebody_elses() -> N8nDouble:
    double = N8nDouble()
    double.seed(simple("w", "x"))
    return double


def renamed_by_hand() -> N8nDouble:
    double = standing(simple("w", "x"))()
    double.named("w")["name"] = "renamed"
    return double


def archived_by_hand() -> N8nDouble:
    double = standing(simple("w", "x"))()
    double.named("w").update(isArchived=True, active=False, activeVersion=None, activeVersionId=None)
    return double


def renamed_after_adoption() -> N8nDouble:
    double = somebody_elses()
    run(double, simple("w", "x"), on_existing="adopt")
    double.named("w")["name"] = "renamed"
    return double


GROWN = simple("w", "x", node("Nothing", "noOp", 1), node("More", "noOp", 1))
PRUNED = {"prune": True}
SCENARIOS: dict[str, tuple[Callable[[], N8nDouble], list[dict[str, Any]], dict[str, Any]]] = {
    "new": (fresh, family(), {}),
    "new-drafts": (fresh, family(), {"state": "present"}),
    "grown": (standing(simple("w", "x")), [GROWN, simple("v", "y")], {}),
    "adopted": (somebody_elses, [GROWN], {"on_existing": "adopt"}),
    "renamed": (renamed_by_hand, [GROWN], {}),
    "renamed-after-adoption": (renamed_after_adoption, [GROWN], {}),
    "declared-anew": (standing(simple("w", "x")), [{**GROWN, "name": "v"}], PRUNED),
    "archived": (archived_by_hand, [GROWN], {}),
    "pruned": (standing(simple("w", "x"), simple("v", "y")), [simple("w", "y")], PRUNED),
    "deleted": (standing(*family()), [simple("w", "call")], {**PRUNED, "prune_to": "absent"}),
    "unpublished": (standing(*family()), family(), {"state": "unpublished"}),
    "circle": (fresh, [*circle("b", "c", "a"), called("0-caller", call("Call", "c"))], {}),
    "half-a-circle": (half_a_circle, circle("a", "b", path="another"), {}),
    "circle-drafts": (fresh, circle("a", "b"), {"state": "present"}),
    "moved": (standing(simple("a", "x"), simple("b", "y")), [simple("a", "z"), simple("b", "x"), simple("c", "y")], {}),
    "swapped": (standing(simple("a", "x"), simple("b", "y")), [simple("a", "y"), simple("b", "x")], {}),
    "turned": (
        standing(*(simple(*pair) for pair in ("ax", "by", "cz"))),
        [simple(*pair) for pair in ("ay", "bz", "cx")],
        {"state": "present"},
    ),
    "taken-by-the-called": (
        standing(simple("a", "x")),
        [simple("a", "y", call("Call", "b")), called("b", hook("x"))],
        {},
    ),
    "absent": (standing(*family()), [{"name": "caller"}, {"name": "alarm"}], {"state": "absent"}),
}


def undisturbed(scenario: str) -> tuple[dict[str, Any], int]:
    start, workflows, options = SCENARIOS[scenario]
    double = start()
    double.writes = []
    run(double, *workflows, **options)
    return double.state(), len(double.writes)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_killed_run_is_finished_by_the_next(scenario: str) -> None:
    start, workflows, options = SCENARIOS[scenario]
    expected, writes = undisturbed(scenario)
    assert writes
    for write in range(writes):
        for answered in (False, True):
            double = start()
            double.kill_at(write, answered=answered)
            with pytest.raises(Killed):
                run(double, *workflows, **options)
            where = f"{'after' if answered else 'before'} {double.writes[-1]}, write {write + 1} of {writes}"
            predicted = run(double, *workflows, check=True, **options)
            done = run(double, *workflows, **options)
            assert (done["actions"], done["diff"]) == (predicted["actions"], predicted["diff"]), where
            assert double.state() == expected, where
            double.writes = []
            assert run(double, *workflows, **options)["changed"] is False, where
            assert double.writes == [], where


@pytest.mark.parametrize("declared", [True, False])
def test_a_call_of_what_stays_unpublished_is_told_before_anything_is_sent(declared: bool) -> None:
    double = standing(called("sub"), simple("w", "x", call("Call", "sub")))()
    double._unpublish(double.named("sub"), None)
    double.writes = []
    workflows = [simple("w", "y", call("Call", "sub")), *([called("sub")] if declared else [])]
    sentence = (
        "workflow 'w', node 'Call' calls the workflow 'sub', which is not published, and n8n publishes no workflow"
    )
    assert sentence in run(double, *workflows, state="present", check=True)["warnings"][0]
    with pytest.raises(ModuleFailed, match=sentence):
        run(double, *workflows, state="present")
    assert double.writes == []


def killed_after_create(item: dict[str, Any]) -> N8nDouble:
    double = N8nDouble()
    double.kill_at(0, answered=True)
    with pytest.raises(Killed):
        run(double, item)
    return double


def test_a_workflow_that_a_killed_run_made_is_taken_up() -> None:
    double = killed_after_create(simple("w", "x"))
    assert run(double, GROWN)["actions"] == [
        "mark workflow 'w' with the tag 'ours', which an earlier run made and did not mark",
        "update workflow 'w': connections.Nothing, nodes.More",
        "publish workflow 'w'",
    ]


def test_a_workflow_that_a_killed_run_made_is_removed_by_its_name() -> None:
    double = killed_after_create(simple("w", "x"))
    assert run(double, {"name": "w"}, state="absent")["actions"] == ["delete workflow 'w'"]
    assert double.workflows == {}


@pytest.mark.parametrize(
    "touch", [{"updatedAt": "later"}, {"tags": [{"id": "t", "name": "another"}]}, "publish", "node"]
)
def test_what_somebody_has_touched_since_is_not_taken_up(touch: Any) -> None:
    double = killed_after_create(simple("w", "x"))
    item = double.named("w")
    if touch == "publish":
        double._publish(item, {})
    elif touch == "node":
        item["nodes"][0]["id"] = "of somebody else"
    else:
        item.update(touch)
    with pytest.raises(ModuleFailed, match="does not carry the tag 'ours', so it is somebody else's"):
        run(double, simple("w", "x"))


def test_paths_that_only_move_take_nobody_down() -> None:
    double = standing(simple("a", "x"), simple("b", "y"))()
    done = run(double, simple("a", "z"), simple("b", "x"), simple("c", "y"))["actions"]
    assert [words for words in done if "publish" in words] == [
        "publish the new version of workflow 'a'",
        "publish the new version of workflow 'b'",
        "publish workflow 'c'",
    ]


def test_of_two_that_swap_paths_one_makes_way_for_a_moment() -> None:
    double = standing(simple("a", "x"), simple("b", "y"))()
    assert run(double, simple("a", "y"), simple("b", "x"))["actions"] == [
        "update workflow 'b': nodes.Hook.parameters.path",
        "move workflow 'a' aside for a moment, for 'b' takes over its path",
        "publish the new version of workflow 'b'",
        "update workflow 'a': nodes.Hook.parameters.path",
        "publish the new version of workflow 'a'",
    ]


def test_who_made_way_runs_again_where_the_other_is_refused() -> None:
    double = standing(simple("a", "x"), simple("b", "y"))()
    before = {name: double.named(name)["activeVersion"] for name in "ab"}
    double.refused = "b"
    sentence = (
        "workflow 'b': .* no room for b; the version that was live .*; workflow 'a', which made way, is published"
    )
    with pytest.raises(ModuleFailed, match=sentence):
        run(double, simple("a", "y"), simple("b", "x"))
    assert {name: double.named(name)["activeVersion"] for name in "ab"} == before


def test_a_path_of_a_workflow_that_is_left_alone_is_refused() -> None:
    double = somebody_elses()
    with pytest.raises(
        ModuleFailed, match=r"'v', node 'Hook' wants POST /webhook/x, which belongs to the workflow 'w'"
    ):
        run(double, simple("w", "y"), simple("v", "x"), on_existing="leave")


@pytest.mark.parametrize("start", [renamed_by_hand, renamed_after_adoption])
def test_a_renamed_workflow_is_the_same_one(start: Callable[[], N8nDouble]) -> None:
    double = start()
    known = double.named("renamed")["id"]
    assert run(double, simple("w", "x"))["actions"] == ["update workflow 'w': name (n8n has it as 'renamed')"]
    assert [(item["id"], item["name"]) for item in double.workflows.values()] == [(known, "w")]


def test_a_workflow_that_is_declared_under_another_name_keeps_its_id() -> None:
    double = renamed_after_adoption()
    known = double.named("renamed")["id"]
    done = run(double, {**GROWN, "name": "v"}, prune=True)
    assert done["actions"][0] == "update workflow 'v': connections.Nothing, name, nodes.More (n8n has it as 'renamed')"
    assert [(item["id"], item["name"]) for item in double.workflows.values()] == [(known, "v")]


def test_of_a_circle_one_is_published_without_its_call_first() -> None:
    done = run(N8nDouble(), *circle("a", "b"))["actions"]
    assert done[-3:] == [
        "publish workflow 'b' without its call of 'a' at first, for they call each other in a circle",
        "publish workflow 'a'",
        "publish workflow 'b'",
    ]


def test_a_circle_of_which_one_runs_goes_on_from_there() -> None:
    done = run(half_a_circle(), *circle("a", "b", path="another"))["actions"]
    assert done == [
        "publish workflow 'b'",
        "update workflow 'a': nodes.Hook.parameters.path",
        "publish the new version of workflow 'a'",
    ]
