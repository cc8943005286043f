# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections import UserDict
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible.template import Templar
from ansible_collections.bestviable.planner_memory.plugins.filter.compose_project import compose_project

DEFAULTS: dict[str, Any] = {
    "restart": "unless-stopped",
    "security_opt": ["no-new-privileges:true"],
    "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
}
TEXT = """\
volumes: {data: {}}
services:
  a:
    restart: "no"
    image: x
    security_opt: [apparmor:unconfined]
    logging: {options: {max-file: "5"}}
  b: {image: y, command: "one\\ntwo"}
"""


def test_own_values_win_and_unions_grow() -> None:
    services = yaml.safe_load(compose_project(TEXT, DEFAULTS))["services"]
    assert services["a"]["restart"] == "no"
    assert services["a"]["security_opt"] == ["apparmor:unconfined", "no-new-privileges:true"]
    assert services["a"]["logging"] == {"driver": "json-file", "options": {"max-file": "5", "max-size": "10m"}}
    assert services["b"]["restart"] == "unless-stopped"
    assert services["b"]["command"] == "one\ntwo"


def test_the_text_reads_well_and_is_stable() -> None:
    text = compose_project(TEXT, DEFAULTS)
    assert text == compose_project(text, DEFAULTS)
    assert text.startswith("services:\n  a:\n    image: x\n    restart: 'no'\n    security_opt:\n      - apparmor")
    assert "&id" not in text
    assert text.rstrip().endswith("volumes:\n  data: {}")


def test_a_project_comes_back_with_its_model() -> None:
    project = compose_project({"name": "p", "definition": TEXT, "env": {"A": 1}}, DEFAULTS)
    assert project["env"] == {"A": 1}
    assert project["model"] == yaml.safe_load(project["definition"])


def test_a_project_without_a_definition_passes() -> None:
    assert compose_project({"name": "p", "state": "absent"}, DEFAULTS) == {"name": "p", "state": "absent"}


def test_the_lazy_containers_of_a_template_become_plain() -> None:
    templar = Templar(variables={"text": TEXT, "defaults": DEFAULTS, "projects": [{"name": "p", "definition": TEXT}]})
    expression = "{{ projects | map('bestviable.planner_memory.compose_project', defaults) | list }}"
    assert templar.template(_trusted(expression))[0]["model"]["services"]["b"]["restart"] == "unless-stopped"


def _trusted(text: str) -> Any:
    from ansible.template import trust_as_template

    return trust_as_template(text)


@pytest.mark.parametrize(
    ("project", "defaults", "sentence"),
    [
        ("a: [", {}, "the definition is not YAML at line"),
        ("a: 1", {}, "the definition has no 'services'"),
        ({"name": "p", "definition": "services: {a: 1}"}, {}, "service 'a' of the definition of project 'p'"),
        (5, {}, "wants the text of a definition, or a project"),
        ("services: {}", [1], "the defaults are a list"),
    ],
)
def test_mistakes_are_told(project: Any, defaults: Any, sentence: str) -> None:
    with pytest.raises(AnsibleFilterError, match="compose_project") as told:
        compose_project(project, defaults)
    assert sentence in str(told.value)


def test_any_mapping_is_a_project() -> None:
    assert compose_project(UserDict({"name": "p", "definition": "services: {a: {image: x}}"}))["name"] == "p"
