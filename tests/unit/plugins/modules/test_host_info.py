from __future__ import annotations

from pathlib import Path

from tests.support.run_module import run_module


def test_the_documented_shape_is_the_real_one(tmp_path: Path) -> None:
    import yaml
    from ansible_collections.bestviable.planner_memory.plugins.modules import host_info

    result = run_module("host_info", {"docker_socket": str(tmp_path / "docker.sock")}, check=True)
    documented = yaml.safe_load(host_info.RETURN)["host"]["contains"]
    assert set(result["host"]) == set(documented)
    assert set(result["host"]["engine"]) == set(documented["engine"]["contains"])
    assert not result["changed"]
