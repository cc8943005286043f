#!/bin/sh
# How this host's own package clients reach their registries, as KEY=VALUE lines; what is not set is left out.

os_value() {
  sed -n "s/^$1=\"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" /etc/os-release 2>/dev/null
}

# shellcheck disable=SC2016 # apt-get expands these
apt_uri() {
  apt-get indextargets --format '$(COMPONENT) $(RELEASE) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    awk -v suite="$1" '$1 == "main" && $2 == suite { print $3; exit }'
}

# Each client starts slowly, so it is asked once.
pip_settings=$(python3 -m pip config list 2>/dev/null)
npm_settings=$(npm config get registry cafile 2>/dev/null)

pip_setting() {
  printf '%s\n' "$pip_settings" | sed -n "s/^global\.$1='\(.*\)'\$/\1/p"
}

npm_setting() {
  printf '%s\n' "$npm_settings" | sed -n "s/^$1=//p" | grep -vE '^(null|undefined)?$'
}

say() {
  if [ -n "$2" ]; then printf '%s=%s\n' "$1" "$2"; fi
}

first_file() {
  for file in "$@"; do
    if [ -s "$file" ]; then
      echo "$file"
      return
    fi
  done
}

if [ "$(os_value ID)" = debian ]; then
  codename=$(os_value VERSION_CODENAME)
  say apt_mirror "$(apt_uri "$codename")"
  say apt_security_mirror "$(apt_uri "$codename-security")"
fi
say pip_index "${PIP_INDEX_URL:-$(pip_setting index-url)}"
say npm_registry "${NPM_CONFIG_REGISTRY:-${npm_config_registry:-$(npm_setting registry)}}"
say ca_bundle "$(first_file "${PIP_CERT:-}" "$(pip_setting cert)" "${NODE_EXTRA_CA_CERTS:-}" "$(npm_setting cafile)" \
  "${REQUESTS_CA_BUNDLE:-}" "${SSL_CERT_FILE:-}" "${CURL_CA_BUNDLE:-}")"
