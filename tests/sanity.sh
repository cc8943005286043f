#!/bin/sh
# ansible-test sanity without Docker: it wants the collection to stand at …/ansible_collections/NAMESPACE/NAME for real,
# outside of any repository that ignores it, and gets a home of its own, so that yours stays as it is.
set -eu

cd "$(dirname "$0")/.."
home=$PWD/build/sanity-home
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
tree=$temporary/ansible_collections/bestviable/planner_memory

mkdir -p "$tree" "$home/.ansible/test/cache" "$home/.config"
git ls-files --cached --others --exclude-standard | grep -v '^collections/' |
  while IFS= read -r file; do [ -e "$file" ] && printf '%s\n' "$file"; done | tar -cf - -T - | tar -xf - -C "$tree"
[ ! -d "$HOME/.config/pip" ] || ln -sfn "$HOME/.config/pip" "$home/.config/pip"

# ansible-test downloads pip's bootstrap script unless it finds it here; Python brings pip along, so nothing need be fetched.
pip_version=$(python - <<'PY'
from ansible_test._internal.python_requirements import get_venv_packages
from types import SimpleNamespace
print(get_venv_packages(SimpleNamespace(version=""))["pip"])
PY
)
cp tests/sanity/get_pip.py "$home/.ansible/test/cache/get_pip_$(printf '%s' "$pip_version" | tr . _).py"

version=$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
cd "$tree"
HOME=$home ansible-test sanity --local --requirements --python "$version" --color no "$@"
