# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who wrote the files that Valkey would start from."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.bestviable.planner_memory.plugins.module_utils._live.valkey_files import held

MANIFEST = """file appendonly.aof.2.base.rdb seq 2 type h
file appendonly.aof.3.base.rdb seq 3 type b
file appendonly.aof.3.incr.aof seq 3 type i
"""


def test_nothing_there(tmp_path: Path) -> None:
    assert held(str(tmp_path / "no")) == held(str(tmp_path)) == {"appendonly": None, "dump": None}


def test_the_base_that_the_manifest_names(tmp_path: Path) -> None:
    folder = tmp_path / "appendonlydir"
    folder.mkdir()
    (folder / "appendonly.aof.manifest").write_text(MANIFEST)
    (folder / "appendonly.aof.2.base.rdb").write_bytes(b"REDIS0099")
    (folder / "appendonly.aof.3.base.rdb").write_bytes(b"VALKEY080\xfa\x00")
    (tmp_path / "appendonly.aof").write_bytes(b"REDIS0098")
    (tmp_path / "dump.rdb").write_bytes(b"REDIS0012\xfa")
    assert held(str(tmp_path)) == {
        "appendonly": {"path": "appendonlydir/appendonly.aof.3.base.rdb", "format": "VALKEY080"},
        "dump": {"path": "dump.rdb", "format": "REDIS0012"},
    }


def test_a_log_of_commands_has_no_format(tmp_path: Path) -> None:
    (tmp_path / "appendonly.aof").write_bytes(b"*2\r\n$6\r\nSELECT")
    assert held(str(tmp_path))["appendonly"] == {"path": "appendonly.aof", "format": None}
