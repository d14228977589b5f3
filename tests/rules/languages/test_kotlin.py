"""What the Kotlin front end reads out of Kotlin source."""

import contextlib
import sys

import pytest
from hypothesis import given, settings
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
    Sequence,
    Spread,
    Start,
    Template,
    Use,
    dotted,
    enclosing,
    within,
)
from rules.languages.kotlin import lower
from rules.languages.lowering import CHILDREN, TooComplexError
from rules.meaning.contexts import Context, context_of
from tests.rules.languages.found import call_ending as call


def file(text: str, path: str = "src/main/kotlin/com/acme/Billing.kt") -> Facts:
    return lower(path, text.encode())


def body(text: str, fields: str = "", imports: str = "") -> Facts:
    facts = file(
        f"package com.acme.billing\n{imports}\nclass Billing {{\n{fields}\nfun run(account: Account) {{\n{text}\n}}\n}}\n"
    )
    assert facts.broken == ()
    return facts


def value(text: str, fields: str = "") -> Expression:
    made = next(one.value for one in body(f"val x = {text}", fields).assigns if dotted(one.targets[0]) == "x")
    assert made is not None
    return made


def function(facts: Facts, name: str) -> Function:
    found = [one.head for one in facts.scopes if isinstance(one.head, Function) and one.head.name == name]
    assert len(found) == 1
    return found[0]


def handlers(facts: Facts) -> list[Handler]:
    return [one.head for one in facts.scopes if isinstance(one.head, Handler)]


def test_a_trailing_lambda_is_the_last_argument() -> None:
    made = call(body('post("/usage", config) { record(n) }'), "post")

    assert [Literal, Name, Lambda] == [type(one.value) for one in made.arguments]
    inside = made.arguments[2].value
    assert isinstance(inside, Lambda)
    assert isinstance(inside.scope.head, Function)
    assert ("post", "/usage") == (inside.scope.head.passed_to, inside.scope.head.registered_as)


def test_named_arguments_keep_their_names() -> None:
    made = call(body("val u = UsageRecord(customerId = id, tokens = 3)"), "UsageRecord")

    assert ["customerId", "tokens"] == [one.name for one in made.arguments]
    assert made.constructs


def test_a_builder_of_a_java_library_reads_as_the_object_it_builds() -> None:
    made = value('Params.builder().setEventName("calls").putPayload("value", "1").build()')

    assert isinstance(made, Object)
    assert ("Params", ["eventName", "payload"]) == (made.type, [one.name for one in made.entries])


def test_a_copy_is_the_old_row_with_other_values() -> None:
    made = value("row.copy(used = row.used + 1)")

    assert isinstance(made, Object)
    assert [None, "used"] == [one.name for one in made.entries]
    assert isinstance(made.entries[0].value, Spread)


def test_pairs_make_an_object() -> None:
    made = value('mapOf("used" to n, "limit" to 5)')

    assert isinstance(made, Object)
    assert (["used", "limit"], True) == ([one.name for one in made.entries], made.complete)


def test_collections_are_literals() -> None:
    assert Sequence is type(value("mutableListOf<Row>()"))
    assert Sequence is type(value("listOf(a, b)"))
    assert Object is type(value("ConcurrentHashMap<String, Long>()"))


def test_texts_are_taken_apart_at_what_is_filled_in() -> None:
    made = value('"usage:${account.id}:$day now"')

    assert isinstance(made, Template)
    assert ["usage:", "account.id", ":", "day", " now"] == [getattr(one, "value", None) or dotted(one) for one in made.parts]
    assert "a\nb" == getattr(value('"a\\nb"'), "value", None)
    assert "$5" == getattr(value('"\\$5"'), "value", None)


def test_a_text_of_many_lines_loses_its_indentation() -> None:
    made = value('"""\n    SELECT 1\n    FROM usage\n    """.trimIndent()')

    assert "\nSELECT 1\nFROM usage\n" == getattr(made, "value", None)


def test_an_elvis_gives_another_value_or_leaves() -> None:
    assert Logical is type(value("a ?: 0"))
    facts = body("val user = users.find(id) ?: return")
    assert isinstance(facts.assigns[0].value, Call)
    left = facts.returns[0].scope
    assert isinstance(left.head, Branch)
    assert isinstance(left.head.test, Compare)


