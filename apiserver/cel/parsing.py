"""Source to tree, macros expanded. A recursive descent over CEL's grammar, with the messages ANTLR gives in cel-go.

After the first wrong token the rest is not looked at (ANTLR recovers and may complain again about what follows).
Source: cel-go/parser/gen/CEL.g4, cel-go/parser/parser.go, ANTLR's DefaultErrorStrategy for the wording.
"""

from collections.abc import Callable
from typing import NoReturn

from apiserver.cel.errors import Problem
from apiserver.cel.lexing import Token, tokens, unquote, unquote_bytes
from apiserver.cel.macros import MacroError, expand
from apiserver.cel.nodes import (
    Call,
    Entry,
    FieldEntry,
    Ident,
    ListLiteral,
    Literal,
    MapLiteral,
    Node,
    ObjectLiteral,
    Select,
)
from apiserver.cel.values import Uint

MAX_DEPTH = 250
MAX_SIZE = 100_000
#: Parentheses, brackets and arguments within one another. cel-go allows 250; a Python stack is shallower.
_MAX_NESTING = 90

_RESERVED = frozenset(
    (
        "as",
        "break",
        "const",
        "continue",
        "else",
        "false",
        "for",
        "function",
        "if",
        "import",
        "in",
        "let",
        "loop",
        "package",
        "namespace",
        "null",
        "return",
        "true",
        "var",
        "void",
        "while",
    )
)
#: What may start an expression, in the grammar's order of tokens.
_ORDER = ("[", "]", "{", "}", "(", ")", ".", ",", "-", "!", "?")
_EXPRESSION = frozenset("[{(.-!")
_LITERAL_NAMES = "'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER"
_STARTS = frozenset(
    ("[", "{", "(", ".", "-", "!", "true", "false", "null", "NUM_FLOAT", "NUM_INT", "NUM_UINT", "STRING", "BYTES")
) | {"IDENTIFIER"}
_FIRST_FIELD = "{'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}"
_RELATIONS = {"<": "_<_", "<=": "_<=_", ">=": "_>=_", ">": "_>_", "==": "_==_", "!=": "_!=_", "in": "@in"}
_SUMS = {"+": "_+_", "-": "_-_"}
_PRODUCTS = {"*": "_*_", "/": "_/_", "%": "_%_"}


