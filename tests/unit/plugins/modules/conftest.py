from __future__ import annotations

from tests.support.compose import docker, run

__all__ = ["docker", "run"]
