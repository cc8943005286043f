"""Somebody else works in n8n, or another run does, while this one is between looking and writing."""

from __future__ import annotations

import copy
import itertools
from typing import Any, Optional

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n import publishing

from tests.support.flows import node, simple
from tests.support.n8n_double import Killed, N8nDouble
from tests.support.n8n_double import run_workflows as run
from tests.support.run_module import ModuleFailed

pytestmark = pytest.mark.usefixtures("at_once")


def worked(note: str) -> dict[str, Any]:
    return simple("w", "x", node("Work", "noOp", 1, note=note))


def body_of(item: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy({key: item[key] for key in ("name", "nodes", "connections", "settings")})


def by_hand(double: N8nDouble, note: str) -> None:
    """Somebody edits the node and does not publish it."""
    item = double.named("w")
    body = body_of(item)
    body["nodes"][1]["parameters"]["note"] = note
    double._update(item, body, hold=True)


@pytest.fixture
def double() -> N8nDouble:
    made = N8nDouble()
    run(made, worked("p"))
    return made


def test_an_edit_between_looking_and_writing_is_planned_from_and_told(double: N8nDouble) -> None:
    double.hands = [lambda: by_hand(double, "by hand")]
    done = run(double, worked("q"))
    assert done["diff"] == {
        "before": {"w": {"nodes.Work.parameters.note": "by hand", "publication": "an older version"}},
        "after": {"w": {"nodes.Work.parameters.note": "q", "publication": "published"}},
    }
    assert done["actions"] == ["update workflow 'w': nodes.Work.parameters.note", "publish workflow 'w'"]
    assert run(double, worked("q"))["changed"] is False


def test_who_edits_all_the_while_is_left_alone(double: N8nDouble) -> None:
    double.hands = [lambda note=note: by_hand(double, note) for note in ("one", "two", "three")]
    double.writes = []
    with pytest.raises(ModuleFailed, match=r"workflow 'w' \(id w0001\) was changed in n8n right before this run would"):
        run(double, worked("q"))
    assert double.writes == []
    assert double.named("w")["nodes"][1]["parameters"]["note"] == "three"


def test_what_was_done_before_the_edit_is_told_with_the_rest(double: N8nDouble) -> None:
    double.hands = [lambda: by_hand(double, "by hand")]
    done = run(double, simple("a", "y"), worked("q"))
    assert [words.split(" w")[0] for words in done["actions"]] == ["create", "mark", "publish", "update", "publish"]
    assert done["diff"]["after"]["a"]["publication"] == "published"
    assert done["diff"]["before"]["w"]["nodes.Work.parameters.note"] == "by hand"


def test_what_was_deleted_meanwhile_is_made_anew(double: N8nDouble) -> None:
    double.hands = [double.workflows.clear]
    assert run(double, worked("q"))["actions"][0] == "create workflow 'w' with 2 nodes"


def test_what_is_as_declared_is_not_looked_at_again(double: N8nDouble) -> None:
    double.hands = [lambda: by_hand(double, "by hand")]
    assert run(double, worked("p"))["changed"] is False


def twin(double: N8nDouble, item: dict[str, Any], *, tagged: bool, published: bool = False) -> str:
    """Another run makes the same, and ends before or after it marked and published it."""
    other = N8nDouble()
    run(other, item)
    made = double._create(
        copy.deepcopy({key: other.named("w")[key] for key in ("name", *item) if key != "description"})
    )
    if published:
        double._publish(made, {})
    if tagged:
        double._tag(made, [{"id": double._tag_id("ours")}])
        made["updatedAt"] = "later"
    return made["id"]


@pytest.mark.parametrize("tagged", [True, False])
def test_who_makes_the_second_twin_takes_it_away_and_goes_on_with_the_first(tagged: bool) -> None:
    double = N8nDouble()
    first: list[str] = []
    double.hands = [lambda: first.append(twin(double, worked("p"), tagged=tagged))]
    done = run(double, worked("p"))
    assert done["workflows"]["w"]["id"] == first[0]
    assert (len(double.workflows), double.named("w")["active"]) == (1, True)
    assert done["actions"][-1] == "publish workflow 'w'"
    assert run(double, worked("p"))["changed"] is False


def test_who_gives_way_waits_for_the_run_that_is_about_to_publish(monkeypatch: pytest.MonkeyPatch) -> None:
    """n8n would refuse one of two that publish the same workflow at once, and who is refused unpublishes it."""
    monkeypatch.setattr(publishing, "PATIENCE_SECONDS", 5.0)
    double = N8nDouble()
    double.hands = [lambda: twin(double, worked("p"), tagged=True)]
    listing, looks = double._listing, itertools.count()

    def later(name: Optional[str]) -> Any:
        if name and next(looks) == 2:
            double._publish(double.named("w"), {})
        return listing(name)

    monkeypatch.setattr(double, "_listing", later)
    assert run(double, worked("p"))["changed"] is False
    assert double.named("w")["active"]


def test_who_makes_the_second_of_another_content_brings_the_first_to_it() -> None:
    double = N8nDouble()
    double.hands = [lambda: twin(double, worked("q"), tagged=True)]
    assert run(double, worked("p"))["actions"][0] == "update workflow 'w': nodes.Work.parameters.note"
    assert double.named("w")["nodes"][1]["parameters"]["note"] == "p"


def test_a_workflow_that_somebody_made_meanwhile_is_left_to_them() -> None:
    double = N8nDouble()
    double.hands = [lambda: double.seed(worked("p"))]
    with pytest.raises(ModuleFailed, match="does not carry the tag 'ours', so it is somebody else's"):
        run(double, worked("p"))
    assert len(double.workflows) == 1


@pytest.mark.parametrize(
    ("tagged", "published", "content", "goes"),
    [(True, False, "p", "w0004"), (False, False, "q", "w0004"), (True, False, "q", None)],
    ids=["the-same", "never-touched", "another"],
)
def test_twins_of_ours_are_mended_by_the_next_run(
    double: N8nDouble, tagged: bool, published: bool, content: str, goes: Optional[str]
) -> None:
    surplus = twin(double, worked(content), tagged=tagged, published=published)
    double.writes = []
    if goes is None:
        with pytest.raises(ModuleFailed, match=rf"named 'w' \(ids w0001 and {surplus}\); delete or rename one of them"):
            run(double, worked("p"))
        assert double.writes == []
        return
    predicted = run(double, worked("p"), check=True)
    done = run(double, worked("p"))
    assert done["actions"] == [f"delete workflow 'w ({surplus})', which another run made at the same moment"]
    assert (done["actions"], done["diff"]) == (predicted["actions"], predicted["diff"])
    assert [item["id"] for item in double.workflows.values()] == ["w0001"]
    assert run(double, worked("p"))["changed"] is False


def test_twins_without_a_mark_of_ours_are_refused() -> None:
    double = N8nDouble()
    for _turn in range(2):
        double.seed(worked("p"), published=False)
    with pytest.raises(ModuleFailed, match="n8n has more than one workflow named 'w'"):
        run(double, worked("p"), owner_tag=None)


def test_both_twins_go_where_the_name_is_to_be_absent(double: N8nDouble) -> None:
    twin(double, worked("p"), tagged=True)
    assert len(run(double, {"name": "w"}, state="absent")["actions"]) == 2
    assert double.workflows == {}


@pytest.mark.parametrize("write", [0, 1])
def test_a_run_that_is_killed_between_its_twin_and_its_removal_is_mended(write: int) -> None:
    double = N8nDouble()
    double.hands = [lambda: twin(double, worked("p"), tagged=True)]
    double.kill_at(write, answered=write == 0)
    with pytest.raises(Killed):
        run(double, worked("p"))
    assert len(double.workflows) == 2
    run(double, worked("p"))
    assert len(double.workflows) == 1
    assert run(double, worked("p"))["changed"] is False


def test_a_tag_that_another_run_made_meanwhile_is_used(double: N8nDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    route = double._route

    def raced(method: str, path: str, query: Any, body: Any) -> Any:
        if (method, path) == ("POST", "/api/v1/tags"):
            double._tag_id(body["name"])
        return route(method, path, query, body)

    monkeypatch.setattr(double, "_route", raced)
    run(double, simple("v", "y"), owner_tag="another")
    assert [tag["name"] for tag in double.named("v")["tags"]] == ["another"]
