# Copyright (c) 2026, bestviable.planner_memory contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: n8n_workflow
short_description: Workflows of n8n, published and proven
version_added: "0.1.0"
description:
  - Creates, updates, publishes, archives and deletes workflows of n8n from n8n's own export JSON, one or many in one
    session.
  - Compares what the definition says with one listing of what is there. What n8n adds on its own is no difference,
    and where nothing differs nothing is sent. A definition with C(description) costs one more request, for n8n's
    listing leaves it out.
  - An update keeps the live ids of nodes and webhooks, so that a webhook answers all the while, and publishes the new
    version only after n8n has taken it. When n8n refuses to publish, the old version stays live. Where the webhook node
    itself changes (its options, its version, its name), n8n registers it anew, and a call in that moment may be
    answered 404 or 500.
  - A published webhook is proven to be registered, by a request with a method that starts nothing. With the owner's
    login every trigger is proven by n8n's own status of the publication, and the new version answers when the module
    ends; without it n8n may answer with the version before for a moment. When a trigger fails, n8n's words are
    reported, and the version that was live is published again, or a new workflow is unpublished again. Where n8n gives
    no answer any more, the new version is left published, and the run fails.
  - Before anything is sent, the structure, settings, cron expressions and intervals, the time zone, credentials, called
    workflows and methods and paths of webhooks are checked, with the owner's login also whether n8n has the type and
    version of each node.
    Without it, n8n stores a node of an unknown type without a word and refuses only to publish it.
  - Workflows that others call, and error workflows, are brought first. They are known by name, which is
    C(cachedResultName) in a node that calls one chosen from the list, and name or id in C(settings.errorWorkflow).
    Ids are n8n's own and differ from one n8n to the next. Of workflows that call each other in a circle one is first
    published with the nodes that call the others disabled, for n8n publishes no workflow before those that it calls.
  - Paths of webhooks may move between declared workflows. Who gives a path up is published before who takes it. Where
    two swap paths, or more of them in a circle, one answers on no known path until its turn comes, for n8n lets no two
    workflows hold one path; a call that arrives in this second is answered 404. When n8n refuses the other one, it gets
    its path back. No path is asked for before n8n has taken it from who had it. A call that arrives in that very moment
    can make n8n remember the old holder and refuse the path, for an hour or until it is restarted; the error says so.
  - Settings that a definition leaves out are left to n8n, except C(errorWorkflow), C(timezone) and C(executionTimeout),
    which are then removed. C(binaryMode), C(credentialResolverId), C(redactionPolicy), pinned data, static data, tags
    and ids are not compared.
  - Before a workflow is written it is looked at once more. What somebody changed in it since it was listed is planned
    from anew and shown as what was there; who goes on changing it is left alone, and the run fails.
  - A workflow is known by its name; two of one name in n8n are an error. Two runs at the same moment make one workflow,
    for who comes second goes on with the first one's. Where they were stopped half way, both have O(owner_tag) or the
    ids that follow from the name, and the next run deletes the second one if it is the same, or if nobody has touched
    it since it was made.
  - With O(owner_tag) a workflow that was renamed in n8n is known by the ids of its nodes, which tell under which name
    it was made, else by its webhooks and half of its nodes, else, where it has no webhooks, by having the very same
    nodes; it gets the declared name and keeps its id. So does one that was renamed in the declaration, where O(prune)
    says that nobody else declares what carries the tag. Ids that a definition gives its nodes are not used, for copies
    of one export have the same.
  - Ids of nodes do not tell this of a workflow that was adopted. Where two calls with one tag declare the same
    webhooks, or the very same nodes without webhooks, under two names, and one of both was adopted, the other call
    takes it; give each call a tag of its own.
author: [bestviable.planner_memory contributors (@bestviable)]
extends_documentation_fragment:
  - bestviable.planner_memory.n8n
  - bestviable.planner_memory.n8n.key
  - bestviable.planner_memory.n8n.session
attributes:
  check_mode:
    description:
      - Predicts every step. An n8n that has no key yet is taken to be empty; see also O(assume_empty_if_unreachable).
    support: full
  diff_mode:
    description: Shows the fields that differ, and nothing else.
    support: full
