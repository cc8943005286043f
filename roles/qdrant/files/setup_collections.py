# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the Qdrant collections as the role does, without Ansible.

The definitions are the role's (defaults/main.yml beside this script, or a file of your own), and so is the code that
plans and carries out; the connection is Qdrant's own client. It needs the Python libraries qdrant-client and PyYAML.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, Optional

HERE = Path(__file__).resolve()
ROLE_DEFAULTS = HERE.parents[1] / "defaults" / "main.yml"
COLLECTION = HERE.parents[3]
DONE, FAILED, MISUSED, WOULD_CHANGE = 0, 1, 2, 3
EXIT_CODES = (
    "exit codes: 0 everything is as declared, 1 failed, 2 wrong use or definitions, 3 --check found differences"
)


def _find_our_code() -> None:
    """An installed collection lies in ansible_collections/NAMESPACE/NAME; a checkout has that as a link."""
    installed = COLLECTION.parents[1].name == "ansible_collections"
    sys.path.insert(0, str(COLLECTION.parents[2] if installed else COLLECTION / "collections"))


def arguments(argv: Optional[list[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="setup_collections.py", description=__doc__, epilog=EXIT_CODES)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--url", help="the server (default: $QDRANT_URL or http://127.0.0.1:6333)")
    where.add_argument("--path", help="a folder instead of a server, for trying out")
    parser.add_argument(
        "--api-key", help="better in the environment as QDRANT_API_KEY, where process lists do not show it"
    )
    parser.add_argument(
        "--definitions", type=Path, default=ROLE_DEFAULTS, help="YAML with qdrant_collections, or a list"
    )
    parser.add_argument("--only", action="append", metavar="NAME", help="this collection only; may be given again")
    parser.add_argument("--check", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--diff", action="store_true", help="show the managed fields before and after")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds for each answer (default: 30)")
    parser.add_argument("--wait-timeout", type=float, default=300.0, help="seconds to wait for green (default: 300)")
    return parser.parse_args(argv)


def definitions(file: Path, only: Optional[list[str]]) -> list[dict[str, Any]]:
    """:raises ValueError: one sentence about what is wrong with the file"""
    try:
        import yaml
    except ImportError:
        raise ValueError("the Python library PyYAML is missing; install it with pip install pyyaml") from None
    from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.declaration import COLLECTION_SPEC

    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"{file} cannot be read: {' '.join(str(error).split())}") from None
    rows = data.get("qdrant_collections") if isinstance(data, dict) else data
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.get("name") for row in rows):
        raise ValueError(f"{file} has no qdrant_collections, a list of collections that each have a name")
    names = [str(row["name"]) for row in rows]
    for name in only or []:
        if name not in names:
            raise ValueError(f"--only is {name!r}, which {file} does not define; it has {', '.join(names)}")
    for row in rows:
        unknown = sorted(str(key) for key in row if key not in ("name", *COLLECTION_SPEC))
        if unknown:
            raise ValueError(f"{file}: {row['name']} has the unknown key {unknown[0]!r}")
    return [row for row in rows if only is None or str(row["name"]) in only]


def main(argv: Optional[list[str]] = None) -> int:
    asked = arguments(argv)
    _find_our_code()
    from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError
    from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.declaration import (
        desired_from_params,
    )
    from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.resource import Collections
    from ansible_collections.bestviable.planner_memory.plugins.module_utils._qdrant.sdk import Embedded, connect_sdk
    from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import reconcile

    try:
        desired = desired_from_params({"collections": definitions(asked.definitions, asked.only)})
        if not asked.timeout > 0:
            raise ValueError(f"--timeout is {asked.timeout:g}; it is a number of seconds above 0")
        if not asked.wait_timeout >= 0:
            raise ValueError(f"--wait-timeout is {asked.wait_timeout:g}; it is 0 or more seconds")
    except (ValueError, StackError) as error:
        return _told(MISUSED, error)
    try:
        if asked.path:
            client: Any = Embedded(asked.path, read_only=asked.check)
        else:
            url = asked.url or os.environ.get("QDRANT_URL") or "http://127.0.0.1:6333"
            key = asked.api_key or os.environ.get("QDRANT_API_KEY")
            client = connect_sdk(url, key, asked.timeout, read_only=asked.check)
        resource = Collections(client, desired, wait_seconds=asked.wait_timeout)
        result = reconcile(resource, check_mode=asked.check)
    except StackError as error:
        return _told(FAILED, error)
    finally:
        if asked.path and "client" in locals():
            client.close()
    _report(result, asked)
    return WOULD_CHANGE if asked.check and result["changed"] else DONE


def _told(code: int, error: Exception) -> int:
    print(f"setup_collections: {error}", file=sys.stderr)
    return code


def _report(result: dict[str, Any], asked: argparse.Namespace) -> None:
    for warning in result["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)
    for words in result["actions"]:
        print(f"would {words}" if asked.check else words)
    if not result["actions"]:
        print("nothing to do")
    if asked.diff and result["changed"]:
        for side, mark in (("before", "-"), ("after", "+")):
            for name, fields in sorted(result["diff"][side].items()):
                if result["diff"]["before"][name] != result["diff"]["after"][name]:
                    print(f"{mark} {name}: {json.dumps(fields, sort_keys=True)}")


if __name__ == "__main__":
    sys.exit(main())
