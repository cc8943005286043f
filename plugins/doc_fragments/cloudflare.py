# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  api_url:
    description:
      - Where Cloudflare's API answers.
      - If not given, the environment variable E(CLOUDFLARE_API_URL) is used, and then V(https://api.cloudflare.com/client/v4).
    type: str
    default: https://api.cloudflare.com/client/v4
  api_token:
    description:
      - API token with the permission C(Account, Cloudflare Tunnel, Read), to change rules C(Edit), and for O(zone_id)
        C(Zone, DNS, Read).
      - If not given, the environment variable E(CLOUDFLARE_API_TOKEN) is used, and then E(CLOUDFLARE_TOKEN).
    type: str
    required: true
  account_id:
    description: The account that owns the tunnel.
    type: str
    required: true
  tunnel_id:
    description: The tunnel's id, a UUID.
    type: str
    required: true
  zone_id:
    description: The zone whose CNAME records are looked at too; without it DNS is not asked.
    type: str
  validate_certs:
    description: Whether the certificate of the server must be trusted.
    type: bool
    default: true
  ca_path:
    description: File with the certificate authorities to trust instead of the system's.
    type: path
  timeout:
    description: Seconds for connecting and for each answer.
    type: float
    default: 30
requirements:
  - requests (Python library, on the target host)
"""
