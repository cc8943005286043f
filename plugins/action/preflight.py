# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Optional

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.bestviable.planner_memory.plugins.plugin_utils._store import RunStore
from ansible_collections.bestviable.planner_memory.plugins.plugin_utils._variables import (
    names_in_tasks,
    numbered,
    unknown_variables,
    wrong_value,
)


class ActionModule(ActionBase):
    """Remember what is wrong with a role's input; report it all at once."""

    TRANSFERS_FILES = False
    _requires_connection = False

    @classmethod
    def finalize_task_arg(cls, name: str, value: Any, templar: Any, context: Any) -> Any:
        """Leave rules as they are written: each is evaluated alone, and its message only when it does not hold."""
        if name == "rules" and isinstance(value, list):
            return value
        return super().finalize_task_arg(name, value, templar, context)

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        unknown = sorted(set(self._task.args) - {"role", "rules", "report"})
        if unknown:
            raise AnsibleActionFail(f"preflight has no option {unknown[0]}; use role, rules and report")
        role = self._task.args.get("role")
        report = self._task.args.get("report") in (True, "true", "True", "yes")
        rules = self._task.args.get("rules") or []
        if not role and not report:
            raise AnsibleActionFail("preflight needs role, whose input it looks at, or report: true")
        self._warnings: list[str] = []
        store = RunStore("preflight", task_vars.get("inventory_hostname", "localhost"))
        problems: list[str] = store.read()
        if role:
            wrong = self._variables(str(role), task_vars)
            told = tuple(f"{sentence.split()[0]} " for sentence in wrong)
            rest = [one for one in self._rules(str(role), rules) if not (told and one.startswith(told))]
            # What a rule makes of text in place of a list is no news.
            odd = any(" not a list;" in sentence or " not a mapping;" in sentence for sentence in wrong)
            wrong += [one for one in rest if not (odd and f" of role {role} cannot be evaluated: " in one)]
            problems += [one for one in wrong if one not in problems]
        result.update(changed=False, problems=problems)
        if self._warnings:
            result["warnings"] = self._warnings
        if not report:
            store.write(problems)
            return result
        store.clear()
        result["msg"] = numbered(problems) if problems else "nothing is wrong"
        if problems:
            result["failed"] = True
            del result["problems"]
        return result

    def _rules(self, role: str, rules: Any) -> list[str]:
        if not isinstance(rules, list):
            raise AnsibleActionFail(f"the rules of role {role} are not a list")
        sentences = []
        for number, rule in enumerate(rules, 1):
            if not isinstance(rule, Mapping) or set(rule) - {"warn"} != {"that", "msg"}:
                raise AnsibleActionFail(f"rule {number} of role {role} is not a mapping of that, msg and warn")
            sentence = self._rule(f"rule {number} of role {role}", rule)
            if sentence and rule.get("warn") is True:
                self._warnings.append(f"{role}: {sentence}")
            elif sentence:
                sentences.append(sentence)
        return sentences

    def _rule(self, name: str, rule: Mapping[str, Any]) -> str:
        try:
            holds = self._templar.template(rule["that"])
        except AnsibleError as error:
            return f"{name} cannot be evaluated: {_first_line(error)}"
        if holds in ("True", "False"):
            holds = holds == "True"
        if not isinstance(holds, bool):
            return f"{name} gave {type(holds).__name__} instead of true or false; write that as a template"
        if holds:
            return ""
        try:
            return " ".join(str(self._templar.template(rule["msg"])).split())
        except AnsibleError as error:
            return f"{name} does not hold, and its message cannot be written: {_first_line(error)}"

    def _variables(self, role: str, task_vars: Mapping[str, Any]) -> list[str]:
        path = str(task_vars.get("role_path") or "")
        if not path:
            return []
        specs = self._yaml(path, "meta", "argument_specs") or self._yaml(path, "meta", "main")
        options = (((specs or {}).get("argument_specs") or {}).get("main") or {}).get("options") or {}
        siblings = os.listdir(os.path.dirname(path))
        internal = {*self._names(path, "vars"), *self._names(path, "defaults"), *(self._task.vars or {})}
        sentences = unknown_variables(role, task_vars, options, internal, siblings)
        if sentences:
            sentences = unknown_variables(role, task_vars, options, internal | self._made_by_tasks(path), siblings)
        for name, spec in options.items():
            if name not in task_vars:
                if spec.get("required"):
                    sentences.append(f"{name} is required and nowhere set: {_words(spec)}")
                continue
            try:
                value = self._templar.template(task_vars[name])
            except AnsibleError as error:
                sentences.append(f"{name} cannot be worked out: {_first_line(error)}")
                continue
            wrong = wrong_value(name, _plain(value), spec)
            if wrong:
                sentences.append(wrong)
        return sentences

    def _names(self, path: str, folder: str) -> set[str]:
        return set(self._yaml(path, folder, "main") or {})

    def _made_by_tasks(self, path: str) -> set[str]:
        names: set[str] = set()
        tasks = os.path.join(path, "tasks")
        for entry in sorted(os.listdir(tasks)) if os.path.isdir(tasks) else []:
            if entry.endswith((".yml", ".yaml")):
                names |= names_in_tasks(self._read(os.path.join(tasks, entry)))
        return names

    def _yaml(self, path: str, folder: str, name: str) -> Any:
        for ending in (".yml", ".yaml"):
            file = os.path.join(path, folder, name + ending)
            if os.path.exists(file):
                return self._read(file)
        return None

    def _read(self, file: str) -> Any:
        # Called unsafe for being no copy: what is only looked at needs none, and copying took a third of the time.
        return self._loader.load_from_file(file, unsafe=True)


def _words(spec: Mapping[str, Any]) -> str:
    description = spec.get("description") or "set it"
    return str(description[0] if isinstance(description, list) else description).rstrip(".")


def _first_line(error: Exception) -> str:
    return " ".join(str(error).partition("\n")[0].split()).rstrip(".")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value
