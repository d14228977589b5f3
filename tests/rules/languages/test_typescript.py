import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.facts import (
    Branch,
    Call,
    Class,
    Compare,
    Conditional,
    Expression,
    Facts,
    Function,
    Handler,
    Kind,
    Lambda,
    Literal,
    Logical,
    Loop,
    Member,
    Name,
    Object,
    Scope,
    Sequence,
    Spread,
    Start,
    Template,
    Unary,
    Unknown,
    Use,
    dotted,
    enclosing,
    walk,
)
from rules.languages.lowering import TooComplexError
from rules.languages.typescript import SUFFIXES, lower
from tests.rules.languages.found import assigned as assign
from tests.rules.languages.found import call_named as call


def facts(source: str, path: str = "src/usage.ts") -> Facts:
    return lower(path, source.encode())


def function(read: Facts, name: str) -> Function:
    found = [s.head for s in read.scopes if isinstance(s.head, Function) and s.head.name == name]
    assert len(found) == 1
    return found[0]


def heads(read: Facts, kind: type) -> list:
    return [scope.head for scope in read.scopes if isinstance(scope.head, kind)]


def around(one: Call) -> Handler | None:
    scope = enclosing(one.scope, Kind.HANDLER)
    return scope.head if scope is not None and isinstance(scope.head, Handler) else None


def names(expression: Expression | None) -> list[str]:
    return [part.text for part in walk(expression) if isinstance(part, Name)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_suffix_is_read_as_its_language(suffix: str) -> None:
    read = facts("track(1);", f"src/usage{suffix}")
    assert call(read, "track")
    assert read.language == ("typescript" if "ts" in suffix else "javascript")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import S from 'stripe'; S.billing.meterEvents.create()", "stripe.billing.meterEvents.create"),
        ("import * as S from 'stripe'; S.Meter.create()", "stripe.Meter.create"),
        ("import { track } from 'autumn-js'; track()", "autumn-js.track"),
        ("import { track as t } from 'autumn-js'; t()", "autumn-js.track"),
        ("import { default as S } from 'stripe'; S.x()", "stripe.x"),
        ("import S = require('stripe'); S.x()", "stripe.x"),
        ("const S = require('stripe'); S.x()", "stripe.x"),
        ("const S = require('stripe').Stripe; S.x()", "stripe.Stripe.x"),
        ("const { track: t } = require('autumn-js'); t()", "autumn-js.track"),
        ("const { track } = await import('autumn-js'); track()", "autumn-js.track"),
        ("import { track } from '../lib/usage.js'; track()", "lib.usage.track"),
        ("import { track } from '@/lib/usage'; track()", "lib.usage.track"),
        ("import track from './report'; track()", "report.track"),
        ("import usage from './usage'; usage.add()", "usage.add"),
        ("import { track } from '.'; track()", "track"),
    ],
)
def test_imports_are_resolved_in_the_name_of_a_call(source: str, name: str) -> None:
    assert call(facts(source), name)


def test_a_name_is_folded_for_matching() -> None:
    assert call(facts("billing.meter_events.createMany()"), "billing.meter_events.createMany").folded == (
        "billing.meterevents.createmany"
    )


def test_a_type_import_is_ignored() -> None:
    read = facts("import type { A } from 'a'; import { type B, C } from 'c';")
    assert read.imports == {"C": "c.C"}
    assert read.packages == {"c"}


def test_packages_are_kept_as_written() -> None:
    read = facts("import '@polar-sh/sdk'; export * from './x'; const a = require('stripe'); await import('ioredis');")
    assert read.packages == {"@polar-sh/sdk", "./x", "stripe", "ioredis"}


@pytest.mark.parametrize(
    "callee",
    ["a.b.c", "a?.b?.c", "a!.b!.c", "(a as any).b.c", "(<any>a).b.c", "(a satisfies T).b.c", "((a)).b.c", "a.b.c<T>"],
)
def test_what_the_compiler_drops_is_peeled_off_a_callee(callee: str) -> None:
    assert call(facts(f"{callee}(1)"), "a.b.c")


@pytest.mark.parametrize("around_call", ["{}!", "({})", "{} as any", "<any>{}", "{} satisfies T", "await {}"])
def test_what_the_compiler_drops_is_peeled_off_around_a_call(around_call: str) -> None:
    read = facts("const x = " + around_call.format("f()"))
    assert assign(read, "x").value is call(read, "f")
    assert call(read, "f").use is Use.ASSIGNED


