from __future__ import annotations

import stat
from pathlib import Path

from ansible_collections.bestviable.planner_memory.plugins.plugin_utils._store import RunStore


def test_each_host_and_each_kind_has_its_own(tmp_path: Path) -> None:
    one = RunStore("checks", "web/1", str(tmp_path))
    other = RunStore("checks", "web2", str(tmp_path))
    assert one.read() == []
    one.write([{"a": 1}])
    assert RunStore("checks", "web/1", str(tmp_path)).read() == [{"a": 1}]
    assert other.read() == [] and RunStore("preflight", "web/1", str(tmp_path)).read() == []
    one.clear()
    one.clear()
    assert one.read() == []


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    RunStore("checks", "h", str(tmp_path)).write(["x"])
    folder = tmp_path / "bestviable.planner_memory"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()] == [0o600]
