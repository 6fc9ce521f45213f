"""Which faults are put into a module, and that each changes one thing."""

import ast
from textwrap import dedent

import pytest

from scripts.mutants import mutants


def faults(text):
    """Every fault as what it is called and what becomes of the module."""
    text = dedent(text).strip()
    found = {}
    for index, mutant in enumerate(mutants(ast.parse(text))):
        tree = ast.parse(text)
        mutants(tree)[index].apply()
        found[f"{mutant.line} {mutant.what}"] = ast.unparse(tree)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a < b", {"1 Lt -> GtE": "a >= b", "1 Lt -> LtE": "a <= b"}),
        ("a == b", {"1 Eq -> NotEq": "a != b"}),
        ("a is None", {"1 Is -> IsNot": "a is not None"}),
        ("a < b <= c", {"1 Lt -> GtE": "a >= b <= c", "1 Lt -> LtE": "a <= b <= c",
                        "1 LtE -> Gt": "a < b > c", "1 LtE -> Lt": "a < b < c"}),
        ("a and b", {"1 And -> Or": "a or b"}),
        ("not a", {"1 Not removed": "a"}),
        ("-a", {"1 USub removed": "a"}),
        ("a + b", {"1 Add -> Sub": "a - b"}),
        ("a / b", {"1 Div -> Mult": "a * b"}),
        ("min(a, b)", {"1 call removed": "pass", "1 min -> max": "max(a, b)"}),
        ("x = 7", {"1 7 -> 8": "x = 8"}),
        ("x = True", {"1 True -> False": "x = False"}),
        ("x = 'key'", {"1 'key' -> 'key!'": "x = 'key!'"}),
        ("x.y = z", {"1 assignment removed": "pass"}),
        ("x += y", {"1 Add -> Sub": "x -= y", "1 assignment removed": "pass"}),
        ("del x[y]", {"1 delete removed": "pass"}),
        ("x = [y for y in z if y]", {"1 condition negated": "x = [y for y in z if not y]"}),
        ("if x:\n    y()", {"1 condition negated": "if not x:\n    y()", "2 call removed": "if x:\n    pass"}),
        ("for x in y:\n    break", {"2 break -> continue": "for x in y:\n    continue"}),
        ("for x in y:\n    continue", {"2 continue -> break": "for x in y:\n    break"}),
        ("def f():\n    return x", {"2 return None": "def f():\n    return None"}),
        ("def f():\n    raise x", {"2 raise removed": "def f():\n    pass"}),
    ],
)  # fmt: skip
def test_a_fault(text, expected):
    assert faults(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        '"""Words."""',
        "def f(x: Literal['a'] = y) -> Literal['b']:\n    '''Words.'''\n    return None",
        "log.warning('key', extra={'a': 1 + 2})",
        "x = f'{y:02}'",
        "x = 'a sentence'",
        "assert x == 1",
        "@dataclass(frozen=True)\nclass X:\n    y: Literal[1]",
        "def __repr__(self):\n    return 1 + 2",
        "if TYPE_CHECKING:\n    x = 1",
        "__slots__ = ('a',)",
        "x = zip(a, b, strict=True)",
        "from x import y",
        "T = TypeVar('T', bound=X)",
    ],
)
def test_noise_is_left_out(text):
    assert faults(text) == {}


def test_the_lines_that_a_test_must_reach_are_those_of_the_statement_or_of_its_head():
    found = mutants(ast.parse("X = 1\ndef f(a=2):\n    if (a and\n        b):\n        return (c +\n            3)\n"))

    assert [(mutant.what, mutant.lines) for mutant in found] == [
        ("1 -> 2", None),
        ("2 -> 3", None),
        ("And -> Or", range(3, 5)),
        ("condition negated", range(3, 5)),
        ("return None", range(5, 7)),
        ("Add -> Sub", range(5, 7)),
        ("3 -> 4", range(5, 7)),
    ]