def test_new_constructs() -> None:
    read = facts("import Stripe from 'stripe'; const s = new Stripe(key); new Date")
    assert call(read, "stripe").constructs
    assert call(read, "Date").constructs


@pytest.mark.parametrize(
    ("source", "use", "start"),
    [
        ("f();", Use.DISCARDED, Start.PLAIN),
        ("await f();", Use.DISCARDED, Start.AWAITED),
        ("void f();", Use.DISCARDED, Start.PLAIN),
        ("const x = await f();", Use.ASSIGNED, Start.AWAITED),
        ("function g() { return f() }", Use.RETURNED, Start.PLAIN),
        ("const g = () => f();", Use.RETURNED, Start.PLAIN),
        ("g(f());", Use.ARGUMENT, Start.PLAIN),
        ("g({ a: f() });", Use.ARGUMENT, Start.PLAIN),
        ("await Promise.all([f()]);", Use.ARGUMENT, Start.PLAIN),
        ("f().then(g);", Use.CHAINED, Start.PLAIN),
        ("(await f()).x;", Use.CHAINED, Start.AWAITED),
        ("if (await f()) {}", Use.TESTED, Start.AWAITED),
        ("const x = !f();", Use.TESTED, Start.PLAIN),
        ("ok && f();", Use.DISCARDED, Start.PLAIN),
        ("ok ? f() : g;", Use.DISCARDED, Start.PLAIN),
    ],
)
def test_what_happens_to_the_value_of_a_call(source: str, use: Use, start: Start) -> None:
    found = call(facts(source), "f")
    assert (found.use, found.start) == (use, start)


def test_a_destructured_result_has_the_pattern_as_target() -> None:
    target = call(facts("const { data, error: failed, ...rest } = await f();"), "f").targets[0]
    assert isinstance(target, Object)
    assert [entry.name for entry in target.entries] == ["data", "error", None]
    assert names(target) == ["data", "failed", "rest"]
    assert not target.complete


def test_a_hole_in_an_array_pattern_keeps_its_place() -> None:
    target = call(facts("const [, second] = f();"), "f").targets[0]
    assert isinstance(target, Sequence)
    assert [type(item) for item in target.items] == [Unknown, Name]


def test_a_default_in_a_pattern_reads_as_an_assignment_where_nothing_is() -> None:
    default = assign(facts("const { id = uuid() } = body;"), "id")
    assert default.operator == "??="
    assert isinstance(default.value, Call)


def test_a_tagged_template_is_a_call_with_the_template() -> None:
    found = call(facts("await sql`update usage set used = ${n}`"), "sql")
    assert isinstance(found.arguments[0].value, Template)
    assert names(found.arguments[0].value) == ["n"]


def test_evaluation_order_puts_arguments_before_their_call() -> None:
    assert [one.name for one in facts("a(b(c()), d())").calls] == ["c", "b", "d", "a"]


def test_entries_of_an_object_have_their_names() -> None:
    made = assign(facts("const o = { a, 'b-c': 1, 3: 2, ['d']: 3, e() {}, get f() { return 1 } };"), "o").value
    assert isinstance(made, Object)
    assert [entry.name for entry in made.entries] == ["a", "b-c", "3", "d", "e", "f"]
    assert isinstance(made.entries[0].value, Name)
    assert isinstance(made.entries[4].value, Lambda)
    assert made.complete


@pytest.mark.parametrize("entry", ["...rest", "[key()]: 1"])
def test_a_spread_or_a_computed_key_leaves_an_object_incomplete(entry: str) -> None:
    made = assign(facts(f"const o = {{ a: 1, {entry} }};"), "o").value
    assert isinstance(made, Object)
    assert not made.complete
    assert made.entries[1].name is None


def test_a_spread_argument_is_seen() -> None:
    assert isinstance(call(facts("f(...events)"), "f").arguments[0].value, Spread)


