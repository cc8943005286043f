"""The servers of the contract tests, for what takes longer than a contract test may."""

from __future__ import annotations

import tests.conftest  # makes the collection importable
from tests.contract.conftest import container, n8n

__all__ = ["container", "n8n", "tests"]
