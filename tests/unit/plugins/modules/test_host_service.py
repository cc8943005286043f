# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of the host, in folders of the test's own, without systemd and with one that is played."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._live import services

from tests.support.law import Law
from tests.support.run_module import ModuleFailed, run_module

CONTROL = """#!/bin/sh
here=$(dirname "$0")
case $1 in
  start) cat "$here/control" "$here/rules" > "$here/../../loaded"; echo start >> "$here/../../calls" ;;
  stop) rm -f "$here/../../loaded"; echo stop >> "$here/../../calls" ;;
  status) echo '{"table": "loaded"}'; cat "$here/control" "$here/rules" | cmp -s - "$here/../../loaded" ;;
esac
"""
UNIT = "[Service]\nExecStart=/bin/true\n"


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(services, "HOME", str(tmp_path / "lib"))
    monkeypatch.setattr(services, "UNITS", str(tmp_path / "units"))
    monkeypatch.setattr(services, "systemd_runs", lambda: False)
    monkeypatch.setattr(services, "PATIENCE", 0.0)
    return tmp_path


def present(rules: str = "one\n", **more: Any) -> dict[str, Any]:
    files = [{"name": "control", "content": CONTROL, "mode": "0755"}, {"name": "rules", "content": rules}]
    return {"name": "firewall", "unit": UNIT, "files": files, **more}


def test_the_law(folders: Path) -> None:
    def independent_read() -> dict[str, str]:
        return {
            str(path.relative_to(folders)): path.read_text()
            for path in folders.rglob("*")
            if path.is_file() and path.name != "calls"
        }

    Law(
        module="host_service",
        create=present(),
        update=present("two\n"),
        delete={"name": "firewall", "state": "absent"},
        independent_read=independent_read,
        drift=lambda: (folders / "loaded").write_text("somebody else's"),
        drift_words="start firewall",
    ).hold()
    assert list((folders / "lib").iterdir()) == [], "the folder stayed"


def test_a_host_without_systemd_is_told_of(folders: Path) -> None:
    assert "does not come back after a reboot" in run_module("host_service", present())["warnings"][0]
    assert run_module("host_service", present())["warnings"] == []


def test_a_file_that_is_not_named_goes(folders: Path) -> None:
    run_module("host_service", present())
    (folders / "lib/firewall/old").write_text("x")
    done = run_module("host_service", present())
    assert done["actions"] == [f"remove {folders}/lib/firewall/old", "restart firewall"]


def test_a_service_that_does_not_start_says_why() -> None:
    broken = present()
    broken["files"][0]["content"] = "#!/bin/sh\necho the kernel refuses; exit 1\n"
    with pytest.raises(ModuleFailed, match="firewall does not start: the kernel refuses"):
        run_module("host_service", broken)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": "../etc"}, "cannot name a service"),
        ({"files": []}, "has no 'control'"),
        ({"unit": " "}, "unit of firewall is empty"),
        ({"files": [{"name": "a/b", "content": ""}]}, "without a folder"),
        ({"files": [{"name": "control", "content": "", "mode": "755"}]}, "four octal digits"),
    ],
)
def test_a_wrong_description_is_told_before_anything_is_touched(
    folders: Path, wrong: dict[str, Any], words: str
) -> None:
    with pytest.raises(ModuleFailed, match=words):
        run_module("host_service", present(**wrong))
    assert list(folders.iterdir()) == []


class Systemd:
    """Plays systemctl: what is enabled, and every call."""

    def __init__(self) -> None:
        self.enabled = False
        self.calls: list[str] = []

    def __call__(self, argv: Any, timeout: float = 5.0) -> tuple[int, str]:
        if argv[0] != "systemctl":
            return REAL(argv, timeout)
        if argv[1] == "is-enabled":
            return 0, "enabled\n" if self.enabled else "disabled\n"
        self.calls.append(" ".join(argv[1:]))
        if argv[1] in ("enable", "disable"):
            self.enabled = argv[1] == "enable"
        elif argv[1] in ("restart", "stop"):
            REAL([services.path_of("firewall"), "start" if argv[1] == "restart" else "stop"], 5.0)
        return 0, ""


REAL = services.run


def test_with_systemd_it_is_enabled_and_restarted(monkeypatch: pytest.MonkeyPatch, folders: Path) -> None:
    systemd = Systemd()
    monkeypatch.setattr(services, "systemd_runs", lambda: True)
    monkeypatch.setattr(services, "run", systemd)
    files = (
        run_module.__globals__["importlib"]
        .import_module("ansible_collections.bestviable.planner_memory.plugins.modules.host_service")
        ._Files
    )

    def bring(state: str = "present") -> list[str]:
        systemd.calls.clear()
        what = present()
        wanted = services.wanted_of("firewall", what["unit"], what["files"], state)
        resource = services.HostService(wanted, files, systemd)
        plan = resource.plan(resource.observe())
        for step in plan.operations:
            resource.apply(step)
        assert resource.settle(plan) == plan.after
        return list(systemd.calls)

    unit = "planner-memory-firewall.service"
    assert bring() == ["daemon-reload", f"enable {unit}", f"restart {unit}"]
    assert bring() == []
    assert services.installed()["firewall"]["enabled"] is True
    assert bring("absent") == [f"stop {unit}", f"disable {unit}", "daemon-reload"]
    assert bring("absent") == []


def test_what_host_info_saw_tells_whether_there_is_work() -> None:
    wanted = services.wanted_of("firewall", UNIT, present()["files"])
    assert services.differs(wanted, None)
    run_module("host_service", present())
    assert services.differs(wanted, services.installed()["firewall"]) == []
    gone = services.wanted_of("firewall", "", [], "absent")
    assert services.differs(gone, services.installed()["firewall"])
    assert services.differs(gone, None) == []
    Path(services.path_of("firewall", "rules")).write_text("changed")
    assert len(services.differs(wanted, services.installed()["firewall"])) == 2, "the file, and that it is not in force"
