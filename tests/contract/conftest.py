"""What every contract test may ask for: a container of its own, and the one n8n of the session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract.n8n import n8n
from tests.contract.n8n_world import world
from tests.contract.postgres import database, live
from tests.support.containers import Container, docker, start

__all__ = ["container", "database", "live", "n8n", "world"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For two workers: all that asks n8n on one, first, as it takes longest; else each file where there is room."""
    for item in items:
        name = "n8n" if item.path.stem.startswith("test_n8n") else item.path.stem
        item.add_marker(pytest.mark.xdist_group(name))
    items.sort(key=lambda item: not item.path.stem.startswith("test_n8n"))


@pytest.fixture(scope="session")
def container() -> Iterator[Callable[..., Container]]:
    """``container(image, env=…, ports=[…], args=[…], options=[…])`` runs until the session ends."""
    started: list[Container] = []

    def run(image: str, **kwargs: Any) -> Container:
        started.append(start(image, **kwargs))
        return started[-1]

    yield run
    for one in started:
        docker("rm", "-f", "-v", one.name, check=False)
