"""Files that take long begin first, so that no core waits for another one's last file."""

from __future__ import annotations

from pathlib import Path

import pytest

# Whole playbooks run in these.
LONG = Path(__file__).parent / "roles"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG not in item.path.parents)
