# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workflows: one listing, the smallest set of calls, and a published webhook is proven to answer."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import Moved, StackError
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n import publishing, steps
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.client import Api
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.definition import (
    NO_WORKFLOWS,
    CredentialIndex,
    changes,
    check_wanted,
    managed_part,
    normal_form,
    readable,
    references,
    unresolved,
    webhooks,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.policy import (
    NAME_ONLY,
    Policy,
    publication,
    tags_of,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.relations import (
    WorkflowIndex,
    alike,
    at_home,
    made_and_left,
    made_here,
    renamed,
    webhook_conflict,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.session import Session
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.turns import (
    break_circles,
    called_by,
    handovers,
    in_order,
    live_version,
    make_way,
    resting_calls,
    running,
    too_early,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.twins import told_apart
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.writing import Writing
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import Operation, Plan

MISSING = "missing"


class Workflows(Writing):
    """Brings the declared workflows to ``policy.state``, and with ``prune`` those away that were declared once."""

    def __init__(
        self,
        api: Api,
        wanted: Sequence[Mapping[str, Any]],
        policy: Policy,
        *,
        session: Session,
        secrets: Sequence[str] = (),
    ) -> None:
        self.content = policy.state not in NAME_ONLY
        check_wanted(wanted, content=self.content)
        if policy.prune and not self.content:
            raise StackError(
                f"prune does not go with state={policy.state}; it goes with a declaration of what is to stay"
            )
        if policy.prune and not wanted and not policy.prune_everything:
            raise StackError(
                "no workflow is declared, and prune would put away every one that carries the tag "
                f"'{policy.owner_tag}'; declare what is to stay, or set prune_everything: true as well"
            )
        self.api = api
        self.policy = policy
        self.wanted = {item["name"]: item for item in wanted}
        self._publisher = publishing.Publisher(api, session)
        self._secrets = [secret for secret in secrets if secret]
        self._live: dict[str, Mapping[str, Any]] = {}
        self._strays: dict[str, Mapping[str, Any]] = {}
        self._twins: dict[str, Mapping[str, Any]] = {}
        self._unmarked: set[str] = set()
        self._aside: dict[str, Mapping[str, Any]] = {}
        self._astray: set[str] = set()
        self._others: list[Mapping[str, Any]] = []
        self._index = CredentialIndex()
        self._flows: WorkflowIndex = NO_WORKFLOWS
        self._unresolved: list[str] = []
        self._tag_ids: dict[str, str] = {}
        self._checked = False

    # -- observe

    def observe(self) -> dict[str, Any]:
        """The whole live state; ``plan`` reduces it to what differs."""
        listing = self.api.list("/workflows", excludePinnedData="true")
        self._live, self._twins = told_apart(listing, self.wanted, self._made)
        listing = [item for item in listing if all(item is not twin for twin in self._twins.values())]
        self._unmarked = {name for name, live in self._live.items() if not tags_of(live) and made_and_left(live)}
        self._find_strays(listing)
        self._flows = WorkflowIndex(listing, self.wanted if self.content else ())
        for name, live in self._live.items():
            self._flows.add(live["id"], name)
        self._publisher.taken = {}
        for item in listing:
            self._tag_ids.update(tags_of(item))
            for path, methods in webhooks(item):
                self._publisher.taken[path] = self._publisher.taken.get(path, frozenset()) | methods
        for name, live in self._live.items():
            if self.content and self.wanted[name].get("description") is not None:
                self._live[name] = self.api.call("GET", f"/workflows/{live['id']}")
        if self.content and any(list(references(item)) for item in self.wanted.values()):
            self._index = CredentialIndex(self.api.list("/credentials"))
        state = {name: self._state_of(name) for name in sorted(self._live)}
        surplus = sorted({**self._strays, **self._twins}.items())
        state.update({name: {"publication": publication(live)} for name, live in surplus})
        return state

    def _find_strays(self, listing: Sequence[Mapping[str, Any]]) -> None:
        """What carries our tag under no declared name: it was renamed here or there, or is declared no longer.

        Without ``prune`` other declarations may have the same tag, and what has the name it was made under is theirs.
        """
        known = {live["id"] for live in self._live.values()}
        self._others = [item for item in listing if item["id"] not in known]
        strays = [item for item in self._others if self.policy.owner_tag in tags_of(item)]
        missing = sorted(set(self.wanted) - set(self._live)) if self.content else []
        free = [item for item in strays if self.policy.prune or not at_home(item)] if missing else []
        for known_by in (renamed, alike):
            for name in (name for name in missing if name not in self._live):
                found = known_by(self.wanted[name], free)
                if found is not None:
                    self._live[name] = found
                    free = [item for item in free if item is not found]
        taken = {live["id"] for live in self._live.values()}
        strays = [item for item in strays if item["id"] not in taken]
        self._strays = {}
        for item in strays if self.policy.prune else ():
            clear = item["name"] not in self._strays
            self._strays[item["name"] if clear else f"{item['name']} ({item['id']})"] = item
        gone = {live["id"] for live in (*self._live.values(), *self._strays.values())}
        self._others = [item for item in self._others if item["id"] not in gone]

    def _owned(self, live: Mapping[str, Any]) -> bool:
        return self.policy.owner_tag is None or self.policy.owner_tag in tags_of(live)

    def _made(self, live: Mapping[str, Any]) -> bool:
        """Whether a run made it, or took it up; a name alone does not say so."""
        return made_here(live) or self.policy.owner_tag in tags_of(live)

    def _state_of(self, name: str) -> dict[str, Any]:
        live = self._live[name]
        if not self.content:
            return {"publication": publication(live)}
        wanted = normal_form(self.wanted[name], flows=self._flows)
        form = {**managed_part(normal_form(live, self._index, self._flows), wanted), "publication": publication(live)}
        if live["name"] != name:
            form["name"] = live["name"]
        if self.policy.owner_tag is not None and self._owned(live):
            form["owner_tag"] = self.policy.owner_tag
        return form

    # -- plan

    def plan(self, current: Mapping[str, Any]) -> Plan:
        self._aside, self._astray = {}, set()
        mine = [name for name in self.wanted if not self._left_alone(name)]
        items = {name: self.wanted[name] for name in mine}
        self._unresolved = []
        if self.content:
            self._unresolved = [
                words for item in items.values() for words in unresolved(item, self._index, self._flows)
            ]
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        operations: list[Operation] = []
        takes = handovers(self._live, items) if self.content else {}
        blocking = self._blocking(items)
        self._publisher.freed = bool(takes or blocking)
        order = in_order(items, self._flows, takes) if self.content else sorted(mine)
        lacking, waiting = too_early(order, items, self._flows) if self.content else ({}, set())
        later: list[Operation] = []
        last: list[Operation] = []
        for name in [*self._twins, *self._strays, *order]:
            found, was, becomes = self._decide(name, current.get(name))
            if not found:
                continue
            before.update({name: was} if was is not None else {})
            after.update({name: becomes} if becomes is not None else {})
            if name in self._strays or name in self._twins:
                (last if name in self._strays and name not in blocking else operations).extend(found)
                continue
            now = [step for step in found if name not in waiting or step.verb in steps.AT_ONCE]
            operations += now
            later += steps.link(name, lacking.get(name, ()), now)
            later += [step for step in found if step not in now]
        needs = {name: called_by(item, self._flows) for name, item in items.items()} if self.content else {}
        up = [name for name, live in self._live.items() if running(live)]
        operations = make_way(break_circles([*operations, *later, *last], needs, up), takes)
        up += [item["name"] for item in self._others if running(item)]
        known = {name: {one: calls[one] for one in calls if self._flows.knows(one)} for name, calls in needs.items()}
        self._unresolved += resting_calls(operations, known, up)
        self._refuse_conflicts(mine, operations)
        self._refuse_lost(items)
        return Plan(before, after, tuple(operations), tuple(self.api.warnings or self._unresolved))

    def _blocking(self, items: Mapping[str, Mapping[str, Any]]) -> set[str]:
        """What has to go first, for it answers where another is to answer; the rest goes when all else stands."""
        return {
            name for name, live in self._strays.items() if running(live)
            and any(webhook_conflict(item, [live_version(live)]) for item in items.values())
        }  # fmt: skip

    def _left_alone(self, name: str) -> bool:
        live = self._live.get(name)
        if live is None or self._owned(live) or name in self._unmarked or self.policy.on_existing == "adopt":
            return False
        if self.policy.on_existing == "leave":
            return True
        raise StackError(
            f"workflow '{name}' (id {live['id']}) is in n8n already and does not carry the tag "
            f"'{self.policy.owner_tag}', so it is somebody else's; rename one of them, or set on_existing to adopt, "
            "which overwrites it, or to leave, which passes over it"
        )

    def _decide(self, name: str, seen: Optional[Mapping[str, Any]]) -> tuple[list[Operation], Any, Any]:
        if name in self._twins and seen is not None:
            return steps.removal(name, seen, "absent", ", which another run made at the same moment")
        if name in self._strays and seen is not None:
            return steps.removal(name, seen, self.policy.prune_to, ", which is no longer declared")
        if not self.content:
            return steps.removal(name, seen, self.policy.state) if seen is not None else ([], None, None)
        wanted = self.wanted[name]
        if seen is None:
            return steps.creation(wanted, self.policy, self._flows)
        becomes = steps.wanted_state(wanted, seen, self.policy, self._flows)
        unmarked = name in self._unmarked
        return steps.update(name, seen, becomes, self.policy, secrets=self._secrets, unmarked=unmarked)

    def _refuse_lost(self, items: Mapping[str, Mapping[str, Any]]) -> None:
        """:raises StackError: outside of check mode, where nothing differs but the name that a credential has lost"""
        lost = self.content and any(
            self._index.count(kind, name) == 0 for item in items.values() for _node, kind, name in references(item)
        )
        if lost and not self.api.http.read_only:
            raise StackError(self._unresolved[0], unresolved=self._unresolved)

    def _refuse_conflicts(self, mine: Sequence[str], operations: Sequence[Operation]) -> None:
        """:raises StackError: where two workflows would answer on one path, which n8n says only half way through"""
        if not self.content or self.policy.state == "unpublished":
            return
        left = [item for name, item in self._live.items() if name not in mine]
        alive = [live_version(item) for item in (*self._others, *left) if running(item)]
        touched = {operation.target for operation in operations if operation.verb != "unpublish"} & set(mine)
        live = {name for name, item in self._live.items() if item.get("active")}
        runs = [name for name in mine if self.policy.state == "published" or name in live]
        for name in (name for name in runs if name in touched):
            declared = [self.wanted[other] for other in runs if other != name]
            conflict = webhook_conflict(self.wanted[name], [*alive, *declared])
            tagged = [item for item in self._others if self.policy.owner_tag in tags_of(item)] if conflict else []
            former = alike(self.wanted[name], tagged)
            if former is not None:
                conflict = (
                    f"{conflict}; where '{former['name']}' is its former name, rename it in n8n, or set prune, with "
                    f"which the tag '{self.policy.owner_tag}' is this declaration's alone"
                )
            if conflict:
                raise StackError(conflict)

    # -- apply

    def rehearse(self, plan: Plan) -> None:
        """What a run would stop at before it sends anything, as far as it is no matter of order."""
        self._check_nodes()

    def apply(self, operation: Operation) -> None:
        if self._unresolved:
            raise StackError(self._unresolved[0], unresolved=self._unresolved)
        self._check_nodes()
        try:
            getattr(self, f"_{operation.verb}_one")(operation.target, **operation.args)
        except StackError as error:
            put_back = [self._publisher.put_back(name, live) for name, live in self._aside.items()]
            kind = Moved if isinstance(error, Moved) else StackError
            raise kind("; ".join([str(error), *put_back]), **error.details) from None

    def _check_nodes(self) -> None:
        """:raises StackError: for a node that n8n would store without a word, and refuse only when it is published"""
        if self._checked or not self.content or self.api.missing:
            return
        self._checked = True
        client = self._publisher.session.client()
        known = publishing.node_types(client) if client is not None else None
        wrong = publishing.unknown_nodes(self.wanted.values(), known) if known else []
        if wrong:
            raise StackError(wrong[0], unknown_nodes=wrong)

    def settle(self, plan: Plan) -> Any:
        """What ``plan.after`` named, as it is now; what else differs from the declaration shows up beside it."""
        current = self.observe()
        seen: dict[str, Any] = {}
        for name, expected in plan.after.items():
            if name not in current:
                continue
            if name in self._strays or name in self._twins or not self.content:
                seen[name] = current[name]
                continue
            remaining = changes(
                current[name],
                steps.wanted_state(self.wanted[name], current[name], self.policy, self._flows),
                secrets=self._secrets,
            )
            state = dict(expected)
            state["publication"] = current[name]["publication"]
            if "publication" not in expected:
                state.pop("publication")
            lasting = {path: MISSING if pair[0] is None else readable(pair[0]) for path, pair in remaining.items()}
            seen[name] = {**state, **lasting}
        removed = {operation.target for operation in plan.operations if operation.verb == "delete"}
        seen.update({name: current[name] for name in removed & set(current)})
        return seen

    def result(self, _state: Any) -> dict[str, Any]:
        return {
            "reachable": self.api.reachable,
            "has_api_key": self.api.has_key,
            "workflows": {
                name: {
                    "id": live["id"],
                    "active": bool(live.get("active")),
                    "webhooks": [f"{self.api.url}/webhook/{path}" for path, _methods in webhooks(live)],
                }
                for name, live in sorted(self._live.items())
            },
        }
