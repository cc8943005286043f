# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  url:
    description:
      - Where Qdrant's REST interface answers, with C(http://) or C(https://).
      - If not given, the environment variable E(QDRANT_URL) is used, and then V(http://127.0.0.1:6333).
    type: str
    default: http://127.0.0.1:6333
  api_key:
    description:
      - API key of the server, sent in the header C(api-key).
      - If not given, the environment variable E(QDRANT_API_KEY) is used.
    type: str
  validate_certs:
    description: Whether the certificate of an C(https) server must be trusted.
    type: bool
    default: true
  ca_path:
    description: File with the certificate authorities to trust instead of the system's.
    type: path
  timeout:
    description: Seconds for connecting and for each answer; an index or a snapshot of many points may need more.
    type: float
    default: 30
  retries:
    description:
      - How often a refused connection and an answer 429, 502, 503 or 504 are tried again, at once and then
        after one second, doubling, or as long as C(Retry-After) says, at most a minute.
      - A POST or PATCH that writes is repeated only when it never left this host; a POST that only reads, as the copy
        of a rebuild does page by page, is repeated as a GET is.
    type: int
    default: 3
requirements:
  - requests (Python library, on the target host)
"""

    PATH = r"""
options:
  path:
    description:
      - A folder instead of a server, for trying out without one, through the library qdrant-client on the target host.
      - Results are the same. Payload indexes, quantization and other settings that the library has no use for are kept
        in a file in the folder and change nothing about a search. There are no snapshots.
      - One process at a time can use the folder.
    type: path
"""
