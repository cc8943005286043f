from __future__ import annotations

import difflib
import json
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.support.engine_socket import EngineSocket, engine_socket
from tests.support.inventories import stored
from tests.support.run_module import ModuleFailed, run_module

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures/service_inventory"
CASES = sorted(path for path in FIXTURES.glob("*.md") if not path.name.endswith(".expected.md"))
ARCHON = {
    "name": "Archon",
    "containers": ["archon-server", "archon-ui", "archon-mcp"],
    "state": "deprecated",
    "date": "2025-12-01",
    "reason": "Replaced by Planner & Memory Architecture system",
    "archive": "/home/david/services/archive/archon-20251201.yml",
}
VALKEY = {
    "name": "Valkey",
    "containers": ["valkey"],
    "image": "valkey/valkey:8.1.1",
    "networks": ["docker_syncbricks"],
    "limits": {"memory": "200m", "cpus": "0.5"},
    "health": "redis-cli ping every 10s",
    "status": "Running",
    "purpose": "Short-term memory cache",
    "location": "/home/david/services/valkey",
}

# What the engine says of it.
SEEN = {
    "Name": "/valkey",
    "Config": {
        "Image": "valkey/valkey:8.1.1",
        "Healthcheck": {"Test": ["CMD", "redis-cli", "ping"], "Interval": 10_000_000_000},
        "Labels": {"com.docker.compose.project.working_dir": "/home/david/services/valkey"},
    },
    "HostConfig": {"Memory": 209715200, "NanoCpus": 500000000},
    "NetworkSettings": {"Networks": {"docker_syncbricks": {}}},
    "State": {"Status": "running", "Pid": 8, "StartedAt": "2025-12-01T10:00:00Z"},
}


def run(path: Path, *services: dict[str, Any], check: bool = False, **params: Any) -> dict[str, Any]:
    given = {"path": str(path), "services": list(services), "last_updated": "2025-12-02", **params}
    return run_module("service_inventory", given, check=check)


def note_of(path: Path) -> Path:
    return path.parent / f".{path.name}.planner_memory.json"


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "SERVICE_INVENTORY.md"
    path.write_bytes(stored(FIXTURES / "plain.md"))
    return path


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_scenario_10_3_changes_the_intended_lines_and_no_byte_more(case: Path, tmp_path: Path) -> None:
    path = tmp_path / "SERVICE_INVENTORY.md"
    before = stored(case)
    wanted = stored(case.with_name(f"{case.stem}.expected.md"))
    path.write_bytes(before)

    predicted = run(path, ARCHON, check=True)
    assert path.read_bytes() == before and not note_of(path).exists()
    result = run(path, ARCHON)
    assert path.read_bytes() == wanted
    assert (result["actions"], result["diff"]) == (predicted["actions"], predicted["diff"])
    assert result["diff"] == {"before": before.decode(), "after": wanted.decode()}

    written = path.stat().st_mtime_ns
    again = run(path, ARCHON)
    assert not again["changed"] and again["actions"] == [] and again["warnings"] == []
    assert path.stat().st_mtime_ns == written


def test_there_are_a_dozen_odd_inventories_and_more() -> None:
    assert len(CASES) >= 12


def lines_of_diff(result: dict[str, Any]) -> list[str]:
    pair = (result["diff"][side].splitlines() for side in ("before", "after"))
    return [line for line in difflib.ndiff(*pair) if line[0] in "+-"]


def test_a_new_service_gets_the_next_number_below_the_last_section(inventory: Path) -> None:
    result = run(inventory, VALKEY)
    assert lines_of_diff(result) == [
        "- **Last Updated**: 2025-11-20",
        "+ **Last Updated**: 2025-12-02",
        "+ ",
        "+ ### 4. Valkey",
        "+ ",
        "+ **Container**: valkey",
        "+ **Image**: valkey/valkey:8.1.1",
        "+ **Networks**: docker_syncbricks",
        "+ **Limits**: 200m memory, 0.5 CPUs",
        "+ **Health**: redis-cli ping every 10s",
        "+ **Status**: Running",
        "+ **Purpose**: Short-term memory cache",
        "+ **Location**: /home/david/services/valkey",
    ]
    assert not run(inventory, VALKEY)["changed"]
    assert stat.S_IMODE(note_of(inventory).stat().st_mode) == 0o600


