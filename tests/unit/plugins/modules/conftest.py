from __future__ import annotations

import pytest
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n import credentials, publishing

from tests.support.compose import docker, run
from tests.support.retired import retire, stack

__all__ = ["docker", "retire", "run", "stack"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """n8n is asked again at once."""
    monkeypatch.setattr(publishing, "POLL_SECONDS", 0.0)


@pytest.fixture
def at_once(impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """n8n is asked a second time at most."""
    monkeypatch.setattr(publishing, "PATIENCE_SECONDS", 0.0)


@pytest.fixture
def cheap_fingerprints(monkeypatch: pytest.MonkeyPatch) -> None:
    """One round where guessing is to be dear: the time of the rounds is most of what these tests would take."""
    monkeypatch.setattr(credentials, "FINGERPRINT_ROUNDS", 1)