options:
  workflows:
    description: Many definitions, as O(definition). Use one of this, O(definition) and O(directory).
    type: list
    elements: dict
  directory:
    description:
      - Directory, on the host that runs the module, whose files C(*.json), in letters of any case, hold a definition or
        a list of them each. With O(prune) and without O(prune_everything) each has to hold one.
    type: path
  definition:
    description:
      - What n8n's export writes, with at least C(name), C(nodes) and C(connections).
      - For O(state=archived) and O(state=absent) C(name) is enough.
      - Nodes name their credentials; ids of credentials are found by type and name, and a name that n8n does not know
        exactly once is an error. A workflow whose credential lost its name to another one is bound to that one.
    type: dict
  state:
    description:
      - V(present) takes care of the content; of a published workflow the new version is published, a new one is not.
      - V(published) and V(unpublished) also take care of whether it runs.
      - V(archived) puts what is there into n8n's archive, where it does not run, and can be taken out of again.
    type: str
    choices: [present, published, unpublished, archived, absent]
    default: present
  owner_tag:
    description:
      - Tag that workflows of this declaration carry in n8n. What does not carry it is somebody else's, except what a
        run made that ended before it could mark it, which is known by the ids of its nodes and by nobody having
        written to it or run it since.
      - Without a tag every workflow of a declared name is taken for ours.
    type: str
  on_existing:
    description:
      - What becomes of a workflow that has a declared name and not the O(owner_tag).
      - V(refuse) fails before anything is sent, V(adopt) makes it ours, V(leave) passes over it.
    type: str
    choices: [refuse, adopt, leave]
    default: refuse
  prune:
    description: Whether workflows that carry O(owner_tag) and are declared no longer go where O(prune_to) says.
    type: bool
    default: false
  prune_everything:
    description:
      - Whether O(prune) may go with a declaration of nothing, which is O(workflows) without an item, or O(directory)
        without a file C(*.json) or with files that hold no definition. Then every workflow with O(owner_tag) goes.
      - Without it such a declaration is refused, for mostly it is a path or a variable that went wrong. Has no effect
        without O(prune).
    type: bool
    default: false
  prune_to:
    description: V(archived) keeps them and their executions in n8n's archive, V(absent) deletes them for good.
    type: str
    choices: [archived, absent]
    default: archived
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

- name: Publish all workflows of a directory, and put those away that are no longer in it
  bestviable.planner_memory.n8n_workflow:
    api_key_file: /home/david/services/n8n/api_key
    directory: /home/david/workflows
    owner_tag: planner-memory
    prune: true
    state: published
    owner_email: david@example.com
    owner_password: "{{ n8n_owner_password }}"

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
has_api_key:
  description:
    - Whether there was a key to ask with. It is V(false) only in check mode, where O(api_key_file) is not there yet and
      n8n is taken to be empty without being asked.
  returned: success
  type: bool
  sample: true
reachable:
  description:
    - It is V(false) where n8n gave no answer to the first question, which in check mode with
      O(assume_empty_if_unreachable) is no failure.
  returned: success, and where n8n gave no answer
  type: bool
  sample: true
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

from dataclasses import fields

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.client import (
    CONNECTION_SPEC,
    KEY_SPEC,
    Api,
)
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.policy import Policy
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.session import SESSION_SPEC, Session
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.source import read_directory
from ansible_collections.bestviable.planner_memory.plugins.module_utils._n8n.workflows import Workflows
from ansible_collections.bestviable.planner_memory.plugins.module_utils._reconcile import run_module


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_SPEC,
            **KEY_SPEC,
            **SESSION_SPEC,
            "workflows": {"type": "list", "elements": "dict"},
            "definition": {"type": "dict"},
            "directory": {"type": "path"},
            "state": {
                "type": "str",
                "choices": ["present", "published", "unpublished", "archived", "absent"],
                "default": "present",
            },
            "owner_tag": {"type": "str"},
            "on_existing": {"type": "str", "choices": ["refuse", "adopt", "leave"], "default": "refuse"},
            "prune": {"type": "bool", "default": False},
            "prune_everything": {"type": "bool", "default": False},
            "prune_to": {"type": "str", "choices": ["archived", "absent"], "default": "archived"},
            "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
        },
        supports_check_mode=True,
        mutually_exclusive=[("workflows", "definition", "directory")],
        required_one_of=[("workflows", "definition", "directory"), ("api_key", "api_key_file")],
        required_if=[("prune", True, ("owner_tag",))],
    )
    params = module.params

    def build() -> Workflows:
        wanted = params["workflows"]
        if wanted is None:
            pruning = {key: params[key] for key in ("prune", "prune_everything")}
            folder = params["directory"]
            wanted = read_directory(folder, **pruning) if folder else [params["definition"] or {}]
        policy = Policy(**{field.name: params[field.name] for field in fields(Policy)})
        api = Api(params, read_only=module.check_mode)
        session = Session(
            params, read_only=module.check_mode, email=params["owner_email"], password=params["owner_password"]
        )
        return Workflows(api, wanted, policy, session=session, secrets=params["secrets"])

    run_module(module, build)


if __name__ == "__main__":
    main()