def test_a_template_has_its_text_and_its_expressions() -> None:
    made = assign(facts("const k = `usage:${id}:\\n${day()}`"), "k").value
    assert isinstance(made, Template)
    assert [part.value for part in made.parts if isinstance(part, Literal)] == ["usage:", ":\n"]
    assert isinstance(made.parts[1], Name)
    assert isinstance(made.parts[3], Call)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("`plain`", "plain"),
        (r"'it\'s\u0041\n'", "it'sA\n"),
        ("1_000", 1000),
        ("10n", 10),
        ("-1", -1),
        ("1e3", 1000.0),
        ("true", True),
        ("null", None),
        ("undefined", None),
    ],
)
def test_a_literal_has_its_value(source: str, value: object) -> None:
    made = assign(facts(f"const x = {source}"), "x").value
    assert isinstance(made, Literal)
    assert made.value == value
    assert type(made.value) is type(value)


@pytest.mark.parametrize(
    "source",
    [
        "function track() {}",
        "const track = () => 1",
        "const track = function () {}",
        "const o = { track() {} }",
        "const o = { track: async () => {} }",
        "class A { track() {} }",
        "class A { get track() { return 1 } }",
        "class A { private track = async () => {} }",
        "class A { #track() {} }",
        "exports.track = function () {}",
        "module.exports.track = () => 1",
        "this.track = () => 1",
    ],
)
def test_a_function_goes_by_its_own_name_or_by_what_it_is_bound_to(source: str) -> None:
    assert function(facts(source), "track")


@pytest.mark.parametrize(
    "source",
    [
        "export function track() {}",
        "export const track = () => 1",
        "export default function track() {}",
        "export default { track() {} }",
        "export default { track: () => 1 }",
        "const track = () => 1; export { track }",
        "function track() {} export default track;",
        "function track() {} module.exports = track;",
        "function track() {} module.exports = { track };",
        "function track() {} module.exports = { other: track };",
        "module.exports = { track: () => 1 };",
        "exports.track = () => 1;",
        "export namespace N { export function track() {} }",
    ],
)
def test_an_exported_function_is_exported(source: str) -> None:
    assert function(facts(source), "track").exported


def test_a_function_that_stays_inside_is_not_exported() -> None:
    assert not function(facts("function track() {} export const a = 1"), "track").exported


def test_parameters_have_type_default_and_pattern() -> None:
    read = facts("function f(a: string, b = 1, { c, d = now() }: Body, ...rest: T[]): Promise<void> {}")
    a, b, taken, rest = function(read, "f").parameters
    assert (a.name, a.type) == ("a", "string")
    assert isinstance(b.default, Literal)
    assert (taken.name, taken.type) == ("", "Body")
    assert names(taken.pattern) == ["c", "d"]
    assert rest.name == "rest"
    assert function(read, "f").returns == "Promise<void>"
    assert call(read, "now").scope.kind is Kind.FUNCTION


def test_parameters_of_javascript_read_the_same() -> None:
    listed = function(facts("function f(a, b = 1, { c }, ...rest) {}", "f.js"), "f").parameters
    assert [one.name for one in listed] == ["a", "b", "", "rest"]
    assert names(listed[2].pattern) == ["c"]


@pytest.mark.parametrize(
    "source",
    ["async function f() {}", "const f = async x => x", "class A { static async f() {} }", "const o = { async f() {} }"],
)
def test_an_asynchronous_function_is_known(source: str) -> None:
    assert function(facts(source), "f").asynchronous


def test_a_parameter_whose_name_starts_like_async_makes_nothing_asynchronous() -> None:
    assert not function(facts("const f = asyncJob => asyncJob"), "f").asynchronous


@pytest.mark.parametrize("path", ["a.ts", "a.js"])
def test_decorators_of_classes_and_methods_are_kept(path: str) -> None:
    source = "@Processor('usage') export class A extends Base { @Cron('0 * * * *') @Once() async run() {} }"
    read = facts(source, path)
    (made,) = heads(read, Class)
    assert (made.name, made.bases) == ("A", ("Base",))
    assert [dotted(one) for one in made.decorators] == ["Processor()"]
    assert [dotted(one) for one in function(read, "run").decorators] == ["Cron()", "Once()"]
    assert function(read, "run").method


def test_bases_are_kept_without_type_arguments() -> None:
    (made,) = heads(facts("class A<T> extends b.Base<T> implements OnModuleDestroy, X<T> {}"), Class)
    assert made.bases == ("b.Base", "OnModuleDestroy", "X")


