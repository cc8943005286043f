"""The workflows of the role n8n, as Ansible renders them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLE = Path(__file__).resolve().parents[2] / "roles" / "n8n"


def role_variables(**over: Any) -> dict[str, Any]:
    """Defaults and variables of the role, not yet templated, with some of them set."""
    loader = DataLoader()
    variables: dict[str, Any] = {}
    for folder in ("defaults", "vars"):
        variables.update(loader.load_from_file(str(ROLE / folder / "main.yml"), trusted_as_template=True))
    return {**variables, "role_path": str(ROLE), "ansible_search_path": [str(ROLE)], **over}


def rendered(expression: str, **over: Any) -> Any:
    """What Ansible makes of an expression in the role."""
    loader = DataLoader()
    loader.set_basedir(str(ROLE))
    return Templar(loader, role_variables(**over)).template(trust_as_template(expression))


def role_workflows(*names: str, **over: Any) -> dict[str, dict[str, Any]]:
    """Definitions by name; all of the role without names."""
    if names:
        over["n8n_workflows"] = list(names)
    return {one["name"]: one for one in rendered("{{ n8n_definitions }}", **over)}


def role_checks(**over: Any) -> list[dict[str, Any]]:
    """What the role's verify says has to hold, with its probes."""
    loader = DataLoader()
    loader.set_basedir(str(ROLE))
    found: list[dict[str, Any]] = []
    for file in ("verify_webhooks.yml", "verify.yml", "verify_retries.yml"):
        for task in loader.load_from_file(str(ROLE / "tasks" / file), trusted_as_template=True):
            if "bestviable.planner_memory.spec_check" in task:
                variables = role_variables(**{**task.get("vars", {}), **over})
                found += Templar(loader, variables).template(task["bestviable.planner_memory.spec_check"]["checks"])
    return found