def test_if_and_when_are_values_and_branches() -> None:
    made = value("if (used > limit) refuse() else { log(); pass() }")
    assert isinstance(made, Conditional)
    assert isinstance(made.otherwise, Call)
    facts = body("val n = when (plan) { Plan.FREE, Plan.TRIAL -> a(); is Paid -> b(); in 1..3 -> c(); else -> d() }")
    arms = [one.head for one in facts.scopes if isinstance(one.head, Branch)]
    assert [Logical, Compare, Compare, type(None)] == [type(one.test) for one in arms]
    assert Use.ASSIGNED is call(facts, "a").use


def test_a_try_that_is_a_value_sets_what_it_is_assigned_to_in_each_arm() -> None:
    facts = body("val found = try { load() } catch (e: IOException) { fallback() }")

    assert [("load", Kind.TRY), ("fallback", Kind.HANDLER)] == [
        (one.value.name, one.scope.kind) for one in facts.assigns if isinstance(one.value, Call)
    ]
    assert [(("IOException",), "e")] == [(one.catches, one.binds) for one in handlers(facts)]


def test_run_catching_is_a_try_and_its_failure_arrives_where_the_chain_asks_for_it() -> None:
    facts = body("runCatching { send(n) }.onFailure { log(it) }")

    (handler,) = handlers(facts)
    assert handler.guards is call(facts, "send").scope
    assert Kind.HANDLER is call(facts, "log").scope.kind


@pytest.mark.parametrize("text", ["runCatching { send(n) }", "val x = runCatching { send(n) }.getOrNull()"])
def test_a_result_that_is_dropped_handles_its_failure_with_nothing(text: str) -> None:
    assert 1 == len(handlers(body(text)))


def test_a_result_that_throws_has_no_handler() -> None:
    assert [] == handlers(body("val x = runCatching { send(n) }.getOrThrow()"))


@pytest.mark.parametrize(
    "text",
    ["GlobalScope.launch { record(n) }", "CoroutineScope(Dispatchers.IO).launch { record(n) }", "thread { record(n) }"],
)
def test_what_runs_beside_is_detached(text: str) -> None:
    facts = body(text)

    started = next(one for one in facts.calls if one.start is Start.DETACHED)
    assert isinstance(started.callee, Lambda)
    assert within(call(facts, "record").scope, started.callee.scope)


@pytest.mark.parametrize("text", ["launch { record(n) }", "val job = scope.async { record(n) }"])
def test_what_its_scope_or_a_variable_waits_for_is_not_detached(text: str) -> None:
    assert all(one.start is not Start.DETACHED for one in body(text).calls)


def test_what_runs_in_place_is_awaited() -> None:
    assert Start.AWAITED is call(body("transaction { save(row) }"), "transaction").start
    assert Start.AWAITED is call(body("rows.forEach { save(it) }"), "rows.forEach").start


def test_a_row_of_exposed_is_an_object() -> None:
    made = call(body("UsageEvents.insert { it[customer] = c; it[UsageEvents.tokens] = n }"), "insert").arguments[0].value

    assert isinstance(made, Object)
    assert ["customer", "tokens"] == [one.name for one in made.entries]
    assert "row.credits" == dotted(value("row[Accounts.credits]"))


def test_conditions_of_exposed_are_comparisons() -> None:
    facts = body("Accounts.update({ (Accounts.id eq id) and (Accounts.used less max) }) { it[used] = used + n }")

    assert isinstance(facts.returns[0].value, Logical)
    assert ["==", "<"] == [
        one.operator for one in (facts.returns[0].value.left, facts.returns[0].value.right) if isinstance(one, Compare)
    ]


def test_a_property_without_this_is_the_instances() -> None:
    fields = "private val pending = mutableListOf<Row>()\ncompanion object { val log = make() }"
    facts = body("pending.clear(); log.info(n); local.clear()", fields)

    assert ["local.clear", "log.info", "make", "this.pending.clear"] == sorted(one.name for one in facts.calls)


def test_a_parameter_of_the_class_is_a_field() -> None:
    facts = file("class A(private val jdbc: JdbcTemplate, val n: Int = 3) : Base(n) { fun run() = jdbc.update(x) }")

    assert [("jdbc", "JdbcTemplate", ":"), ("n", "Int", "=")] == [
        (dotted(one.targets[0]), one.type, one.operator) for one in facts.assigns
    ]
    assert "this.jdbc.update" == call(facts, "update").name
    assert [("A", ("Base",))] == [(one.head.name, one.head.bases) for one in facts.scopes if isinstance(one.head, Class)]