def test_what_was_added_goes_again_and_leaves_the_file_as_it_was(inventory: Path) -> None:
    before = inventory.read_bytes()
    run(inventory, VALKEY)
    result = run(inventory, {"name": "Valkey", "state": "absent"})
    assert inventory.read_bytes() == before.replace(b"2025-11-20", b"2025-12-02")
    assert "Valkey, line 38: remove section 'Valkey'" in result["actions"]
    assert json.loads(note_of(inventory).read_text()) == {"services": {}}
    assert not run(inventory, {"name": "Valkey", "state": "absent"})["changed"]


@pytest.mark.parametrize("end", ["\n", "", "\n\n\n", "\n\n## Notes\n\nWords.\n", "\n\n---\n\n*End*"])
@pytest.mark.parametrize("ruled", [False, True])
def test_adding_and_removing_are_inverse_in_every_style(tmp_path: Path, end: str, ruled: bool) -> None:
    path = tmp_path / "inventory.md"
    rule = "---\n\n" if ruled else ""
    first, second = (f"### {n}. {s}\n- **Container:** {s}  \n- **Status:** up" for n, s in ((1, "A"), (2, "B")))
    text = f"# I\n\n{first}\n\n{rule}{second}"
    path.write_bytes((text + end).encode())
    run(path, {"name": "C", "image": "c:1", "status": "up"})
    new = f"\n\n{rule}### 3. C\n- **Image:** c:1  \n- **Status:** up  "
    assert path.read_text() == text + new + end
    run(path, {"name": "C", "state": "absent"})
    assert path.read_text().rstrip("\n") == (text + end).rstrip("\n")


def test_the_first_service_of_an_empty_inventory(tmp_path: Path) -> None:
    path = tmp_path / "inventory.md"
    path.write_text("")
    run(path, {"name": "C", "image": "c:1"})
    assert path.read_text() == "### 1. C\n\n**Image**: c:1\n"


def test_several_new_services_follow_each_other(tmp_path: Path, inventory: Path) -> None:
    path = tmp_path / "inventory.md"
    path.write_text("")
    services = [{"name": "C", "image": "c:1"}, {"name": "D", "image": "d:1"}]
    run(path, *services)
    assert path.read_text() == "### 1. C\n\n**Image**: c:1\n\n### 2. D\n\n**Image**: d:1\n"
    run(inventory, *services)
    assert inventory.read_text().endswith("### 4. C\n\n**Image**: c:1\n\n### 5. D\n\n**Image**: d:1\n")
    assert not run(inventory, *services)["changed"]


def test_lines_of_the_last_section_stay_in_it_where_new_ones_follow(inventory: Path) -> None:
    run(
        inventory, {"name": "C", "image": "c:1"}, {"name": "n8n", "location": "/srv/n8n"}, {"name": "D", "image": "d:1"}
    )
    new = "\n\n### 4. C\n\n**Image**: c:1\n\n### 5. D\n\n**Image**: d:1\n"
    assert inventory.read_text().endswith(f"\n**Location**: /srv/n8n{new}")
    above = inventory.read_text().removesuffix(f"\n**Location**: /srv/n8n{new}")
    assert above.rsplit("### ", 1)[1].startswith("3. n8n")


def test_a_section_is_kept_current(inventory: Path) -> None:
    run(inventory, VALKEY)
    newer = {**VALKEY, "image": "valkey/valkey:8.1.2", "purpose": None}
    result = run(inventory, newer)
    assert lines_of_diff(result) == [
        "- **Image**: valkey/valkey:8.1.1",
        "+ **Image**: valkey/valkey:8.1.2",
        "- **Purpose**: Short-term memory cache",
    ]
    assert not run(inventory, newer)["changed"]


def test_a_section_of_somebody_else_is_taken_over_line_by_line(inventory: Path) -> None:
    result = run(inventory, {"name": "n8n", "image": "n8nio/n8n:2.40.7", "status": "Running", "purpose": "Workflows"})
    assert lines_of_diff(result)[2:] == ["+ **Image**: n8nio/n8n:2.40.7", "+ **Purpose**: Workflows"]


