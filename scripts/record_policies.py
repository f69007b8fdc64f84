"""Asks a real upstream v1.34 API server what mutating policies make of requests, and keeps the answers as golden data.

    PORT=17443 run.sh --feature-gates=MutatingAdmissionPolicy=true --disable-admission-plugins=ServiceAccount \
        --runtime-config=admissionregistration.k8s.io/v1beta1=true,admissionregistration.k8s.io/v1alpha1=true
    python -m scripts.record_policies https://127.0.0.1:17443 CA CERT KEY [SCENARIO...] > tests/golden/policies.json

The scenarios are tests/contract/policy_scenarios.py; tests/contract/test_admission_mutating.py asks ours the same.
Upstream looks at policies once a second and at schemas every five: each scenario waits for that. It applies policies in
any order, we by name: scenarios of two policies are recorded again until upstream happened to do so, too.
"""

import json
import ssl
import sys
import time
from typing import Any

import httpx

from tests.contract import validating_scenarios
from tests.contract.policy_objects import BINDINGS, POLICIES, SETUP
from tests.contract.policy_scenarios import BAD, BAD_BINDINGS, SCENARIOS, cleaned

_VALIDATING = {f"validating: {name}": row for name, row in validating_scenarios.SCENARIOS.items()}
_SECONDS = 1.6


def record(http: httpx.Client, chosen: list[str]) -> dict[str, Any]:
    """Every answer, by scenario."""
    for path, tree in SETUP:
        http.post(path, json=tree)
    time.sleep(7)
    found: dict[str, Any] = {}
    for name, (made, asked) in (SCENARIOS | _VALIDATING).items():
        if chosen and not name.startswith(tuple(chosen)):
            continue
        for path, tree in made:
            answer = http.post(path, json=tree)
            if answer.is_error:
                print(name, answer.text, file=sys.stderr)
        time.sleep(_SECONDS)
        try:
            found[name] = [_answer(http, *request) for request in asked]
        except httpx.RemoteProtocolError as error:  # upstream panics over some
            print(name, error, file=sys.stderr)
        for path, tree in reversed(made):
            http.delete(f"{path}/{tree['metadata']['name']}")
        time.sleep(_SECONDS)
    for what, path, rows in (("policy", POLICIES, BAD), ("binding", BINDINGS, BAD_BINDINGS)):
        for name, tree in rows.items() if not chosen else ():
            found[f"bad {what}: {name}"] = [_answer(http, "POST", f"{path}?dryRun=All", tree)]
    return found


def _answer(http: httpx.Client, method: str, path: str, tree: Any, media_type: str = "application/json") -> Any:
    content = json.dumps(tree).encode() if tree is not None else None
    answer = http.request(method, path, content=content, headers={"content-type": media_type})
    warnings = answer.headers.get_list("warning")
    return [answer.status_code, cleaned(answer.json()), *([warnings] if warnings else [])]


def main() -> None:
    """The entry point."""
    url, authority, certificate, key, *chosen = sys.argv[1:]
    context = ssl.create_default_context(cafile=authority)
    context.load_cert_chain(certificate, key)
    fresh = httpx.Limits(keepalive_expiry=1)  # a connection that is kept may just be closing
    with httpx.Client(base_url=url, verify=context, timeout=30, limits=fresh) as http:
        json.dump(record(http, chosen), sys.stdout, indent=1, sort_keys=True)


if __name__ == "__main__":
    main()
