from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.bestviable.planner_memory.plugins.filter.port_conflict import FilterModule

port_conflict = FilterModule().filters()["port_conflict"]


def listener(**more: Any) -> dict[str, Any]:
    return {
        "proto": "tcp",
        "address": "127.0.0.1",
        "port": 6379,
        "pid": 123,
        "process": "redis-server",
        "container": None,
        **more,
    }


TAKEN = "port 6379 on 127.0.0.1 is taken by redis-server (pid 123): stop it or set valkey_port"


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (listener(), TAKEN),
        (listener(port=6380), ""),
        (listener(container="valkey", process="docker-proxy"), ""),
        (listener(container="redis"), TAKEN.replace("redis-server (pid 123)", "container redis")),
        (listener(address="0.0.0.0"), TAKEN.replace("127.0.0.1", "0.0.0.0")),
        (listener(address="::"), TAKEN.replace("127.0.0.1", "::")),
        (listener(address="10.0.0.5"), ""),
        (
            listener(pid=None, process=None),
            TAKEN.replace("redis-server (pid 123)", "a process that cannot be seen from here"),
        ),
    ],
)
def test_port_conflict(one: dict[str, Any], sentence: str) -> None:
    assert port_conflict([one], 6379, "valkey") == sentence


def test_the_option_and_the_address_may_be_named() -> None:
    assert port_conflict([listener()], "6379", "valkey", variable="cache_port").endswith("set cache_port")
    assert port_conflict([listener(port=8090)], 8090, "memory-gateway").endswith("set memory_gateway_port")
    assert port_conflict([listener(address="10.0.0.5")], 6379, "valkey", "0.0.0.0") != ""
    assert port_conflict([], 6379, "valkey") == ""
    assert port_conflict([listener()], "rubbish", "valkey") == ""


def test_what_is_no_list_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="wants the listeners of host_info, but got str"):
        port_conflict("x", 1, "valkey")
