# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError

TOP_ORDER = ("name", "services", "networks", "volumes", "configs", "secrets")
SERVICE_ORDER = (
    "image", "build", "container_name", "hostname", "user", "init", "entrypoint", "command", "restart", "depends_on",
    "env_file", "environment", "ports", "expose", "networks", "volumes", "tmpfs", "mem_limit", "memswap_limit", "cpus",
    "read_only", "cap_drop", "cap_add", "security_opt", "healthcheck", "logging", "labels",
)  # fmt: skip
UNIONS = ("security_opt", "cap_drop", "cap_add", "tmpfs")


class _Dumper(yaml.SafeDumper):
    """Indented lists, text blocks for text of several lines, no anchors."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def _plain(value: Any) -> Any:
    """Ansible's tagged and lazy containers as plain Python."""
    return json.loads(json.dumps(value))


def _merged(own: Any, default: Any, key: str = "") -> Any:
    if isinstance(own, dict) and isinstance(default, dict):
        keys = [*own, *(name for name in default if name not in own)]
        return {
            name: _merged(own[name], default[name], name) if name in own and name in default
            else own.get(name, default.get(name))
            for name in keys
        }  # fmt: skip
    if isinstance(own, list) and isinstance(default, list) and key in UNIONS:
        return [*own, *(item for item in default if item not in own)]
    return own


def _ordered(data: dict[str, Any], order: tuple[str, ...]) -> dict[str, Any]:
    known = [key for key in order if key in data]
    return {key: data[key] for key in [*known, *(key for key in data if key not in known)]}


def _read(text: str, name: str) -> dict[str, Any]:
    what = f"the definition of project '{name}'" if name else "the definition"
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark else ""
        raise AnsibleFilterError(f"compose_project: {what} is not YAML{place}: {problem}.") from error
    if not isinstance(data, dict) or not isinstance(data.get("services"), dict):
        raise AnsibleFilterError(f"compose_project: {what} has no 'services'; give it at least one service.")
    for service, body in data["services"].items():
        if not isinstance(body, dict):
            raise AnsibleFilterError(f"compose_project: service '{service}' of {what} is not a mapping of options.")
    return data


def _with_defaults(text: str, defaults: Mapping[str, Any], name: str) -> dict[str, Any]:
    data = _read(text, name)
    plain = _plain(defaults)
    data["services"] = {
        service: _ordered(_merged(body, plain), SERVICE_ORDER) for service, body in data["services"].items()
    }
    return _ordered(data, TOP_ORDER)


def compose_project(project: Any, defaults: Any = None) -> Any:
    """Merge defaults into every service of a Compose definition."""
    if defaults is not None and not isinstance(defaults, Mapping):
        raise AnsibleFilterError(
            f"compose_project: the defaults are a {type(defaults).__name__}; give a mapping of service options."
        )
    if isinstance(project, str):
        return _dump(_with_defaults(str(project), defaults or {}, ""))
    if not isinstance(project, Mapping):
        raise AnsibleFilterError(
            "compose_project wants the text of a definition, or a project with name and definition,"
            f" but got {type(project).__name__}."
        )
    plain = _plain(dict(project))
    if plain.get("definition") is None:
        return plain
    data = _with_defaults(plain["definition"], defaults or {}, str(plain.get("name", "")))
    return {**plain, "definition": _dump(data), "model": json.loads(json.dumps(data, default=str))}


def _dump(data: dict[str, Any]) -> str:
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=1000, allow_unicode=True)


class FilterModule:
    """Jinja2 filters for Compose projects."""

    def filters(self) -> dict[str, Any]:
        return {"compose_project": compose_project}