def test_a_field_is_an_assignment_in_the_class() -> None:
    field = assign(facts("class A { private buffer: Event[] = []; other?: string }"), "buffer")
    assert field.scope.kind is Kind.CLASS
    assert isinstance(field.value, Sequence)


def test_a_callback_knows_the_call_it_is_passed_to_and_under_which_string() -> None:
    read = facts("import { app } from './app'; app.post('/usage', auth, async function usage(req, res) {});")
    assert function(read, "usage").passed_to == "app.app.post"
    assert function(read, "usage").registered_as == "/usage"


def test_a_function_in_an_object_argument_knows_the_call_too() -> None:
    assert function(facts("task({ id: 'bill', run: async () => {} })"), "run").passed_to == "task"


def test_a_returned_arrow_body_is_a_return_statement() -> None:
    read = facts("const f = (x) => g(x);")
    assert [one.value for one in read.returns] == [call(read, "g")]
    assert read.returns[0].scope.kind is Kind.FUNCTION


def test_catch_with_a_function_is_a_handler_of_the_promise() -> None:
    read = facts("emit(1).catch((e) => { log(e) });")
    handler = around(call(read, "log"))
    assert handler is not None
    assert (handler.binds, handler.guards) == ("e", (call(read, "emit"),))
    assert enclosing(call(read, "emit").scope, Kind.HANDLER) is None


def test_catch_after_then_handles_the_first_call_too() -> None:
    read = facts("emit(1).then(next).catch(() => log());")
    handler = around(call(read, "log"))
    assert handler is not None
    assert handler.guards == (call(read, "emit"), call(read, "emit().then"))


def test_catch_on_a_variable_handles_the_call_it_holds() -> None:
    read = facts("const sent = emit(1); sent.catch(() => log());")
    handler = around(call(read, "log"))
    assert handler is not None
    assert handler.guards == (call(read, "emit"),)


def test_the_second_argument_of_then_is_a_handler_and_the_first_is_not() -> None:
    read = facts("emit(1).then((r) => ok(r), (e) => log(e));")
    handler = around(call(read, "log"))
    assert handler is not None
    assert handler.guards == (call(read, "emit"),)
    assert around(call(read, "ok")) is None


def test_catch_with_a_plain_name_makes_no_handler() -> None:
    assert heads(facts("emit(1).catch(log);"), Handler) == []


def test_try_catch_and_finally_are_scopes() -> None:
    read = facts("try { a() } catch (e) { b() } finally { c() }")
    assert call(read, "a").scope.kind is Kind.TRY
    handler = around(call(read, "b"))
    assert handler is not None
    assert handler.guards is call(read, "a").scope
    assert handler.binds == "e"
    assert call(read, "c").scope.kind is Kind.FINALLY


@pytest.mark.parametrize(
    "test",
    ["error", "!!error", "error != null", "error !== undefined", "error && error.code !== '23505'", "error || !data"],
)
def test_a_test_of_a_destructured_error_opens_a_handler(test: str) -> None:
    read = facts(f"const {{ data, error }} = await emit(); if ({test}) {{ log(error) }} else {{ ok() }}")
    handler = around(call(read, "log"))
    assert handler is not None
    assert (handler.binds, handler.guards) == ("error", (call(read, "emit"),))
    assert around(call(read, "ok")) is None


def test_the_else_of_a_negated_error_is_the_handler() -> None:
    read = facts("const { error: failed } = await emit(); if (!failed) { ok() } else { log() }")
    handler = around(call(read, "log"))
    assert handler is not None
    assert handler.guards == (call(read, "emit"),)
    assert around(call(read, "ok")) is None


def test_an_error_member_of_a_result_opens_a_handler() -> None:
    read = facts("const res = await emit(); if (res.error) { log() }")
    handler = around(call(read, "log"))
    assert handler is not None
    assert handler.guards == (call(read, "emit"),)


def test_the_first_parameter_of_a_callback_tells_of_the_call_it_is_passed_to() -> None:
    read = facts("client.send(command, (err, data) => { if (err) { log(err) } else { ok() } });")
    handler = around(call(read, "log"))
    assert handler is not None
    assert (handler.binds, handler.guards) == ("err", (call(read, "client.send"),))
    assert around(call(read, "ok")) is None


