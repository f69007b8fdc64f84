"""Affinity, spreading and scores told node by node and pod by pod, without vectors: what the arrays must agree with.

Every function takes the pod to place, the nodes by name and the pods by name of their node, and gives a value per node.
"""

import math
from collections import Counter, defaultdict

from scheduler import requests
from scheduler.terms import HARD, HOSTNAME, SOFT, constraints, terms


def _matches(term, owner, pod, namespaces):
    del owner  # its namespace is in the term already
    return term.matches(pod, namespaces.get(pod.metadata.namespace, {}))


def _on(nodes, pods):
    for name, there in pods.items():
        for one in there:
            yield nodes[name], one


def affinity(pod, nodes, pods, namespaces):
    """{node: None, or why it is refused}."""
    wanted = terms(pod)
    near, apart, existing = Counter(), Counter(), Counter()
    for node, other in _on(nodes, pods):
        labels = node.metadata.labels
        if wanted.near and all(_matches(term, pod, other, namespaces) for term in wanted.near):
            near.update((term.key, labels[term.key]) for term in wanted.near if term.key in labels)
        for term in wanted.apart:
            if _matches(term, pod, other, namespaces) and term.key in labels:
                apart[term.key, labels[term.key]] += 1
        for term in terms(other).apart:
            if _matches(term, other, pod, namespaces) and term.key in labels:
                existing[term.key, labels[term.key]] += 1
    return {name: _why_apart(pod, node, wanted, near, apart, existing, namespaces) for name, node in nodes.items()}


def _why_apart(pod, node, wanted, near, apart, existing, namespaces):
    labels = node.metadata.labels
    if any(term.key not in labels for term in wanted.near):
        return "node(s) didn't match pod affinity rules"
    if any(not near[term.key, labels[term.key]] for term in wanted.near):
        itself = all(_matches(term, pod, pod, namespaces) for term in wanted.near)
        if near or not itself:
            return "node(s) didn't match pod affinity rules"
    if any(term.key in labels and apart[term.key, labels[term.key]] for term in wanted.apart):
        return "node(s) didn't match pod anti-affinity rules"
    if any(existing[pair] for pair in labels.items()):
        return "node(s) didn't satisfy existing pods anti-affinity rules"
    return None


def attraction(pod, nodes, pods, namespaces, possible):
    """Points of preferred terms."""
    score = Counter()
    for node, other in _on(nodes, pods):
        labels = node.metadata.labels
        found = [(t, t.weight) for t in terms(pod).preferred if _matches(t, pod, other, namespaces)]
        found += [(t, t.weight) for t in terms(other).preferred if _matches(t, other, pod, namespaces)]
        found += [(t, 1) for t in terms(other).near if _matches(t, other, pod, namespaces)]
        for term, weight in found:
            if term.key in labels:
                score[term.key, labels[term.key]] += weight
    raw = {name: sum(score[pair] for pair in nodes[name].metadata.labels.items()) for name in possible}
    least, most = min(raw.values()), max(raw.values())
    return {name: int(100 * ((value - least) / (most - least))) if most > least else 0 for name, value in raw.items()}


def _tolerated(node, pod):
    hard = [taint for taint in node.spec.taints if taint.effect != "PreferNoSchedule"]
    return all(any(t.key == taint.key for t in pod.spec.tolerations) for taint in hard)


def _counted(constraint, node, pod):
    wanted = pod.spec.node_selector
    selected = all(node.metadata.labels.get(key) == value for key, value in wanted.items())
    return (selected or not constraint.honors_affinity) and (not constraint.honors_taints or _tolerated(node, pod))


def _matching(constraint, pod, there):
    if constraint.selector.is_everything:
        return 0
    return sum(
        one.metadata.namespace == pod.metadata.namespace
        and one.metadata.deletion_timestamp is None
        and constraint.selector.matches(one.metadata.labels)
        for one in there
    )


def _has_all(node, wanted):
    return all(constraint.key in node.metadata.labels for constraint in wanted)


