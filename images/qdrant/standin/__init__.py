# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for Qdrant's server: its REST interface over its own engine (qdrant-edge-py)."""

from __future__ import annotations

SERVER_VERSION = "1.19.0"
# What it is comes first: a report that cuts the line still says it.
TITLE = "qdrant stand-in - vector search engine over qdrant-edge-py, not the official server"