def test_facts_of_the_running_container_make_the_section(inventory: Path) -> None:
    run(inventory, {"name": "Valkey", "inspect": [SEEN], "purpose": VALKEY["purpose"]})
    assert not run(inventory, VALKEY)["changed"]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EngineSocket]:
    with engine_socket(str(tmp_path / "docker.sock"), {"valkey": SEEN}) as server:
        yield server


DEPLOYED = {"name": "Valkey", "containers": ["valkey"], "deployed": True, "purpose": VALKEY["purpose"]}


def test_what_is_deployed_is_asked_of_the_engine_once(inventory: Path, engine: EngineSocket) -> None:
    n8n = {"name": "n8n", "deployed": True}
    predicted = run(inventory, DEPLOYED, n8n, check=True, docker_socket=engine.server_address)
    result = run(inventory, DEPLOYED, n8n, docker_socket=engine.server_address)
    assert engine.asked == ["/containers/valkey/json", "/containers/n8n/json"] * 2
    assert (result["diff"], result["actions"]) == (predicted["diff"], predicted["actions"])
    assert result["warnings"] == ["n8n has no container (n8n); its section stays as it is"]
    assert "### 3. n8n\n" in inventory.read_text()
    assert not run(inventory, VALKEY)["changed"]
    engine.containers["valkey"] = {**SEEN, "State": {"Status": "running", "Pid": 9, "StartedAt": "later"}}
    assert not run(inventory, DEPLOYED, docker_socket=engine.server_address)["changed"]
    engine.containers["valkey"] = {**SEEN, "Config": {**SEEN["Config"], "Image": "valkey/valkey:8.1.2"}}
    newer = run(inventory, DEPLOYED, docker_socket=engine.server_address)
    assert lines_of_diff(newer) == ["- **Image**: valkey/valkey:8.1.1", "+ **Image**: valkey/valkey:8.1.2"]


def test_a_check_run_predicts_containers_that_are_yet_to_be_made(inventory: Path, tmp_path: Path) -> None:
    definition = {
        "container_name": "valkey",
        "image": "valkey/valkey:8.1.1",
        "networks": ["docker_syncbricks"],
        "mem_limit": "200m",
        "cpus": 0.5,
        "healthcheck": {"test": ["CMD", "redis-cli", "ping"], "interval": "10s"},
    }
    bare = str(tmp_path / "none.sock")
    told = {**DEPLOYED, "definition": definition, "location": VALKEY["location"]}
    predicted = run(inventory, told, check=True, docker_socket=bare)
    with engine_socket(str(tmp_path / "docker.sock"), {"valkey": SEEN}) as engine:
        real = run(inventory, DEPLOYED, docker_socket=engine.server_address)
    assert (real["diff"], real["actions"]) == (predicted["diff"], predicted["actions"])


def test_an_engine_that_does_not_answer_is_told_and_nothing_is_written(inventory: Path, tmp_path: Path) -> None:
    before = inventory.read_bytes()
    with pytest.raises(ModuleFailed, match=r"the Docker engine does not answer on .*/none\.sock"):
        run(inventory, DEPLOYED, docker_socket=str(tmp_path / "none.sock"))
    assert inventory.read_bytes() == before


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_lines_of_a_person_are_merged(inventory: Path) -> None:
    run(inventory, VALKEY)
    edit(inventory, "**Purpose**: Short-term memory cache", "A note.\n**Purpose**: Cache of the gateway")
    newer = {**VALKEY, "image": "valkey/valkey:8.1.2"}
    result = run(inventory, newer)
    assert lines_of_diff(result) == ["- **Image**: valkey/valkey:8.1.1", "+ **Image**: valkey/valkey:8.1.2"]
    assert result["warnings"] == [
        "Valkey, Purpose (line 47): a person wrote 'Cache of the gateway' where this task has "
        "'Short-term memory cache'; that is kept, set hand_edits to replace to undo it"
    ]
    assert not run(inventory, newer)["changed"]
    undone = run(inventory, newer, hand_edits="replace")
    assert lines_of_diff(undone) == [
        "- **Purpose**: Cache of the gateway",
        "+ **Purpose**: Short-term memory cache",
    ]


def test_a_line_that_a_person_removed_stays_away(inventory: Path) -> None:
    run(inventory, VALKEY)
    edit(inventory, "**Health**: redis-cli ping every 10s\n", "")
    result = run(inventory, VALKEY)
    assert not result["changed"] and "a person removed the line" in result["warnings"][0]


