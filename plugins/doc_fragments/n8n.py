# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that the modules for n8n share."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
requirements:
  - The Python library C(requests) on the host that runs the module.
options:
  url:
    description: Where n8n answers, as seen from the host that runs the module.
    type: str
    default: http://127.0.0.1:5678
  request_timeout:
    description: Seconds that one request may take.
    type: float
    default: 30.0
  validate_certs:
    description: Whether a certificate of n8n is checked.
    type: bool
    default: true
  ca_path:
    description: File with the certificates that are trusted in place of the system's.
    type: path
  assume_empty_if_unreachable:
    description:
      - In check mode, go on as with a fresh n8n where nothing takes a connection at O(url), because this same run would
        bring n8n up. An n8n that takes the connection and does not answer is an error all the same.
      - Has no effect outside of check mode.
    type: bool
    default: false
"""

    KEY = r"""
options:
  api_key:
    description: API key of n8n. One of O(api_key) and O(api_key_file) is needed.
    type: str
  api_key_file:
    description: File on the host that holds the API key, as M(bestviable.planner_memory.n8n_owner) writes it.
    type: path
"""

    SESSION = r"""
options:
  owner_email:
    description:
      - Address of n8n's owner, who can ask what the public API does not tell.
      - Without O(owner_password) or O(session_file) nothing is asked of the owner.
    type: str
  owner_password:
    description: Password of the owner. He logs in at most once, and only where something has to be asked.
    type: str
  session_file:
    description:
      - File on the host that keeps the owner's session, so that he need not log in again; n8n lets it live for a week.
      - Only its owner can read it. Whoever has it can do in n8n what the owner can.
    type: path
"""
