"""Audit policies as data: which rule is meant, what is refused. Requests as they are recorded."""

import msgspec
import pytest

from apimachinery import errors
from apiserver.audit.events import Audited
from apiserver.audit.log import AuditFile, AuditLog
from apiserver.audit.policy import BadPolicy, Recording, parse
from apiserver.call import Response, call_from
from apiserver.request import RequestInfo, User

JANE = User("jane", ("devs", "system:authenticated"))


def policy(*rules, **more):
    return parse({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": list(rules), **more})


def info(verb="get", plural="pods", subresource="", namespace="default", name="a", group=""):
    return RequestInfo(
        is_resource=True, path="/x", verb=verb, plural=plural, subresource=subresource, namespace=namespace,
        name=name, group=group, version="v1",
    )  # fmt: skip


PATH = RequestInfo(is_resource=False, path="/healthz/etcd", verb="get")


@pytest.mark.parametrize(
    ("rule", "asked", "matches"),
    [
        ({}, info(), True),
        ({"users": ["jane"]}, info(), True),
        ({"users": ["joe"]}, info(), False),
        ({"userGroups": ["devs"]}, info(), True),
        ({"userGroups": ["ops"]}, info(), False),
        ({"verbs": ["list"]}, info(), False),
        ({"namespaces": ["default"]}, info(), True),
        ({"namespaces": [""]}, info(namespace=""), True),
        ({"namespaces": ["other"]}, info(), False),
        ({"namespaces": ["default"]}, PATH, False),
        ({"resources": [{"group": ""}]}, info(), True),
        ({"resources": [{"group": "apps"}]}, info(), False),
        ({"resources": [{"group": "", "resources": ["pods"]}]}, info(subresource="log"), False),
        ({"resources": [{"group": "", "resources": ["pods/log"]}]}, info(subresource="log"), True),
        ({"resources": [{"group": "", "resources": ["*/log"]}]}, info(subresource="log"), True),
        ({"resources": [{"group": "", "resources": ["pods/*"]}]}, info(subresource="log"), True),
        ({"resources": [{"group": "", "resources": ["pods"], "resourceNames": ["b"]}]}, info(), False),
        ({"nonResourceURLs": ["/healthz*"]}, PATH, True),
        ({"nonResourceURLs": ["/healthz"]}, PATH, False),
        ({"nonResourceURLs": ["*"]}, info(), False),
    ],
)
def test_which_requests_a_rule_means(rule, asked, matches):
    found = policy({"level": "Metadata", **rule}).recording(JANE, asked)
    assert (found.level == "Metadata") is matches


def test_the_first_rule_counts_and_stages_add_up():
    found = policy(
        {"level": "None", "users": ["joe"]},
        {"level": "Request", "omitStages": ["ResponseStarted"], "omitManagedFields": False},
        omitStages=["RequestReceived"],
        omitManagedFields=True,
    )
    stages = frozenset({"RequestReceived", "ResponseStarted"})
    assert found.recording(JANE, info()) == Recording("Request", stages, without_managed_fields=False)
    assert found.recording(User("joe"), info()).level == "None"


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (None, "an audit policy is of kind Policy, apiVersion audit.k8s.io/v1"),
        ({"apiVersion": "v1", "kind": "Policy"}, "an audit policy is of kind Policy, apiVersion audit.k8s.io/v1"),
        ({"rules": []}, "loaded illegal policy with 0 rules"),
        ({"rules": [{}]}, "rules[0].level: Required value"),
        ({"rules": [{"level": "All"}]}, 'rules[0].level: Unsupported value: "All"'),
        ({"rules": [{"level": "None", "omitStages": ["X"]}]}, 'rules[0].omitStages: Invalid value: "X"'),
        (
            {"rules": [{"level": "None", "nonResourceURLs": ["*"], "namespaces": ["a"]}]},
            "rules[0].nonResourceURLs: Invalid value",
        ),
        ({"rules": [{"level": "None", "nonResourceURLs": ["/a*b"]}]}, "rules[0].nonResourceURLs: Invalid value"),
    ],
)
def test_a_bad_policy_is_refused(tree, message):
    if tree is not None:
        tree = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", **tree}
    with pytest.raises(BadPolicy) as error:
        parse(tree)
    assert str(error.value).startswith(message)


