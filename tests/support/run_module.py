"""Run a whole module in this process, as Ansible would call it."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
from typing import Any
from unittest import mock

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

MODULES = "ansible_collections.bestviable.planner_memory.plugins.modules"


class ModuleFailed(Exception):
    """The module called fail_json; ``result`` is what it gave."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result.get("msg", ""))
        self.result = result


def run_module(name: str, params: dict[str, Any], *, check: bool = False, diff: bool = True) -> dict[str, Any]:
    """Call ``main()`` of a module and return its result, with its own ``warnings`` as a list of sentences.

    Ansible hands warnings to its display instead, once a test of this process has loaded the controller.

    :raises ModuleFailed: when the module failed
    """
    module = importlib.import_module(f"{MODULES}.{name}")
    args = {**params, "_ansible_check_mode": check, "_ansible_diff": diff}
    out = io.StringIO()
    warnings: list[str] = []
    with (
        patch_module_args(args),
        mock.patch.object(AnsibleModule, "warn", lambda _self, warning, **_kwargs: warnings.append(warning)),
        contextlib.redirect_stdout(out),
        contextlib.suppress(SystemExit),
    ):
        module.main()
    result = {**json.loads(out.getvalue()), "warnings": warnings}
    if result.get("failed"):
        raise ModuleFailed(result)
    return result