def spread(pod, nodes, pods):
    """{node: None, or why it is refused}."""
    wanted = constraints(pod, HARD)
    answer = dict.fromkeys(nodes)
    for constraint in wanted:
        totals = defaultdict(int)
        for name, node in nodes.items():
            if _has_all(node, wanted) and _counted(constraint, node, pod):
                totals[node.metadata.labels[constraint.key]] += _matching(constraint, pod, pods.get(name, ()))
        least = min(totals.values(), default=0) if len(totals) >= constraint.min_domains else 0
        itself = int(constraint.selector.matches(pod.metadata.labels))
        for name, node in nodes.items():
            value = node.metadata.labels.get(constraint.key)
            if answer[name] is None and value is None:
                answer[name] = "node(s) didn't match pod topology spread constraints (missing required label)"
            elif answer[name] is None and totals.get(value, 0) + itself - least > constraint.max_skew:
                answer[name] = "node(s) didn't match pod topology spread constraints"
    return answer


def evenness(pod, nodes, pods, possible, *, wanted=None):
    """Points of soft constraints; `wanted` are the scheduler's own, for which a node need not have every label."""
    own = wanted is None
    wanted = constraints(pod, SOFT) if own else wanted
    if not wanted:
        return dict.fromkeys(possible, 0)
    ignored = {name for name in possible if own and not _has_all(nodes[name], wanted)}
    scored = [name for name in possible if name not in ignored]
    raw = dict.fromkeys(scored, 0.0)
    for constraint in wanted:
        totals = {nodes[name].metadata.labels.get(constraint.key): 0 for name in scored}
        size = len(scored) if constraint.key == HOSTNAME else len(totals)
        for name, node in nodes.items():
            value = node.metadata.labels.get(constraint.key)
            if (not own or _has_all(node, wanted)) and _counted(constraint, node, pod) and value in totals:
                totals[value] += _matching(constraint, pod, pods.get(name, ()))
        for name in scored:
            value = nodes[name].metadata.labels.get(constraint.key)
            if value is not None:
                here = _matching(constraint, pod, pods.get(name, ())) if constraint.key == HOSTNAME else totals[value]
                raw[name] += here * math.log(size + 2) + constraint.max_skew - 1
    points = {name: math.floor(value + 0.5) for name, value in raw.items()}
    most, least = max(points.values(), default=0), min(points.values(), default=0)
    found = {name: 100 * (most + least - value) // most if most else 100 for name, value in points.items()}
    return {name: found.get(name, 0) for name in possible}


def least_allocated(pod, nodes, pods, possible):
    """Points for what is free of cpu and memory."""
    wanted = requests.for_scores(pod)
    return {name: _least(nodes[name], wanted, pods.get(name, ())) for name in possible}


def _least(node, wanted, there):
    points, counted = 0, 0
    for number, resource in enumerate(("cpu", "memory")):
        capacity = requests.amount(resource, node.status.allocatable.get(resource, "0"))
        used = wanted[number] + sum(requests.for_scores(one)[number] for one in there)
        if capacity:
            counted += 1
            points += (capacity - used) * 100 // capacity if used <= capacity else 0
    return points // counted if counted else 0


def balanced(pod, nodes, pods, possible):
    """Points for cpu and memory being used alike."""
    wanted = requests.requests(pod)
    if not wanted.get("cpu") and not wanted.get("memory"):
        return dict.fromkeys(possible, 0)
    return {name: _balance(nodes[name], wanted, pods.get(name, ())) for name in possible}


def _balance(node, wanted, there):
    shares = []
    for resource in ("cpu", "memory"):
        capacity = requests.amount(resource, node.status.allocatable.get(resource, "0"))
        used = wanted.get(resource, 0) + sum(requests.requests(one).get(resource, 0) for one in there)
        if capacity:
            shares.append(min(used / capacity, 1.0))
    deviation = abs((shares[0] - shares[1]) / 2) if len(shares) == 2 else 0.0
    return int((1 - deviation) * 100)
