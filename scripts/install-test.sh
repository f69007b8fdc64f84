#!/bin/sh
# Installs what only the tests need: a registry to pull from. Its service is not started; tests start their own.
set -eu
command -v docker-registry >/dev/null 2>&1 && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "docker-registry is missing: the tests of real pulls are skipped." >&2
    exit 0
fi
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
{ apt-get update -qq && apt-get install -y -qq --no-install-recommends docker-registry; } >/tmp/pykube-apt-test.log 2>&1 ||
    echo "apt-get could not install docker-registry (log: /tmp/pykube-apt-test.log): the tests of real pulls are skipped." >&2
