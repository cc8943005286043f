# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with a role's variables, in sentences that never carry a secret."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import ArgumentTypeError, ArgumentValueError, RequiredError

SECRET_NAME = re.compile(r"password|passwd|secret|token|api_?key|credential|private_key", re.IGNORECASE)
WORDS_OF_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a mapping",
    "str": "a string",
    "path": "a path",
}
LONGEST_VALUE = 60


def names_in_tasks(tasks: Any) -> set[str]:
    """Variables that tasks make themselves: register, set_fact, vars, loop_var."""
    found: set[str] = set()
    if isinstance(tasks, list):
        for task in tasks:
            found |= names_in_tasks(task)
    elif isinstance(tasks, Mapping):
        for key, value in tasks.items():
            short = str(key).rsplit(".", 1)[-1]
            if short in ("register", "loop_var", "index_var") and isinstance(value, str):
                found.add(value)
            elif short in ("set_fact", "vars") and isinstance(value, Mapping):
                found |= {str(name) for name in value}
            if isinstance(value, (list, Mapping)):
                found |= names_in_tasks(value)
    return found


def unknown_variables(
    role: str, present: Iterable[str], options: Iterable[str], internal: Iterable[str], other_roles: Iterable[str] = ()
) -> list[str]:
    """A sentence for every variable that looks like this role's and is not."""
    options = sorted(options)
    known = {*options, *internal}
    longer = tuple(f"{name}_" for name in other_roles if name.startswith(f"{role}_"))
    sentences = []
    for name in sorted(present):
        if not name.startswith(f"{role}_") or name in known or (longer and name.startswith(longer)):
            continue
        near = difflib.get_close_matches(name, options, n=1, cutoff=0.6)
        advice = f"did you mean {near[0]}?" if near else f"role {role} has {', '.join(options) or 'no variables'}"
        sentences.append(f"unknown variable {name}: {advice}")
    return sentences


def holds_secrets(name: str, spec: Mapping[str, Any]) -> bool:
    """Whether a value of this option, or any part of it, must not be shown."""
    no_log = spec.get("no_log")
    if no_log or (no_log is None and SECRET_NAME.search(name)):
        return True
    return any(holds_secrets(key, value) for key, value in (spec.get("options") or {}).items())


def wrong_value(name: str, value: Any, spec: Mapping[str, Any]) -> Optional[str]:
    """What is wrong with the value of one variable, in one sentence."""
    checked = {key: item for key, item in spec.items() if key != "default"}
    if isinstance(value, str) and spec.get("type") in ("list", "dict"):  # a module would take it apart, a role does not
        return _sentence(name, value, checked, ArgumentTypeError(""))
    errors = list(ArgumentSpecValidator({name: checked}).validate({name: value}).errors)
    return _sentence(name, value, checked, errors[0]) if errors else None


def _sentence(name: str, value: Any, spec: Mapping[str, Any], error: Exception) -> str:
    secret = holds_secrets(name, spec)
    outer = type(error) in (ArgumentTypeError, ArgumentValueError) and f"{name}." not in str(error)
    if outer and not isinstance(value, (Mapping, list)):
        shown = f"{name} has a value that" if secret else f"{name} is {_shown(value)}, which"
        kind = str(spec.get("type", "str"))
        wanted = (
            f"one of {', '.join(map(str, spec['choices']))}"
            if spec.get("choices") and isinstance(error, ArgumentValueError)
            else WORDS_OF_TYPES.get(kind, f"of type {kind}")
        )
        return f"{shown} is not {wanted}; correct it where you set it"
    if isinstance(error, RequiredError):
        return f"{name} lacks what it needs: {error}"
    words = str(error)
    if secret:
        for leaf in sorted({str(one) for one in _leaves(value)} - {""}, key=len, reverse=True):
            words = words.replace(leaf, "***")
    return f"{name} is not as it has to be: {words.rstrip('.')}"


def _shown(value: Any) -> str:
    text = repr(str(value)) if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [] if value is None or isinstance(value, bool) else [value]


def numbered(problems: list[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    return "\n".join([f"{len(problems)} things are wrong:"] + [f"{n}. {one}" for n, one in enumerate(problems, 1)])