class SyntaxProblem(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def parse(source: str, *, binds: bool = False) -> tuple[Node | None, list[Problem]]:
    """The tree, or why there is none. Only some environments have `cel.bind`."""
    if len(source) > MAX_SIZE:
        text = f"expression code point size exceeds limit: size: {len(source)}, limit {MAX_SIZE}"
        return None, [Problem(-1, text)]
    found, problems = tokens(source)
    parser = _Parser(found, binds=binds)
    try:
        node = parser.start()
    except SyntaxProblem as wrong:
        return None, [*problems, *parser.problems, wrong.problem]
    problems += parser.problems
    return (None if problems else node), problems


class _Parser:
    def __init__(self, found: list[Token], *, binds: bool) -> None:
        self.binds = binds
        self.tokens = found
        self.at = 0
        self.nesting = 0
        self.also = ""  #: what else could stand where an expression begins
        self.problems: list[Problem] = []

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def take(self, kind: str) -> Token | None:
        token = self.tokens[self.at]
        if token.kind != kind:
            return None
        self.at += 1
        return token

    def need(self, kind: str, shown: str) -> Token:
        token = self.take(kind)
        if token is None:
            self._missing(kind, shown)
        return token

    def _missing(self, kind: str, shown: str) -> NoReturn:
        token = self.token
        after = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        if after.kind == kind and token.kind != "<EOF>":
            self.fail(f"extraneous input '{token.text}' expecting {shown}")
        if kind in (")", "]", "}") and shown.startswith("'"):
            self.fail(f"missing '{kind}' at '{token.text}'")
        self.fail(f"mismatched input '{token.text}' expecting {shown}")

    def fail(self, message: str, offset: int | None = None) -> NoReturn:
        raise SyntaxProblem(Problem(self.token.offset if offset is None else offset, f"Syntax error: {message}"))

    def complain(self, offset: int, message: str) -> None:
        self.problems.append(Problem(offset, message))

    def start(self) -> Node:
        node = self.expression()
        if self.token.kind != "<EOF>":
            after = self.tokens[self.at + 1].kind
            verb = "extraneous" if after == "<EOF>" else "mismatched"
            self.fail(f"{verb} input '{self.token.text}' expecting <EOF>")
        return node

    def expression(self, also: str = "") -> Node:
        self.nesting += 1
        self.also = also
        if self.nesting > _MAX_NESTING:
            raise SyntaxProblem(Problem(-1, f"expression recursion limit exceeded: {MAX_DEPTH}"))
        node = self.logic("||", "_||_")
        if question := self.take("?"):
            yes = self.logic("||", "_||_")
            self.need(":", "':'")
            no = self.expression()
            node = Call(offset=question.offset, function="_?_:_", target=None, args=[node, yes, no])
        self.nesting -= 1
        return node

    def logic(self, operator: str, function: str) -> Node:
        """A chain of one logical operator, as a balanced tree: it is no deeper than the logarithm of its length."""

        def below() -> Node:
            return self.logic("&&", "_&&_") if operator == "||" else self.relation()

        terms = [below()]
        offsets: list[int] = []
        while token := self.take(operator):
            offsets.append(token.offset)
            terms.append(below())
        return _balanced(function, terms, offsets)

    def relation(self) -> Node:
        return self.chain(self.sum, _RELATIONS)

    def sum(self) -> Node:
        return self.chain(self.product, _SUMS)

    def product(self) -> Node:
        return self.chain(self.unary, _PRODUCTS)

    def chain(self, operand: Callable[[], Node], operators: dict[str, str]) -> Node:
        node = operand()
        while function := operators.get(self.token.kind):
            offset = self.token.offset
            self.at += 1
            node = Call(offset=offset, function=function, target=None, args=[node, operand()])
        return node

    def unary(self) -> Node:
        sign = self.token
        if sign.kind not in ("!", "-"):
            return self.member()
        follows = self.tokens[self.at + 1].kind
        if sign.kind == "-" and follows in ("NUM_INT", "NUM_FLOAT"):
            return self.member()
        count = 0
        while self.take(sign.kind):
            count += 1
        node = self.member()
        if count % 2 == 0:
            return node
        return Call(offset=sign.offset, function="!_" if sign.kind == "!" else "-_", target=None, args=[node])

    def member(self) -> Node:
        node = self.primary()
        while True:
            if dot := self.take("."):
                node = self.selected(node, dot)
            elif bracket := self.take("["):
                optional = self.take("?")
                index = self.expression("" if optional else "?")
                self.need("]", "']'")
                function = "_[?_]" if optional else "_[_]"
                node = Call(offset=bracket.offset, function=function, target=None, args=[node, index])
            else:
                return node

    def selected(self, operand: Node, dot: Token) -> Node:
        optional = self.take("?")
        name = self.take("IDENTIFIER") or self.take("ESC_IDENTIFIER")
        if name is None:
            self.no_name()
        if not optional and name.kind == "IDENTIFIER" and (opened := self.take("(")):
            return self.call(opened.offset, name.text, operand, self.arguments(")"))
        if name.kind == "ESC_IDENTIFIER":
            # Upstream does not turn escaped identifiers on: fields are escaped by underscores.
            self.complain(name.offset, "unsupported syntax: '`'")
        if optional:
            field: Node = Literal(offset=name.offset, value=name.text)
            return Call(offset=dot.offset, function="_?._", target=None, args=[operand, field])
        return Select(offset=dot.offset, operand=operand, field=name.text)

    def no_name(self) -> NoReturn:
        if self.token.kind in ("true", "false", "null", "in"):
            shown = self.token.text
            self.fail(f"mismatched input '{shown}' expecting IDENTIFIER")
        shown = "" if self.token.kind == "<EOF>" else self.token.text
        self.fail(f"no viable alternative at input '.{shown}'")

    def arguments(self, closing: str) -> list[Node]:
        args: list[Node] = []
        if self.take(closing):
            return args
        while True:
            args.append(self.expression("" if args else closing))
            if not self.take(","):
                self.need(closing, "{',', '" + closing + "'}")
                return args

    def primary(self) -> Node:
        token = self.token
        self.at += 1
        match token.kind:
            case "IDENTIFIER":
                return self.name(token, "")
            case ".":
                name = self.need("IDENTIFIER", "IDENTIFIER")
                return self.name(name, ".")
            case "(":
                node = self.expression()
                self.need(")", "')'")
                return node
            case "[":
                return self.list_literal(token)
            case "{":
                return self.map_literal(token)
            case _:
                self.at -= 1
                return self.literal()

    def name(self, token: Token, dot: str) -> Node:
        if self.token.kind == "{" or (self.token.kind == "." and self.is_object()):
            return self.object_literal(token, dot)
        if token.text in _RESERVED:
            self.complain(token.offset, f"reserved identifier: {token.text}")
        if opened := self.take("("):
            return self.call(opened.offset, dot + token.text, None, self.arguments(")"))
        return Ident(offset=token.offset, name=dot + token.text)

    def is_object(self) -> bool:
        at = self.at
        while self.tokens[at].kind == "." and self.tokens[at + 1].kind == "IDENTIFIER":
            at += 2
        return self.tokens[at].kind == "{"

    def object_literal(self, token: Token, dot: str) -> Node:
        name = dot + token.text
        while self.take("."):
            name += "." + self.need("IDENTIFIER", "IDENTIFIER").text
        opened = self.need("{", "'{'")
        entries: list[FieldEntry] = []
        while not self.take("}"):
            optional = bool(self.take("?"))
            begins = "{'}', '?', IDENTIFIER, ESC_IDENTIFIER}" if entries else _FIRST_FIELD
            field = self.need("IDENTIFIER", "{IDENTIFIER, ESC_IDENTIFIER}" if optional else begins)
            colon = self.need(":", "':'")
            value = self.expression()
            entries.append(FieldEntry(offset=colon.offset, name=field.text, value=value, optional=optional))
            if not self.take(","):
                self.need("}", "{'}', ','}")
                break
        return ObjectLiteral(offset=opened.offset, name=name, entries=entries)

    def list_literal(self, opened: Token) -> Node:
        items: list[Node] = []
        optional: set[int] = set()
        while not self.take("]"):
            if items and self.token.kind == ",":
                self.fail("mismatched input ',' expecting ']'")
            if self.take("?"):
                optional.add(len(items))
            items.append(self.expression("" if items else "],?"))
            if not self.take(","):
                self.need("]", "{']', ','}")
                break
        return ListLiteral(offset=opened.offset, items=items, optional=frozenset(optional))

    def map_literal(self, opened: Token) -> Node:
        entries: list[Entry] = []
        while not self.take("}"):
            optional = bool(self.take("?"))
            key = self.expression("" if entries else "},?")
            colon = self.need(":", "':'")
            value = self.expression()
            entries.append(Entry(offset=colon.offset, key=key, value=value, optional=optional))
            if not self.take(","):
                self.need("}", "{'}', ','}")
                break
        return MapLiteral(offset=opened.offset, entries=entries)

    def literal(self) -> Node:
        start = self.token
        sign = "-" if self.take("-") else ""
        token = self.token
        if token.kind in ("true", "false", "null"):
            self.at += 1
            return Literal(offset=start.offset, value={"true": True, "false": False, "null": None}[token.kind])
        if sign and token.kind not in ("NUM_INT", "NUM_FLOAT"):
            return self.not_an_expression()
        if token.kind in _LITERALS:
            self.at += 1
            return Literal(offset=start.offset, value=self.value(token, sign, start.offset))
        return self.not_an_expression()

    def not_an_expression(self) -> NoReturn:
        after = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        verb = "extraneous" if after.kind in _STARTS and self.token.kind != "<EOF>" else "mismatched"
        expected = ", ".join(f"'{c}'" for c in _ORDER if c in _EXPRESSION or c in self.also)
        self.fail(f"{verb} input '{self.token.text}' expecting {{{expected}, {_LITERAL_NAMES}}}")

    def value(self, token: Token, sign: str, offset: int) -> object:
        try:
            return _LITERALS[token.kind](sign + token.text)
        except ValueError as wrong:
            named = {"NUM_INT": "invalid int literal", "NUM_UINT": "invalid uint literal"}
            self.complain(offset, named.get(token.kind, str(wrong)))
            return None

    def call(self, offset: int, function: str, target: Node | None, args: list[Node]) -> Node:
        try:
            expanded = expand(offset, function, target, args, binds=self.binds)
        except MacroError as wrong:
            self.complain(wrong.offset, str(wrong))
            expanded = Literal(offset=offset, value=None)
        return expanded or Call(offset=offset, function=function, target=target, args=args)


def _balanced(function: str, terms: list[Node], offsets: list[int]) -> Node:
    if len(terms) == 1:
        return terms[0]
    middle = len(offsets) // 2
    left = _balanced(function, terms[: middle + 1], offsets[:middle])
    right = _balanced(function, terms[middle + 1 :], offsets[middle + 1 :])
    return Call(offset=offsets[middle], function=function, target=None, args=[left, right])


def _int(text: str) -> int:
    value = int(text, 16) if "0x" in text else int(text)
    if not -(2**63) <= value < 2**63:
        raise ValueError
    return value


def _uint(text: str) -> Uint:
    value = int(text[:-1], 16) if "0x" in text else int(text[:-1])
    if value >= 2**64:
        raise ValueError
    return Uint(value)


def _double(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("invalid double literal")
    return value


_LITERALS: dict[str, Callable[[str], object]] = {
    "NUM_INT": _int,
    "NUM_UINT": _uint,
    "NUM_FLOAT": _double,
    "STRING": unquote,
    "BYTES": unquote_bytes,
}
