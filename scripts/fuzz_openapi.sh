#!/bin/bash
# Throws what Schemathesis makes of our OpenAPI documents at a server of its own, on memory, and fails on any 5xx.
# The large run: it takes half an hour. tests/contract/test_api_schemathesis.py is the small one, in the suite.
#   scripts/fuzz_openapi.sh [DOCUMENT...]      such as apis/apps/v1; default: all
# Environment: PORT (default 17998), EXAMPLES an operation (default 2), SECONDS_EACH a document (default 60).
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
port=${PORT:-17998}
state=$(mktemp -d)
"$here/.venv/bin/pykube-apiserver" --storage=memory --secure-port="$port" --bind-address=127.0.0.1 \
    --advertise-address=192.0.2.2 --authorization-mode=AlwaysAllow >"$state/log" 2>&1 &
server=$!
trap 'kill $server; rm -rf "$state"' EXIT
for _ in $(seq 100); do curl -sf "http://127.0.0.1:$port/readyz" >/dev/null && break; sleep 0.2; done
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(curl -sf "http://127.0.0.1:$port/openapi/v3" | grep -o '"[a-z][^"]*/v[0-9][a-z0-9]*"' | tr -d '"')
printf '[parameters]\n"query.timeoutSeconds" = 1\n' >"$state/config.toml" # a watch ends before it counts as a hang
failed=0
for document in "$@"; do
    # A document that is not through in its time is no failure: what it found until then counts.
    code=0
    timeout "${SECONDS_EACH:-60}" "$here/.venv/bin/schemathesis" --config-file="$state/config.toml" run "http://127.0.0.1:$port/openapi/v3/$document" \
        --url "http://127.0.0.1:$port" --checks not_a_server_error --phases fuzzing -n "${EXAMPLES:-2}" \
        --request-timeout 3 --exclude-path-regex 'watch|proxy|log|exec|attach|portforward' || code=$?
    [ "$code" = 0 ] || [ "$code" = 124 ] || failed=1
done
grep -n 'code=5\|Traceback' "$state/log" && failed=1
exit $failed