@pytest.mark.parametrize(
    "source",
    [
        "function f(error) { if (error) { log() } }",
        "const { error } = await a(); function f(error) { if (error) { log() } }",
        "const { data } = await a(); if (data) { log() }",
        "const { onError } = useMeter(); if (onError) { log() }",
        "users.filter((user) => { if (user) { log() } })",
        "try { a() } catch { const error = 1; if (error) {} } log()",
    ],
)
def test_a_test_that_asks_for_no_failure_of_a_call_stays_a_branch(source: str) -> None:
    assert around(call(facts(source), "log")) is None


def test_an_error_assigned_in_an_inner_block_is_known_where_it_is_declared() -> None:
    read = facts("let error; if (a) { ({ error } = await emit()); } if (error) { log() }")
    handler = around(call(read, "log"))
    assert handler is not None
    assert handler.guards == (call(read, "emit"),)


def test_an_else_if_reads_as_an_if_inside_the_else() -> None:
    read = facts("if (a) { f() } else if (b) g(); else { h() }")
    assert [(one.scope.kind, one.scope.head.arm) for one in read.calls] == [  # type: ignore[union-attr]
        (Kind.BRANCH, "then"),
        (Kind.BRANCH, "then"),
        (Kind.BRANCH, "else"),
    ]
    outer = call(read, "h").scope.parent
    assert outer is not None
    assert isinstance(outer.head, Branch)
    assert names(outer.head.test) == ["a"]
    assert [one.then.span.line for one in read.tests if one.then] == [1, 1]


def test_a_case_compares_the_subject() -> None:
    read = facts("switch (kind) { case 'a': f(); break; default: g() }")
    head = call(read, "f").scope.head
    assert isinstance(head, Branch)
    assert head.arm == "case"
    assert isinstance(head.test, Compare)
    assert (head.test.operator, names(head.test)) == ("==", ["kind"])
    other = call(read, "g").scope.head
    assert isinstance(other, Branch)
    assert other.test is None


def test_cases_that_share_a_body_share_the_arm() -> None:
    head = call(facts("switch (kind) { case 'a': case 'b': f() }"), "f").scope.head
    assert isinstance(head, Branch)
    assert isinstance(head.test, Logical)


@pytest.mark.parametrize("source", ["for (;;) { f() }", "while (true) { f() }", "do { f() } while (1)"])
def test_an_endless_loop_has_no_test(source: str) -> None:
    head = call(facts(source), "f").scope.head
    assert isinstance(head, Loop)
    assert head.test is None
    assert head.iterates is None


@pytest.mark.parametrize("source", ["for (let i = 0; i < n; i++) f()", "while (i < n) f()", "do { f() } while (i < n)"])
def test_a_loop_with_a_test_keeps_it(source: str) -> None:
    read = facts(source)
    head = call(read, "f").scope.head
    assert isinstance(head, Loop)
    assert isinstance(head.test, Compare)
    assert read.tests[0].then is call(read, "f").scope


@pytest.mark.parametrize("source", ["for (const e of events) f()", "for await (const e of events) f()"])
def test_a_loop_over_something_binds_each(source: str) -> None:
    head = call(facts(source), "f").scope.head
    assert isinstance(head, Loop)
    assert names(head.targets[0]) == ["e"]
    assert names(head.iterates) == ["events"]


def test_a_conditional_is_tested() -> None:
    read = facts("const x = a ? f() : g();")
    assert isinstance(assign(read, "x").value, Conditional)
    assert names(read.tests[0].value) == ["a"]


def test_a_statement_behind_and_runs_in_a_branch() -> None:
    read = facts("allowed && emit();")
    assert call(read, "emit").scope.kind is Kind.BRANCH
    assert read.tests[0].then is call(read, "emit").scope


@pytest.mark.parametrize(
    ("source", "operator"),
    [("a && b", "and"), ("a || b", "or"), ("a ?? b", "??")],
)
def test_logic_reads_the_same_in_every_language(source: str, operator: str) -> None:
    made = assign(facts(f"const x = {source}"), "x").value
    assert isinstance(made, Logical)
    assert made.operator == operator


@pytest.mark.parametrize(
    ("source", "operator"),
    [("a === b", "=="), ("a !== b", "!="), ("a == b", "=="), ("a <= b", "<="), ("a in b", "in")],
)
def test_comparisons_read_the_same_in_every_language(source: str, operator: str) -> None:
    made = assign(facts(f"const x = {source}"), "x").value
    assert isinstance(made, Compare)
    assert made.operator == operator


