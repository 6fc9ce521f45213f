"""Small deliberate faults in a module, one at a time: each is a place in its syntax tree and a change of it.

Pure. What makes noise is left out: annotations, docstrings, log calls, texts of errors, decorators, assertions, what
`__repr__` shows. A mutant changes the tree that it was found in, so a process tries one.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

_NEGATED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.Is: ast.IsNot,
    ast.In: ast.NotIn,
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
}
_NEGATED |= {other: one for one, other in _NEGATED.items()}
_SHIFTED: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Lt: ast.LtE, ast.Gt: ast.GtE}
_SHIFTED |= {other: one for one, other in _SHIFTED.items()}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
_UNRUN = {"annotation", "returns", "decorator_list", "type_params", "bases"}
"""Parts of a node that change nothing at run time, or nothing but types."""
_LOGS = {"log", "logger"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault. `lines`: of the statement that it is in; None: it runs when the module is imported."""

    line: int
    what: str
    lines: range | None
    apply: Callable[[], None]


def mutants(tree: ast.Module) -> list[Mutant]:
    """All of a module's, in the order of its lines."""
    return sorted(_below(tree, None, inside=False), key=lambda mutant: mutant.line)


def _below(node: ast.AST, lines: range | None, *, inside: bool) -> Iterator[Mutant]:
    """Those of a node's children. `inside`: a function's body."""
    for name, value in ast.iter_fields(node):
        if name in _UNRUN:
            continue
        runs = inside or (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and name == "body")
        children = value if isinstance(value, list) else [value]
        for index, child in enumerate(children):
            if not isinstance(child, ast.AST) or _is_noise(child):
                continue
            where = _statement_lines(child) if runs and isinstance(child, ast.stmt) else lines

            def put(new: ast.AST, old: ast.AST = child, index: int = index, name: str = name) -> None:
                ast.copy_location(new, old)
                if isinstance(getattr(node, name), list):
                    getattr(node, name)[index] = new
                else:
                    setattr(node, name, new)

            for what, change in _changes(child, node, put):
                yield Mutant(getattr(child, "lineno", getattr(node, "lineno", 0)), what, where, change)
            yield from _below(child, where, inside=runs)


def _statement_lines(statement: ast.stmt) -> range:
    """Of a simple statement, or of the head of a compound one."""
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if body else statement.end_lineno or statement.lineno
    return range(statement.lineno, max(last, statement.lineno) + 1)


def _is_noise(node: ast.AST) -> bool:
    match node:
        case ast.Assert() | ast.JoinedStr() | ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
            return True
        case ast.FunctionDef(name="__repr__"):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name))) if name in _LOGS:
            return True
        case ast.Expr(value=value) | ast.Await(value=value):
            return _is_noise(value)
        case ast.Subscript(value=ast.Name(id="Literal" | "Annotated")):
            return True
        case ast.Call(func=ast.Name(id="TypeVar" | "assert_never")):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.keyword(arg="strict"):
            return True
        case ast.Assign(targets=[ast.Name(id="log" | "__all__" | "__slots__")]):
            return True
    return False


_Changes = Iterator[tuple[str, Callable[[], None]]]


def _changes(node: ast.AST, parent: ast.AST, put: Callable[[ast.AST], None]) -> _Changes:
    """What can be wrong with this very node: in words, and as a change of it or of its place."""
    if isinstance(node, ast.expr):
        yield from _expression(node, parent, put)
        if _is_condition(node, parent) and not isinstance(node, ast.Compare | ast.Constant):
            yield "condition negated", lambda: put(ast.UnaryOp(ast.Not(), node))
    elif isinstance(node, ast.stmt):
        yield from _statement(node, put)


def _is_condition(node: ast.expr, parent: ast.AST) -> bool:
    match parent:
        case ast.If() | ast.While() | ast.IfExp():
            return node is parent.test
        case ast.comprehension():
            return node in parent.ifs
    return False


def _expression(node: ast.expr, parent: ast.AST, put: Callable[[ast.AST], None]) -> _Changes:
    match node:
        case ast.Compare(ops=ops):
            for index, op in enumerate(ops):
                for table in (_NEGATED, _SHIFTED):
                    if other := table.get(type(op)):
                        yield _swap(op, other), partial(_set, ops, index, other())
        case ast.BoolOp(op=op):
            other_op = ast.Or if isinstance(op, ast.And) else ast.And
            yield _swap(op, other_op), lambda: setattr(node, "op", other_op())
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield f"{type(node.op).__name__} removed", lambda: put(operand)
        case ast.BinOp(op=op) if operator := _ARITHMETIC.get(type(op)):
            yield _swap(op, operator), lambda: setattr(node, "op", operator())
        case ast.Call(func=ast.Name(id=name) as function) if name in _NAMES:
            yield f"{name} -> {_NAMES[name]}", lambda: setattr(function, "id", _NAMES[name])
        case ast.Constant(value=value) if not isinstance(parent, ast.Raise) and (others := _others(value)):
            yield f"{value!r} -> {others[0]!r}", lambda: put(ast.Constant(others[0]))


def _statement(node: ast.stmt, put: Callable[[ast.AST], None]) -> _Changes:
    match node:
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield "return None", lambda: setattr(node, "value", ast.copy_location(ast.Constant(None), value))
        case ast.AugAssign(op=op) if operator := _ARITHMETIC.get(type(op)):
            yield _swap(op, operator), lambda: setattr(node, "op", operator())
            yield "assignment removed", lambda: put(ast.Pass())
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_]):
            yield "assignment removed", lambda: put(ast.Pass())
        case ast.Expr(value=ast.Call() | ast.Await() | ast.Yield() | ast.YieldFrom()):
            yield "call removed", lambda: put(ast.Pass())
        case ast.Raise() | ast.Delete():
            yield f"{type(node).__name__.lower()} removed", lambda: put(ast.Pass())
        case ast.Break():
            yield "break -> continue", lambda: put(ast.Continue())
        case ast.Continue():
            yield "continue -> break", lambda: put(ast.Break())


def _others(value: object) -> list[Any]:
    """Another constant of the type, in a list; none where it would only change a text or a type."""
    match value:
        case bool():
            return [not value]
        case int() | float():
            return [value + 1]
        case str() if value and " " not in value:
            return [value + "!"]
        case bytes():
            return [value + b"!"]
    return []


def _swap(one: ast.AST, other: type[ast.AST]) -> str:
    return f"{type(one).__name__} -> {other.__name__}"


def _set(items: list[Any], index: int, item: object) -> None:
    items[index] = item
