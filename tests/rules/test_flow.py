"""What runs before what, and what runs alone."""

from rules.code import Code
from rules.facts import Call
from rules.meaning.flow import exclusive, follows, held_alone, precedes, runs_alone
from tests.rules.examples import code_of


def python(body: str) -> Code:
    return code_of("code.py", body)


def typescript(body: str) -> Code:
    return code_of("code.ts", body)


def call(code: Code, name: str) -> Call:
    return next(one for one in code.facts.calls if one.method == name)


def before(code: Code, first: str, second: str) -> bool:
    one, other = call(code, first), call(code, second)
    return precedes(code, one.span, one.scope, other.span, other.scope)


def after_all(code: Code, first: str, second: str) -> bool:
    one, other = call(code, first), call(code, second)
    return follows(code, one.span, one.scope, other.span, other.scope)


def test_statements_of_one_function_run_in_order() -> None:
    code = python("def f():\n    look()\n    take()\n")

    assert before(code, "look", "take")
    assert not before(code, "take", "look")


def test_nothing_follows_a_branch_that_leaves() -> None:
    code = python("def f(x):\n    if x:\n        refuse()\n        return\n    take()\n")

    assert not before(code, "refuse", "take")


def test_the_arms_of_one_test_exclude_each_other() -> None:
    code = python("def f(x):\n    if x:\n        one()\n    else:\n        other()\n")

    assert exclusive(call(code, "one").scope, call(code, "other").scope)
    assert not before(code, "one", "other")


def test_functions_have_no_order_between_them() -> None:
    code = python("def f():\n    look()\n\ndef g():\n    take()\n")

    assert not before(code, "look", "take")
    assert not after_all(code, "look", "take")


def test_a_callback_made_after_a_statement_follows_it() -> None:
    code = typescript("function f() {\n  look();\n  later(() => { take(); });\n}\n")

    assert not before(code, "look", "take")
    assert after_all(code, "look", "take")


def test_what_is_deferred_follows_what_stands_before_it() -> None:
    code = code_of("code.go", "package a\n\nfunc f() {\n\tlook()\n\tdefer func() {\n\t\ttake()\n\t}()\n}\n")

    assert after_all(code, "look", "take")


def test_a_named_function_inside_runs_when_it_is_called() -> None:
    code = python("def f():\n    look()\n    def g():\n        take()\n    return g\n")

    assert not after_all(code, "look", "take")


def test_a_row_lock_anywhere_in_the_function_makes_it_run_alone() -> None:
    code = python("def f(q):\n    row = q.with_for_update().one()\n    take(row)\n")

    assert runs_alone(code, call(code, "take").scope)


def test_a_lock_around_a_block_makes_it_run_alone() -> None:
    code = python("def f(lock):\n    with lock:\n        take()\n")

    assert runs_alone(code, call(code, "take").scope)


def test_nothing_around_a_statement_leaves_it_unprotected() -> None:
    code = python("def f():\n    take()\n")

    assert not runs_alone(code, call(code, "take").scope)


def test_a_transaction_of_the_writes_alone_does_not_hold_what_was_tested_before() -> None:
    code = typescript("async function f(db) {\n  look();\n  await db.$transaction([take()]);\n}\n")
    look = call(code, "look")

    assert not held_alone(code, look.scope, look.span.start)


def test_a_transaction_around_the_test_holds_it() -> None:
    code = typescript("async function f(db) {\n  await db.$transaction(async (tx) => { look(); take(); });\n}\n")
    look = call(code, "look")

    assert held_alone(code, look.scope, look.span.start)


def test_a_transaction_that_is_begun_before_the_test_holds_it() -> None:
    code = code_of("code.go", "package a\n\nfunc f(db *DB) {\n\ttx := db.Begin()\n\tlook(tx)\n}\n")
    look = call(code, "look")

    assert held_alone(code, look.scope, look.span.start)