def test_not_is_not() -> None:
    made = assign(facts("const x = !a"), "x").value
    assert isinstance(made, Unary)
    assert made.operator == "not"


@pytest.mark.parametrize(
    ("source", "operator"),
    [
        ("o.x ||= 1", "||="),
        ("o.x ??= 1", "??="),
        ("o.x &&= 1", "&&="),
        ("o.x += 1", "+="),
        ("o.x++", "+="),
        ("--o.x", "-="),
        ("delete o.x", "del"),
        ("o.x = 1", "="),
    ],
)
def test_what_changes_a_value_is_an_assignment(source: str, operator: str) -> None:
    assert assign(facts(source), "o.x").operator == operator


def test_a_declaration_declares_and_an_assignment_does_not() -> None:
    read = facts("let a = 1; b = 2;")
    assert assign(read, "a").declares
    assert not assign(read, "b").declares


def test_throw_is_a_raise_and_jumps_keep_their_word() -> None:
    read = facts("for (;;) { if (a) continue; if (b) break; throw new UsageError('x') }")
    assert read.raises[0].value is call(read, "UsageError")
    assert [one.word for one in read.jumps] == ["continue", "break"]


@pytest.mark.parametrize("path", ["a.tsx", "a.jsx", "a.js"])
def test_expressions_in_jsx_are_lowered_and_its_text_is_not(path: str) -> None:
    source = "const x = <B a='emit()' onClick={() => track()} {...p()}>emit() {list.map((u) => <i>{show(u)}</i>)}</B>;"
    read = facts(source, path)
    assert {one.name for one in read.calls} == {"track", "p", "show", "list.map"}
    assert function(read, "onClick")


def test_code_in_a_template_as_documentation_calls_nothing() -> None:
    read = facts("const doc = `await stripe.billing.meterEvents.create({})`; const x = <pre>track(1)</pre>;", "a.tsx")
    assert read.calls == ()


def test_directives_are_read_at_the_top_of_the_module() -> None:
    assert facts("'use client';\nimport a from 'a';").directives == {"use client"}
    assert facts('"use server"\nexport async function f() {}').directives == {"use server"}
    assert facts("function f() { 'use server'; }").directives == frozenset()


def test_comments_are_found_wherever_they_stand() -> None:
    source = "// one\nf(/* two */ a, {\n  // three\n  b: 1 });\nconst x = <a>{/* four */}</a>;\na /* five */ . b;"
    assert [one.text for one in facts(source, "a.tsx").comments] == ["one", "two", "three", "four", "five"]


def test_a_comment_between_arguments_is_no_argument() -> None:
    assert len(call(facts("f(/* a */ 1, // b\n 2)"), "f").arguments) == 2


def test_an_enum_is_an_object_of_its_values() -> None:
    made = assign(facts("export enum Meter { Calls = 'api_calls', A = 3, B }"), "Meter").value
    assert isinstance(made, Object)
    assert [(one.name, one.value.value) for one in made.entries if isinstance(one.value, Literal)] == [
        ("Calls", "api_calls"),
        ("A", 3),
        ("B", 4),
    ]


def test_types_produce_no_facts() -> None:
    read = facts(
        "type A = ReturnType<typeof f>; interface B { c(): void }; declare function d(): void; "
        "declare module 'm' { export function e(): void } abstract class G { abstract h(): void } let i: Map<string, J>;"
    )
    assert read.calls == ()
    assert read.assigns == ()
    assert [one.name for one in heads(read, Function)] == []


def test_a_broken_place_is_named_and_the_rest_is_lowered() -> None:
    read = facts("f();\nconst = = ;\nfunction g() { track() }\n")
    assert [one.line for one in read.broken] == [2]
    assert call(read, "f")
    assert call(read, "track").scope.kind is Kind.FUNCTION


def test_a_whole_handler_half_written_still_reads() -> None:
    assert call(facts("async function f() { await emit({ a: 1 })\n if (x"), "emit")