def test_an_enum_reads_as_an_object_of_its_constants() -> None:
    made = file("enum class Plan(val limit: Long) {\n  FREE(1000),\n  PRO(50_000);\n  fun x() = limit\n}").assigns[-1].value

    assert isinstance(made, Object)
    assert [("FREE", 1000), ("PRO", 50000)] == [(one.name, getattr(one.value, "value", None)) for one in made.entries]


def test_loops_over_numbers_count_and_others_go_over_what_they_hold() -> None:
    facts = body("for (i in 0 until 3) a(); for (i in 1..n step 2) b(); for ((k, v) in map) c(); while (true) { break }")

    loops = [one.head for one in facts.scopes if isinstance(one.head, Loop)]
    assert [True, True, False, False] == [one.test is not None for one in loops]
    assert [0, 0, 2, 0] == [len(one.targets) for one in loops]
    assert ["break"] == [one.word for one in facts.jumps]


def test_a_return_to_a_label_leaves_the_lambda() -> None:
    facts = body('post("/x") { if (a) { respond(b); return@post } }')

    assert [None] == [one.value for one in facts.returns]


def test_parameters_carry_their_annotations() -> None:
    facts = file(
        'class A { @PostMapping("/usage") suspend fun report(@RequestBody usage: Usage, vararg n: Int = x): Long = 1 }'
    )

    head = function(facts, "report")
    assert [("usage", "@RequestBody Usage"), ("n", "Int")] == [(one.name, one.type) for one in head.parameters]
    assert ("Long", ["PostMapping"]) == (head.returns, [one.name for one in head.decorators if isinstance(one, Call)])


def test_names_of_libraries_are_resolved() -> None:
    imports = "import com.stripe.model.billing.MeterEvent as Event\nimport java.time.Instant\nimport io.ktor.server.routing.*"
    facts = body("Event.create(p); Instant.now()", imports=imports)

    assert ["stripe.billing.MeterEvent.create", "Instant.now"] == [one.name for one in facts.calls]
    assert "io.ktor.server.routing" in facts.packages


@pytest.mark.parametrize(
    ("text", "context"),
    [
        ('fun Route.usage() { post("/usage") { work() } }', Context.REQUEST),
        ('fun Application.module() { routing { route("/v1") { get("/usage") { work() } } } }', Context.REQUEST),
        ('fun Route.hooks() { post("/stripe/webhook") { work() } }', Context.WEBHOOK),
        ('class A { @PostMapping("/usage") fun run() { work() } }', Context.REQUEST),
        ('class A { @Scheduled(cron = "0 0 * * * *") fun run() { work() } }', Context.SCHEDULE),
        ('class A { @KafkaListener(topics = ["usage"]) fun run(usage: Usage) { work() } }', Context.WORKER),
        ("class A { fun run() { work() } }", Context.LIBRARY),
        ("import android.content.Context\nclass A { fun run() { work() } }", Context.BROWSER),
    ],
)
def test_annotations_and_routes_tell_the_context(text: str, context: Context) -> None:
    facts = file(text)

    assert context is context_of(facts, call(facts, "work").scope)


def test_casts_assertions_and_safe_calls_are_seen_through() -> None:
    made = value("(account?.plan as Paid)!!.limit")

    assert isinstance(made, Member)
    assert "account.plan.limit" == dotted(made)


@pytest.mark.parametrize(
    "nested", [("(", ")"), ("f(", ")"), ("!", ""), ("listOf(", ")"), ("a.b { ", " }"), ("if (x) 1 else ", "")]
)
def test_deep_nesting_is_too_complex_and_nothing_worse(nested: tuple[str, str]) -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        with pytest.raises(TooComplexError):
            file(f"fun f() {{ val x = {nested[0] * 600}1{nested[1] * 600} }}")
    finally:
        sys.setrecursionlimit(limit)


def test_one_huge_literal_is_too_complex() -> None:
    with pytest.raises(TooComplexError):
        file(f"val x = listOf({'1,' * CHILDREN}2)\n")