def test_a_section_that_a_person_removed_comes_back(inventory: Path) -> None:
    before = inventory.read_bytes()
    run(inventory, VALKEY)
    after = inventory.read_bytes()
    inventory.write_bytes(before)
    run(inventory, VALKEY)
    assert inventory.read_bytes() == after


def test_a_conflict_shows_both_texts_and_writes_nothing(inventory: Path) -> None:
    run(inventory, VALKEY)
    edit(inventory, "valkey/valkey:8.1.1", "valkey/valkey:9.0-rc1")
    before, note = inventory.read_bytes(), note_of(inventory).read_bytes()
    for check in (True, False):
        with pytest.raises(ModuleFailed) as failed:
            run(inventory, {"name": "n8n", "purpose": "x"}, {**VALKEY, "image": "valkey/valkey:8.1.2"}, check=check)
        assert failed.value.result["msg"] == (
            f"{inventory} was edited by hand where this task changes it too: Valkey, Image (line 41): "
            "ours 'valkey/valkey:8.1.2', theirs 'valkey/valkey:9.0-rc1'; make these lines agree, "
            "or set hand_edits to replace"
        )
        assert failed.value.result["conflicts"] == [
            {
                "service": "Valkey",
                "key": "Image",
                "line": 41,
                "base": "valkey/valkey:8.1.1",
                "ours": "valkey/valkey:8.1.2",
                "theirs": "valkey/valkey:9.0-rc1",
            }
        ]
    assert (inventory.read_bytes(), note_of(inventory).read_bytes()) == (before, note)
    run(inventory, {**VALKEY, "image": "valkey/valkey:8.1.2"}, hand_edits="replace")
    assert b"9.0-rc1" not in inventory.read_bytes()


def test_words_of_a_person_are_not_removed_with_our_section(inventory: Path) -> None:
    run(inventory, VALKEY)
    edit(inventory, "**Image**: valkey", "Ask Ann before a restart.\n**Image**: valkey")
    with pytest.raises(ModuleFailed, match=r"a line \(line 41\): ours no line, theirs 'Ask Ann before a restart.'"):
        run(inventory, {"name": "Valkey", "state": "absent"})
    run(inventory, {"name": "Valkey", "state": "absent"}, hand_edits="replace")
    assert b"Valkey" not in inventory.read_bytes()


def test_a_service_comes_back_from_deprecation(inventory: Path) -> None:
    run(inventory, ARCHON)
    result = run(inventory, {"name": "Archon", "containers": ARCHON["containers"], "status": "Running"})
    text = inventory.read_text()
    assert "DEPRECATED" not in text and "Replaced by" not in text and "archon-20251201" not in text
    assert "| Archon | archon-server | Running" in text and result["changed"]


def test_removing_takes_sections_and_rows(inventory: Path) -> None:
    result = run(inventory, {"name": "Archon", "state": "absent"})
    removed = [line for line in lines_of_diff(result) if line.startswith("- ")]
    assert len(removed) == 11 and "### 3. n8n" in inventory.read_text() and "rchon" not in inventory.read_text()


def test_mode_stays_and_a_copy_is_kept_when_asked(inventory: Path) -> None:
    before = inventory.read_bytes()
    inventory.chmod(0o640)
    result = run(inventory, ARCHON, backup=True)
    assert Path(result["backup_file"]).read_bytes() == before
    assert stat.S_IMODE(inventory.stat().st_mode) == 0o640
    again = run(inventory, ARCHON, backup=True)
    assert "backup_file" not in again and "backup_file" not in run(inventory, VALKEY, backup=True, check=True)