@pytest.mark.parametrize(
    "source",
    [
        "x = " + "[" * 1500 + "]" * 1500,
        "x = " + "(" * 1500 + "1" + ")" * 1500,
        "x = " + "{a:" * 1500 + "1" + "}" * 1500,
        "x = " + "f(" * 1500 + ")" * 1500,
        "x = " + " + ".join(["a"] * 8000),
        "const " + "{a:" * 1500 + "b" + "}" * 1500 + " = c",
        "f((err, b) => {" * 500 + "})" * 500,
        "f((err, {a = " * 500 + "1" + "}) => 1)" * 500,
        "x = (a = " * 500 + "1" + ") => 1" * 500,
        "x = class { m() { return class { @d(" * 200 + "1" + ") m() {} } } }" * 200,
        "class A { m() { " * 500 + "} }" * 500,
        "namespace N { " * 500 + "}" * 500,
        "export const a = () => { " * 500 + "}" * 500,
        "x = <a b={" * 500 + "1" + "} />" * 500,
        "if (a) " * 1500 + "b",
        "x = { m() {" * 500 + "} }" * 500,
        "x = `${" * 500 + "1" + "}`" * 500,
        "for (" * 500 + "1;;) {}" * 500,
    ],
)
def test_hostile_nesting_is_refused_and_never_overflows(source: str) -> None:
    with pytest.raises(TooComplexError):
        facts(source, "a.tsx")


def test_a_construct_with_too_many_parts_is_refused() -> None:
    with pytest.raises(TooComplexError):
        facts("x = [" + "1," * 20_001 + "]")


def test_a_long_chain_of_else_if_is_read() -> None:
    read = facts("if (a) {} " + "else if (b) { f() } " * 300)
    assert len(read.calls) == 300


def test_deeply_nested_types_cost_nothing() -> None:
    assert facts("type T = " + "[" * 20_000 + "]" * 20_000 + "\n f()").calls


PIECES = (
    "async function f(a, { b = 1 }: T) { const { data, error } = await g?.(a!); if (error) throw error; return `x${b}` }",
    "export class A<T> extends B { @Cron('x') private async m(@Body() a?: string) { this.n++; } x = () => 1; }",
    "client.send(c, (err, d) => { if (err) { log(err) } }); p.then((a) => a, (e) => e).catch(() => {});",
    "export default { a, ...b, [c]: 1, async d() {}, 'e-f': <T>g }; enum E { A = 'x', B }",
    "switch (a) { case 1: case 2: f(); break; default: g() } for (const [k, v] of m) continue; do {} while (a);",
    'const X = () => <div onClick={() => f()} {...p}>text {a && <B.C d="e" />} {/* c */}</div>;',
    "import a, { b as c, type D } from './x'; export { a as z } from 'y'; const { q } = require('w');",
)
WORDS = "async function class new import export default from if else for of catch try return case const enum delete"
TOKENS = st.sampled_from(
    [
        *"(){}[];,.:?!=<>+-*/&|`'\"@#$\\ \n",
        *(f"{word} " for word in WORDS.split()),
        *("=>", "...", "?.", "${", "a", "err", "'x'", "1", "<a>", "</a>", "</", "/>", "//", "/*", "*/", ".catch("),
    ]
)


def unharmed(path: str, source: bytes) -> None:
    try:
        read = lower(path, source)
    except TooComplexError:
        return
    assert read.scopes[0] is read.root
    assert all(0 <= one.span.start <= one.span.end <= len(source) for one in read.calls)
    assert all(isinstance(one, Scope) for one in read.scopes)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TOKENS, max_size=60), st.sampled_from(SUFFIXES))
def test_no_order_of_tokens_breaks_the_lowering(tokens: list[str], suffix: str) -> None:
    unharmed("a" + suffix, "".join(tokens).encode())


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PIECES), st.data(), st.sampled_from(SUFFIXES))
def test_no_cut_through_real_code_breaks_the_lowering(piece: str, data: st.DataObject, suffix: str) -> None:
    start = data.draw(st.integers(0, len(piece)))
    end = data.draw(st.integers(start, len(piece)))
    unharmed("a" + suffix, (piece[:start] + piece[end:]).encode())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(SUFFIXES))
def test_no_bytes_break_the_lowering(source: bytes, suffix: str) -> None:
    unharmed("a" + suffix, source)


def test_a_member_of_this_keeps_its_name() -> None:
    found = call(facts("class A { m() { this.#flush() } }"), "this.flush")
    assert isinstance(found.callee, Member)