AMBIGUOUS = """fun run() {
] interface .3 -> 2; !is X -> 3; else -> throw X() }
    if (a !is B && !c || d in e) { x } else if (q) y else { z }
    list.map { it.x }.forEach { (k, v) -> go(k, v) }; scope.launch(Dispatchers.IO) { record(n) }
    transaction { Usage.insert { it[key] = k; it[n] = 1 } }; val o = object : Runnable { override fun run() { a() } }
    runCatching { f() }.onFailure { e -> log(e) }.getOrNull(); val g = fun(x: Int): Int { return x }
    return@label foo(a = 1, *bs, b = 2) { it }
}
}
enum class E(val n: Int) { A(1), B(2); fun y() {} }
"""


def test_broken_code_that_the_parser_could_try_for_ever_is_refused_at_once() -> None:
    with contextlib.suppress(TooComplexError):
        assert file("@Entity data class A(\n@Transd fun run(@Rrarg xs: Int = 3): {\n a(k" + AMBIGUOUS * 3).broken


SNIPPET = """package com.acme
import com.stripe.model.*
import foo.Bar as Baz
private const val LIMIT = 1_000L
@Entity @Table(name = "usage")
data class A(@Id val id: Long, var n: Int = 0) : Base<Foo>(id), I {
    companion object { const val B = 1; fun of(): A = A(1) }
    var q: String? = null
        get() = field ?: ""
        set(value) { field = value }
    val z by lazy { 3 }
    init { start() }
    constructor(a: Int) : this(a.toLong()) { b() }
    @Transactional override suspend fun run(@RequestBody body: Req, vararg xs: Int = 3): Resp? {
        val (a, b) = pair; val s = "x:${a.id}:$b"; x?.y?.z() ?: return null
        count++; arr[0] += 3
        for ((k, v) in map) { go(k) }; for (i in 0 until 3 step 2) { continue }; while (true) { break }; do { x() } while (a)
        val r = try { f() } catch (e: IOException) { throw e } finally { close() }
        when (plan) { is Free, Plan.PRO -> 1; in 1..3 -> 2; !is X -> 3; else -> throw X() }
        if (a !is B && !c || d in e) { x } else if (q) y else { z }
        list.map { it.x }.forEach { (k, v) -> go(k, v) }; scope.launch(Dispatchers.IO) { record(n) }
        transaction { Usage.insert { it[key] = k; it[n] = 1 } }; val o = object : Runnable { override fun run() { a() } }
        runCatching { f() }.onFailure { e -> log(e) }.getOrNull(); val g = fun(x: Int): Int { return x }
        return@label foo(a = 1, *bs, b = 2) { it }
    }
}
enum class E(val n: Int) { A(1), B(2); fun y() {} }
object T : LongIdTable("t") { val key = varchar("key", 64).uniqueIndex() }
"""
WORDS = st.sampled_from(
    [
        "\n",
        *"if else for in while do when is as try catch finally throw return break continue fun val var class object".split(),
        *"enum data companion init constructor interface import package suspend private by null true this super it".split(),
        *"= == != ! && || ?: ?. !! -> :: . , ; : ( ) [ ] { } < > * + - ++ += @ x T 1 1.5 to until".split(),
        *'"a" "$x" "${ \'c\' // /* */ " """ builder() build() runCatching launch copy(a = 1) @Query'.split(),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, max_size=60).map(" ".join))
def test_any_words_of_kotlin_are_read_or_refused(text: str) -> None:
    for source in (text, f"fun f() {{\n{text}\n}}\n"):
        with contextlib.suppress(TooComplexError):
            assert file(source).language == "kotlin"


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(SNIPPET)), st.integers(0, len(SNIPPET)))
def test_any_piece_of_a_file_is_read_or_refused(start: int, end: int) -> None:
    with contextlib.suppress(TooComplexError):
        facts = file(SNIPPET[start:end])
        assert all(enclosing(one.scope, Kind.MODULE) is facts.root for one in facts.calls)
    with contextlib.suppress(TooComplexError):
        assert file(SNIPPET[:start] + SNIPPET[end:]).language == "kotlin"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(source: bytes) -> None:
    with contextlib.suppress(TooComplexError):
        assert lower("A.kt", source).source == source


def test_a_file_that_ends_in_a_name_without_a_line_end_is_read() -> None:
    """The grammar's scanner never comes back from it as it stands."""
    assert file("class Usage {\n    val sent = send()\n\n    @Kaf").broken
