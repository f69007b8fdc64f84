"""Which pods are where, as counts: [node] vectors that are kept up to date as pods come and go.

A question that has been asked is answered from its vector, and a pod that comes or goes changes only the vectors of the
questions it could concern (found by its namespace and labels). So a placement costs a few vector operations, however
many pods there are. `Supposed` answers as if some pods were there, or gone: for nominated pods and for preemption.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from apimachinery.selectors import EQUAL, IN
from scheduler.columns import Ints
from scheduler.placed import Placed
from scheduler.terms import Question, Term
from scheduler.views import Pod

QUESTIONS = 1024  # kept at most; the one not asked for longest is forgotten

#: A change to suppose: the node's row, the pod, and +1 or -1.
Change = tuple[int, Placed, int]
_Key = tuple[str | None, str, str]


class Counts(Protocol):
    """What filters and scores may ask. The answers belong to the census: nobody changes them."""

    def matching(self, question: Question) -> Ints:
        """How many of the pods asked for are on each node."""
        ...

    def apart(self) -> Iterable[tuple[Term, Ints]]:
        """The required anti-affinity terms of the pods that are there, and how many on each node say it."""
        ...

    def preferring(self) -> Iterable[tuple[Term, Ints]]:
        """The same for preferred terms, and for required affinity, which has no weight of its own."""
        ...

    def users(self, claim: str) -> int:
        """How many pods have the claim."""
        ...

    def pods(self, row: int) -> Collection[Placed]:
        """The pods of a node."""
        ...


def _preferences(placed: Placed) -> Iterator[Term]:
    yield from placed.terms.preferred
    yield from placed.terms.near


class Census:
    """The pods that are on the nodes of one set of rows."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._on: list[dict[str, Placed]] = [{} for _ in range(rows)]
        self._in: dict[str, dict[str, tuple[int, Placed]]] = defaultdict(dict)  # by namespace
        self._answers: dict[Question, Ints] = {}  # the one asked last is last
        self._asked: dict[_Key, dict[Question, None]] = defaultdict(dict)
        self._apart: dict[Term, Ints] = {}
        self._preferring: dict[Term, Ints] = {}
        self._users: Counter[str] = Counter()

    def count(self, row: int, placed: Placed, sign: int) -> None:
        """Adds a pod to its node, or takes it away."""
        uid, namespace = placed.pod.metadata.uid, placed.pod.metadata.namespace
        if sign > 0:
            self._on[row][uid] = placed
            self._in[namespace][uid] = (row, placed)
        else:
            self._on[row].pop(uid, None)
            self._in[namespace].pop(uid, None)
        for key in _keys_of_pod(placed.pod):
            for question in self._asked.get(key, ()):
                if question.matches(placed.pod):
                    self._answers[question][row] += sign
        self._users.update(dict.fromkeys(placed.claims, sign))
        for term in placed.terms.apart:
            self._add(self._apart, term, row, sign)
        for term in _preferences(placed):
            self._add(self._preferring, term, row, sign)

    def _add(self, vectors: dict[Term, Ints], term: Term, row: int, sign: int) -> None:
        vector = vectors.get(term)
        if vector is None:
            vector = vectors[term] = np.zeros(self._rows, np.int64)
        vector[row] += sign
        if sign < 0 and not vector.any():
            del vectors[term]

    def renew(self, row: int, placed: Placed) -> None:
        """Takes in a newer state of a pod that counts as before."""
        uid = placed.pod.metadata.uid
        self._on[row][uid] = placed
        self._in[placed.pod.metadata.namespace][uid] = (row, placed)

    def pods(self, row: int) -> Collection[Placed]:
        return self._on[row].values()

    def matching(self, question: Question) -> Ints:
        answer = self._answers.pop(question, None)
        if answer is None:
            answer = self._counted(question)
            for key in _keys_of_question(question):
                self._asked[key][question] = None
        self._answers[question] = answer
        if len(self._answers) > QUESTIONS:
            self._forget(next(iter(self._answers)))
        return answer

    def _counted(self, question: Question) -> Ints:
        answer = np.zeros(self._rows, np.int64)
        namespaces = question.wanted[0].namespaces
        for namespace in self._in if namespaces is None else namespaces:
            for row, placed in self._in.get(namespace, {}).values():
                if question.matches(placed.pod):
                    answer[row] += 1
        return answer

    def _forget(self, question: Question) -> None:
        del self._answers[question]
        for key in _keys_of_question(question):
            self._asked[key].pop(question, None)
            if not self._asked[key]:
                del self._asked[key]

    def apart(self) -> Iterable[tuple[Term, Ints]]:
        return self._apart.items()

    def preferring(self) -> Iterable[tuple[Term, Ints]]:
        return self._preferring.items()

    def users(self, claim: str) -> int:
        return self._users[claim]


def _keys_of_question(question: Question) -> list[_Key]:
    """Where a question waits for pods: by namespace, and by a label that it asks for, where it asks for one."""
    who = question.wanted[0]
    wanted = next((r for r in who.selector.requirements if r.operator in (EQUAL, IN)), None)
    labels = [(wanted.key, value) for value in wanted.values] if wanted is not None else [("", "")]
    namespaces: Collection[str | None] = (None,) if who.namespaces is None else who.namespaces
    return [(namespace, key, value) for namespace in namespaces for key, value in labels]


def _keys_of_pod(pod: Pod) -> list[_Key]:
    labels = [("", ""), *pod.metadata.labels.items()]
    return [(namespace, key, value) for namespace in (None, pod.metadata.namespace) for key, value in labels]


@dataclass(frozen=True, slots=True)
class Supposed:
    """The counts as they would be after some changes."""

    base: Counts
    rows: int
    changes: Sequence[Change]

    def matching(self, question: Question) -> Ints:
        answer = self.base.matching(question).copy()
        for row, placed, sign in self.changes:
            if question.matches(placed.pod):
                answer[row] += sign
        return answer

    def apart(self) -> Iterable[tuple[Term, Ints]]:
        return self._changed(self.base.apart(), lambda placed: placed.terms.apart)

    def preferring(self) -> Iterable[tuple[Term, Ints]]:
        return self._changed(self.base.preferring(), _preferences)

    def _changed(
        self, vectors: Iterable[tuple[Term, Ints]], terms_of: Callable[[Placed], Iterable[Term]]
    ) -> Iterable[tuple[Term, Ints]]:
        found, copied = dict(vectors), set[Term]()
        for row, placed, sign in self.changes:
            for term in terms_of(placed):
                if term not in copied:
                    copied.add(term)
                    found[term] = found[term].copy() if term in found else np.zeros(self.rows, np.int64)
                found[term][row] += sign
        return found.items()

    def users(self, claim: str) -> int:
        return self.base.users(claim) + sum(sign for _, placed, sign in self.changes if claim in placed.claims)

    def pods(self, row: int) -> Collection[Placed]:
        there = {placed.pod.metadata.uid: placed for placed in self.base.pods(row)}
        for where, placed, sign in self.changes:
            if where == row and sign > 0:
                there[placed.pod.metadata.uid] = placed
            elif where == row:
                there.pop(placed.pod.metadata.uid, None)
        return there.values()
