"""Statements that never run where anybody is billed: behind the end of their block, or only where a program is developed."""

from rules.facts import (
    Branch,
    Call,
    Compare,
    Expression,
    Facts,
    Kind,
    Literal,
    Logical,
    Raise,
    Return,
    Scope,
    Span,
    Unary,
    chain,
    fold,
    name_of,
)

ENVIRONMENTS = frozenset("nodeenv appenv environment railsenv flaskenv djangoenv goenv env environmentname".split())
PRODUCTION = frozenset({"production", "prod", "live"})
DEVELOPMENT = frozenset({"development", "develop", "dev", "local", "test", "testing"})
FLAGS = {"isproduction": False, "isprod": False, "isdevelopment": True, "isdev": True, "islocal": True}
GOES_ON = (b"?:", b"??", b"||", b"&&", b"=", b"(", b",", b"->", b"=>", b" or", b" and")
"""How a line ends whose statement is not over."""
LEAVES_OUT = b"#"
"""A line that begins so may leave the next one out of some builds: `#if`, `#[cfg(…)]`."""


def never_runs(facts: Facts, scope: Scope, span: Span) -> bool:
    return behind_end(facts, scope, span) or in_development(scope)


def behind_end(facts: Facts, scope: Scope, span: Span) -> bool:
    """Whether its block, or one around it in the same function, has ended before with a return or throw."""
    blocks = []
    for one in chain(scope):
        blocks.append(one)
        if one.kind is Kind.FUNCTION:
            break
    if blocks[-1].kind is not Kind.FUNCTION:
        return False
    # What handles a failure lies in the scope that fails: a return there is not the last that runs.
    around = [
        block for inner, block in zip((None, *blocks), blocks, strict=False)
        if inner is None or block.kind is not Kind.TRY or inner.kind not in (Kind.HANDLER, Kind.FINALLY)
    ]  # fmt: skip
    ends: tuple[Return | Raise, ...] = (*facts.returns, *facts.raises)
    return any(end.span.end <= span.start and end.scope in around and is_statement(facts, end.span) for end in ends)


def is_statement(facts: Facts, end: Span) -> bool:
    """Whether it stands on a line of its own and is no part of the statement before."""
    start = facts.source.rfind(b"\n", 0, end.start) + 1
    before = facts.source[:start].rstrip()
    last = before[before.rfind(b"\n") + 1 :].strip()
    return not facts.source[start : end.start].strip() and not last.endswith(GOES_ON) and not last.startswith(LEAVES_OUT)


def in_development(scope: Scope) -> bool:
    """Whether a branch around it asks for the environment, and is not the one of production."""
    return any(
        isinstance(one.head, Branch)
        and one.head.test is not None
        and one.head.arm in ("then", "else")
        and asks_development(one.head.test) is (one.head.arm == "then")
        for one in chain(scope)
    )


def asks_development(test: Expression) -> bool | None:
    """Whether a test says that this is development (True) or production (False); None where it asks for anything else."""
    if isinstance(test, Unary) and test.operator == "not":
        inner = asks_development(test.value)
        return None if inner is None else not inner
    if isinstance(test, Logical) and test.operator == "and":
        return True if True in (asks_development(test.left), asks_development(test.right)) else None
    if isinstance(test, Compare) and test.operator in ("==", "!="):
        said = environment_said(test.left, test.right)
        return said if said is None or test.operator == "==" else not said
    named = fold(test.method if isinstance(test, Call) else name_of(test))
    return FLAGS.get(named)


def environment_said(left: Expression, right: Expression) -> bool | None:
    for asked, answer in ((left, right), (right, left)):
        if isinstance(answer, Literal) and isinstance(answer.value, str) and fold(name_of(asked)) in ENVIRONMENTS:
            return True if answer.value in DEVELOPMENT else False if answer.value in PRODUCTION else None
    return None
