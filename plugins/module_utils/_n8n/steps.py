# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps between a workflow as it is and as it is declared: decisions, without any I/O."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.definition import changes, normal_form
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.policy import LIVE, Policy
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.relations import WorkflowIndex, calls
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation

AT_ONCE = ("create", "tag")  # what also a workflow does that has to wait for another one


def creation(
    wanted: Mapping[str, Any], policy: Policy, flows: WorkflowIndex
) -> tuple[list[Operation], None, dict[str, Any]]:
    """Marked right after it is made, for a run that ends in between is known by nobody having written to it since."""
    name = wanted["name"]
    steps = [
        Operation("create", name, f"create workflow '{name}' with {len(wanted['nodes'])} nodes"),
        *tagging(name, policy),
    ]
    rest = ["its description"] if wanted.get("description") is not None else []  # which only an update takes
    rest += ["its own id"] if any(called == name for _where, called in calls(wanted, flows)) else []
    if rest:
        words = f"complete workflow '{name}' with {' and '.join(rest)}"
        steps.append(Operation("update", name, words, {"hold": True}))
    if policy.state == "published":
        steps.append(Operation("publish", name, f"publish workflow '{name}'"))
    return steps, None, _summary(wanted, policy, flows)


def _summary(wanted: Mapping[str, Any], policy: Policy, flows: WorkflowIndex) -> dict[str, Any]:
    """What a diff shows of a workflow that is made."""
    form = normal_form(wanted, flows=flows)
    return {
        "nodes": {node: item["type"] for node, item in form["nodes"].items()},
        "settings": form["settings"],
        "publication": "published" if policy.state == "published" else "unpublished",
        **({} if policy.owner_tag is None else {"owner_tag": policy.owner_tag}),
    }


def tagging(name: str, policy: Policy, why: str = "") -> list[Operation]:
    tag = policy.owner_tag
    return [] if tag is None else [Operation("tag", name, f"mark workflow '{name}' with the tag '{tag}'{why}")]


def link(name: str, lacking: Sequence[str], now: Sequence[Operation]) -> list[Operation]:
    """A workflow that was made before what it needs gets what it lacks afterwards."""
    if not lacking or all(step.verb != "create" for step in now):
        return []
    words = f"complete workflow '{name}' with {short([repr(one) for one in lacking])}, made after it"
    return [Operation("update", name, words, {"hold": True})]


def removal(
    name: str, seen: Mapping[str, Any], state: str, why: str = ""
) -> tuple[list[Operation], Any, Optional[dict[str, str]]]:
    if state == "absent":
        return [Operation("delete", name, f"delete workflow '{name}'{why}")], dict(seen), None
    if seen["publication"] == "archived":
        return [], None, None
    return [Operation("archive", name, f"archive workflow '{name}'{why}")], dict(seen), {"publication": "archived"}


def wanted_state(
    wanted: Mapping[str, Any], seen: Mapping[str, Any], policy: Policy, flows: WorkflowIndex
) -> dict[str, Any]:
    """What a workflow becomes, in the form in which ``seen`` says what it is."""
    published = {
        "published": "published",
        "unpublished": "unpublished",
        "present": {"archived": "unpublished", "an older version": "published"}.get(
            seen["publication"], seen["publication"]
        ),
    }[policy.state]
    form = {**normal_form(wanted, flows=flows), "publication": published}
    if "name" in seen:
        form["name"] = wanted["name"]
    if policy.owner_tag is not None:
        form["owner_tag"] = policy.owner_tag
    return form


def update(
    name: str,
    seen: Mapping[str, Any],
    wanted: Mapping[str, Any],
    policy: Policy,
    *,
    secrets: Sequence[str] = (),
    unmarked: bool = False,
) -> tuple[list[Operation], dict[str, Any], dict[str, Any]]:
    """The steps, what differs as it is, and as it becomes.

    :param wanted: of ``wanted_state``
    :param unmarked: an earlier run made it and ended before it could mark it
    """
    found = changes(seen, wanted, secrets=secrets)
    steps: list[Operation] = []
    was, becomes = seen["publication"], wanted["publication"]
    content = sorted(path for path in found if path not in ("publication", "owner_tag"))
    if was == "archived":
        steps.append(Operation("unarchive", name, f"take workflow '{name}' out of the archive"))
    if becomes == "unpublished" and was in LIVE:
        steps.append(Operation("unpublish", name, f"unpublish workflow '{name}'"))
    if "owner_tag" in found:
        steps += tagging(name, policy, ", which an earlier run made and did not mark" if unmarked else "")
    if content:
        new_version = any(path.split(".", 1)[0] in ("nodes", "connections") for path in content)
        again = any(path.startswith("settings") for path in content) and not new_version
        words = f"update workflow '{name}': {short(content)}"
        if "name" in seen:
            words += f" (n8n has it as '{seen['name']}')"
        prove = again and was == becomes == "published"
        steps.append(Operation("update", name, words, {"hold": not again, "prove": prove}))
        if new_version and was == "published" and becomes == "published":
            steps.append(Operation("publish", name, f"publish the new version of workflow '{name}'"))
    if becomes == "published" and was != "published":
        steps.append(Operation("publish", name, f"publish workflow '{name}'"))
    return steps, {p: pair[0] for p, pair in found.items()}, {p: pair[1] for p, pair in found.items()}


def short(paths: Sequence[str]) -> str:
    shown = ", ".join(paths[:4])
    return shown if len(paths) <= 4 else f"{shown} and {len(paths) - 4} more"
