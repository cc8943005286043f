# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: n8n_workflow
short_description: Workflows of n8n, published and proven
version_added: "0.1.0"
description:
  - Creates, updates, publishes and deletes workflows of n8n from n8n's own export JSON, one or many in one session.
  - Compares what the definition says with one listing of what is there. What n8n adds on its own is no difference,
    and where nothing differs nothing is sent. A definition with C(description) costs one more request, for n8n's
    listing leaves it out.
  - An update keeps the live ids of nodes and webhooks, so that a webhook answers all the while, and publishes the new
    version only after n8n has taken it. When n8n refuses to publish, the old version stays live.
  - A published webhook is proven to be registered, by a request with a method that starts nothing.
  - Settings that a definition leaves out are left to n8n, except C(errorWorkflow), C(timezone) and C(executionTimeout),
    which are then removed. C(binaryMode), C(credentialResolverId), C(redactionPolicy), pinned data, static data, tags
    and ids are not compared.
  - A workflow is known by its name; two of one name in n8n are an error.
author: [bestviable.planner_memory contributors (@bestviable)]
extends_documentation_fragment:
  - bestviable.planner_memory.n8n
  - bestviable.planner_memory.n8n.key
attributes:
  check_mode:
    description: Predicts every step. An n8n that does not answer, or has no key yet, is taken to be empty.
    support: full
  diff_mode:
    description: Shows the fields that differ, and nothing else.
    support: full
options:
  workflows:
    description: Many definitions, as O(definition). Use either this or O(definition).
    type: list
    elements: dict
  definition:
    description:
      - What n8n's export writes, with at least C(name), C(nodes) and C(connections).
      - For O(state=absent) C(name) is enough.
      - Nodes name their credentials; ids of credentials are found by type and name, and a name that n8n does not know
        exactly once is an error.
    type: dict
  state:
    description:
      - V(present) takes care of the content; of a published workflow the new version is published, a new one is not.
      - V(published) and V(unpublished) also take care of whether it runs.
    type: str
    choices: [present, published, unpublished, absent]
    default: present
  secrets:
    description:
      - Texts in the definitions that nobody may see, like the address of a webhook of a chat or a token in a header.
      - They are masked in the difference, in errors and in every other return value. A field that holds one is shown
        neither as it was nor as it becomes, for what it held before is mostly an older secret.
      - What belongs into a credential is better kept there; see M(bestviable.planner_memory.n8n_credential).
    type: list
    elements: str
    default: []
seealso:
  - module: bestviable.planner_memory.n8n_owner
  - module: bestviable.planner_memory.n8n_credential
"""

EXAMPLES = r"""
- name: Publish workflows
  bestviable.planner_memory.n8n_workflow:
    api_key_file: /home/david/services/n8n/api_key
    workflows:
      - "{{ lookup('ansible.builtin.file', 'event-logger.json') | from_json }}"
    state: published

- name: Publish a workflow that tells a chat
  bestviable.planner_memory.n8n_workflow:
    api_key_file: /home/david/services/n8n/api_key
    definition: "{{ lookup('ansible.builtin.template', 'alarm.json.j2') | from_json }}"
    secrets: ["{{ chat_webhook_url }}"]
    state: published

- name: Remove a workflow
  bestviable.planner_memory.n8n_workflow:
    api_key_file: /home/david/services/n8n/api_key
    definition:
      name: event-logger
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode.
  returned: success
  type: list
  elements: str
  sample: [create workflow 'event-logger' with 6 nodes, publish workflow 'event-logger']
workflows:
  description: The declared workflows that n8n has, by name.
  returned: success
  type: dict
  contains:
    id:
      description: Id of the workflow in n8n.
      type: str
    active:
      description: Whether n8n calls it active.
      type: bool
    webhooks:
      description: Addresses of its webhooks, as seen from the host.
      type: list
      elements: str
  sample: {event-logger: {id: u2KV7mnKzJQ0YLcl, active: true, webhooks: ["http://127.0.0.1:5678/webhook/events/log"]}}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.client import (
    CONNECTION_SPEC,
    KEY_SPEC,
    Api,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.workflows import Workflows
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import run_module


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_SPEC,
            **KEY_SPEC,
            "workflows": {"type": "list", "elements": "dict"},
            "definition": {"type": "dict"},
            "state": {
                "type": "str",
                "choices": ["present", "published", "unpublished", "absent"],
                "default": "present",
            },
            "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
        },
        supports_check_mode=True,
        mutually_exclusive=[("workflows", "definition")],
        required_one_of=[("workflows", "definition"), ("api_key", "api_key_file")],
    )
    params = module.params
    wanted = [params["definition"]] if params["workflows"] is None else params["workflows"]

    def build() -> Workflows:
        api = Api(params, read_only=module.check_mode)
        return Workflows(api, wanted, state=params["state"], secrets=params["secrets"])

    run_module(module, build)


if __name__ == "__main__":
    main()