def test_a_full_file_is_kept_and_the_oldest_goes(tmp_path):
    now = iter(range(1, 100))
    file = AuditFile(str(tmp_path / "audit.log"), most=20, backups=2, clock=lambda: next(now))
    for i in range(8):
        file.write(b"0123456789%d\n" % i)
    assert (tmp_path / "audit.log").read_bytes() == b"01234567897\n"
    kept = sorted(path.name for path in tmp_path.glob("audit-*.log"))
    assert len(kept) == 2


def asked(**what):
    async def receive():
        raise AssertionError

    async def send(message):
        pass

    scope = {"type": "http", "method": "GET", "path": "/x", "raw_path": b"/x", "headers": [], "client": ("::1", 1)}
    call = call_from(scope, receive, send, "id")
    call.user, call.info = JANE, info(**what)
    return call


@pytest.mark.parametrize(("level", "wholes"), [("Metadata", 0), ("Request", 1)])
def test_an_object_is_seen_once_and_made_whole_where_its_body_is_recorded(level, wholes):
    made = []

    def whole():
        made.append(True)
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {}}

    audited = Audited(asked(name=""), policy({"level": level}).recording(JANE, info()), 0.0)
    for uid in ("", "u"):
        audited.witness({"uid": uid}, whole)
    assert (len(made), audited.named) == (wholes, {})


async def recorded(proceed, call=None):
    """The stages and codes that are recorded of a request, after its stream if the answer is one."""
    lines, call = [], call or asked()
    try:
        response = await AuditLog(policy({"level": "RequestResponse"}), lines.append, lambda: 1.0)(call, proceed)
        if response.stream is not None:
            await response.stream(call.receive, call.send)
    except (errors.ApiError, ConnectionError, RuntimeError):
        pass
    events = [msgspec.json.decode(line) for line in lines]
    return [(event["stage"], event["responseStatus"]["code"]) for event in events[1:]]


@pytest.mark.parametrize("body", [b"1", b'"Status"', b'[{"kind": "Status"}]', b"null", b"Status"])
async def test_an_answer_may_be_no_object(body):
    async def proceed(call):
        return Response(status=201, body=body)

    assert await recorded(proceed) == [("ResponseComplete", 201)]


async def test_what_cannot_be_recorded_is_answered_all_the_same():
    written = []

    def write(line):
        written.append(line)
        raise ValueError

    async def proceed(call):
        return Response(status=201)

    log = AuditLog(policy({"level": "Metadata"}), write, lambda: 1.0)
    assert (await log(asked(), proceed)).status == 201
    assert len(written) == 2


async def test_a_connection_that_is_lost_before_an_answer_is_recorded():
    async def proceed(call):
        raise ConnectionResetError

    assert await recorded(proceed) == [("Panic", 500)]


@pytest.mark.parametrize(
    ("starts", "error", "stages"),
    [
        (True, None, [("ResponseStarted", 101), ("ResponseComplete", 101)]),
        (False, None, [("ResponseStarted", 200), ("ResponseComplete", 200)]),
        (True, errors.bad_request("late"), [("ResponseStarted", 101), ("ResponseComplete", 101)]),
        (False, errors.bad_request("early"), [("ResponseStarted", 400), ("ResponseComplete", 400)]),
        (True, ConnectionResetError(), [("ResponseStarted", 101), ("ResponseComplete", 101)]),
        (False, RuntimeError(), [("Panic", 500)]),
    ],
)
async def test_a_stream_is_recorded_once_however_it_ends(starts, error, stages):
    async def stream(receive, send):
        if starts:
            await send({"type": "websocket.accept", "status": 101})
        if error is not None:
            raise error

    async def proceed(call):
        return Response(stream=stream)

    assert await recorded(proceed, asked(subresource="exec")) == stages
