# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose import files, model
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.engine import image_name, last_words
from ansible_collections.bestviable.planner_memory.plugins.module_utils._compose.project import secret_values
from ansible_collections.bestviable.planner_memory.plugins.module_utils._errors import StackError

TEXT = """\
services:
  a:
    image: x
    deploy: {replicas: 2, resources: {limits: {memory: 200m, cpus: "0.5"}}}
    networks: {proxy: {aliases: [b]}, own: null}
    volumes: ["./conf:/c:ro", "data:/d", {type: bind, source: ./one, target: /one}]
    configs: [c]
    env_file: [./a.env, {path: b.env}]
  b: {build: ., network_mode: host, restart: "no"}
  c: {image: y, profiles: [debug]}
networks: {proxy: {external: true, name: docker_proxy}, own: {}}
volumes: {data: {}, far: {external: true}}
configs: {c: {file: ./c.conf}}
"""


def test_a_definition_becomes_facts() -> None:
    read = model.read("p", TEXT)
    assert list(read.services) == ["a", "b"]
    one = read.services["a"]
    assert (one.memory, one.cpus, one.replicas, one.restart) == (209715200, 0.5, 2, "no")
    assert one.networks == ("docker_proxy", "p_own")
    assert one.mounts == ("c.conf", "conf", "one")
    assert one.env_files == ("a.env", "b.env")
    assert [model.sees(one, path) for path in ("conf/x", "one", "onesie", "c.conf")] == [True, True, False, True]
    other = read.services["b"]
    assert (other.image, other.built, other.networks, other.runs_once) == ("p-b", True, None, True)
    assert read.external_networks == ("docker_proxy",)
    assert read.volumes == ("p_data",)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("200m", 209715200), ("200M", 209715200), ("1g", 1024**3), ("1.5GB", 1610612736), ("64kib", 65536), (512, 512),
     ("-1", -1), (None, 0), ("${MEMORY}", None)],
)  # fmt: skip
def test_sizes(value: object, wanted: object) -> None:
    assert model.memory_bytes(value, "it") == wanted


@pytest.mark.parametrize("value", ["200x", "much", "", True, "m"])
def test_no_sizes(value: object) -> None:
    with pytest.raises(StackError, match="which is no size"):
        model.memory_bytes(value, "it")


def test_what_compose_would_interpolate_is_not_managed() -> None:
    one = model.read("p", "services: {a: {image: x, mem_limit: '${M}', cpus: '${C}', restart: '${R}'}}").services["a"]
    assert (one.memory, one.cpus, one.restart) == (None, None, None)


def test_comments_and_the_order_of_keys_change_no_digest() -> None:
    digests = {
        model.read("p", text).services["a"].digest
        for text in ("services: {a: {image: x, cpus: 1}}", "# hi\nservices:\n  a:\n    cpus: 1\n    image: x\n")
    }
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("value", "quoted"),
    [("plain", "'plain'"), ("$HOME", "'$HOME'"), ("it's $X", '"it\'s \\$X"'), ("a\\", '"a\\\\"'), ("", "''")],
)
def test_env_values_are_literal(value: str, quoted: str) -> None:
    assert files.env_text({"A": value}) == f"A={quoted}\n"


def test_env_values_are_text_and_null_leaves_out() -> None:
    assert files.env_values({"A": True, "B": None, "C": 5}, "p") == {"A": "true", "C": "5"}


def test_an_env_file_shows_names_only() -> None:
    wanted = files.File("p.env", files.env_text({"A": "1", "B": "2"}), "0600", {"A": "1", "B": "2"})
    found = files.Found("A='1'\nB='other'\nC='x\ny'\n", "0600")
    assert files.shown(wanted, found) == {
        "mode": "0600",
        "values": {"A": "***", "B": "*** (differs)", "C": "*** (differs)"},
        "written": "otherwise",
    }


def test_a_file_that_others_cannot_read_is_not_shown() -> None:
    wanted = files.File("k", "key", "0600")
    assert files.shown_as_wanted(wanted) == {"mode": "0600", "text": "***"}
    assert files.shown(wanted, files.Found("other", "0600")) == {"mode": "0600", "text": "*** (differs)"}


def test_an_owner_is_compared_where_one_is_named() -> None:
    wanted, found = files.File("k", "key", "0400", owner=65532), files.Found("key", "0400", 0)
    assert files.shown_as_wanted(wanted) == {"mode": "0400", "owner": 65532, "text": "***"}
    assert files.shown(wanted, found) == {"mode": "0400", "owner": 0, "text": "***"}
    assert "owner" not in files.shown(files.File("k", "key", "0400"), found)


@pytest.mark.parametrize(
    ("name", "short"),
    [("postgres", "postgres:latest"), ("docker.io/library/postgres:17", "postgres:17"),
     ("localhost:5000/a", "localhost:5000/a:latest"), ("a@sha256:1", "a@sha256:1")],
)  # fmt: skip
def test_image_names(name: str, short: str) -> None:
    assert image_name(name) == short


def test_last_words_leave_progress_out() -> None:
    assert last_words(" Container a  Starting\n Network b  Created\nno such image\n") == "no such image"


def test_values_that_are_public_anyway_are_not_masked() -> None:
    env = {"USER": "postgres", "PORT": 5432, "PASSWORD": "long-enough", "HOST": "memory-gateway"}
    assert secret_values([{"env": env}], "image: postgres:17 memory-gateway") == {"long-enough"}


def test_a_file_is_replaced_as_a_whole(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a" / "b"
    files.write(path, "one", "0600")
    files.write(path, "two", "0644")
    assert (path.read_text(), oct(path.stat().st_mode & 0o777)) == ("two", "0o644")
    assert [one.name for one in path.parent.iterdir()] == ["b"]
    files.remove(path)
    (tmp_path / "a" / "theirs").write_text("x")
    files.remove_empty_directories(tmp_path / "a", ["b"])
    assert (tmp_path / "a" / "theirs").exists()