def test_a_link_stays_a_link(inventory: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.md"
    link.symlink_to(inventory)
    run(link, ARCHON)
    assert link.is_symlink() and "DEPRECATED" in inventory.read_text() and note_of(inventory).exists()


def test_an_interrupted_run_is_finished_by_the_next(inventory: Path) -> None:
    run(inventory, VALKEY)
    newer = {**VALKEY, "image": "valkey/valkey:8.1.2"}
    old_note = note_of(inventory).read_bytes()
    run(inventory, newer)
    note_of(inventory).write_bytes(old_note)
    result = run(inventory, newer)
    assert result["actions"] == [f"note what was written in {note_of(inventory)}"]
    assert not run(inventory, newer)["changed"]


def test_a_later_date_is_not_turned_back(inventory: Path) -> None:
    edit(inventory, "2025-11-20", "2026-02-01")
    run(inventory, ARCHON)
    assert "**Last Updated**: 2026-02-01" in inventory.read_text()


@pytest.mark.parametrize(
    ("service", "params", "sentence"),
    [
        ({**ARCHON, "date": "2025-13-01"}, {}, r"services\[0\].date is '2025-13-01', which is no date; write one as"),
        ({**ARCHON, "date": "20251201"}, {}, r"services\[0\].date is '20251201', which is no date"),
        (VALKEY, {"last_updated": "yesterday"}, "last_updated is 'yesterday', which is no date"),
        ({**ARCHON, "reason": "a\nb"}, {}, r"services\[0\].reason is 'a\\nb', which has more than one line"),
        ({**ARCHON, "reason": " "}, {}, r"services\[0\].reason is empty; say why the service is deprecated"),
        ({"name": "  "}, {}, r"services\[0\].name is empty"),
        (
            {"name": "x", "state": "deprecated"},
            {},
            "state is deprecated but all of the following are missing: date, reason",
        ),
        (
            {**ARCHON, "name": "Arkon", "containers": ["arkon"]},
            {},
            r"services has 'Arkon', but no section or table row of .* is about it \(Arkon, arkon\); "
            "give the name or containers of one of its sections: Traefik, Archon, n8n",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(
    inventory: Path, service: dict[str, Any], params: dict[str, Any], sentence: str
) -> None:
    before = inventory.read_bytes()
    with pytest.raises(ModuleFailed, match=sentence):
        run(inventory, service, **params)
    assert inventory.read_bytes() == before and not note_of(inventory).exists()


def test_a_service_cannot_be_asked_for_twice(inventory: Path) -> None:
    with pytest.raises(ModuleFailed, match="services names 'Valkey' twice"):
        run(inventory, VALKEY, VALKEY)


def test_two_sections_cannot_both_be_the_one(inventory: Path) -> None:
    edit(inventory, "### 3. n8n", "### 3. Archon")
    with pytest.raises(ModuleFailed, match=r"more than one section about it \(lines 24, 33\)"):
        run(inventory, {"name": "Archon", "purpose": "x"})


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModuleFailed, match=r"path is .*/none.md, which does not exist"):
        run(tmp_path / "none.md", VALKEY)


def test_a_file_that_is_not_utf_8(inventory: Path) -> None:
    inventory.write_bytes(b"# Invent\xe4r\n")
    with pytest.raises(ModuleFailed, match=r"which is not UTF-8 \(byte 8\)"):
        run(inventory, VALKEY)


def test_a_directory_is_no_inventory(tmp_path: Path) -> None:
    with pytest.raises(ModuleFailed, match="cannot be read: Is a directory"):
        run(tmp_path, VALKEY)


@pytest.mark.parametrize("note", ["", "[]", '{"services": {"Valkey": 1}}'])
def test_a_damaged_note_is_told(inventory: Path, note: str) -> None:
    note_of(inventory).write_text(note)
    with pytest.raises(ModuleFailed, match=r"state_path is .*, which is not a note of this module"):
        run(inventory, VALKEY)


def test_without_the_library_the_sentence_names_it(inventory: Path) -> None:
    with mock.patch.dict(sys.modules, {"markdown_it": None}), pytest.raises(ModuleFailed, match="markdown-it-py"):
        run(inventory, VALKEY)


def test_an_edit_in_the_middle_of_a_run_is_not_lost(inventory: Path) -> None:
    from ansible_collections.bestviable.planner_memory.plugins.module_utils._inventory_doc import resource

    real = resource.refresh

    def edited_meanwhile(edits: Any, date: str) -> list[str]:
        edit(inventory, "**Host**: droplet", "**Host**: droplet 2")
        return real(edits, date)

    with (
        mock.patch.object(resource, "refresh", edited_meanwhile),
        pytest.raises(ModuleFailed, match="was edited while this task ran"),
    ):
        run(inventory, ARCHON)
    assert "DEPRECATED" not in inventory.read_text()
