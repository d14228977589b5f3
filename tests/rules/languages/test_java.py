"""What the Java front end reads out of Java source."""

import contextlib
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.facts import (
    Binary,
    Branch,
    Call,
    Class,
    Compare,
    Expression,
    Facts,
    Function,
    Handler,
    Index,
    Kind,
    Lambda,
    Logical,
    Loop,
    Member,
    Object,
    Sequence,
    Start,
    Template,
    Use,
    With,
    dotted,
    enclosing,
    within,
)
from rules.languages.java import lower
from rules.languages.lowering import CHILDREN, TooComplexError
from rules.meaning.contexts import Context, context_of
from tests.rules.languages.found import call_ending as call


def file(text: str, path: str = "src/main/java/com/acme/Billing.java") -> Facts:
    return lower(path, text.encode())


def body(text: str, fields: str = "", imports: str = "") -> Facts:
    facts = file(
        f"package com.acme.billing;\n{imports}\nclass Billing {{\n{fields}\nvoid run(Account account) {{\n{text}\n}}\n}}\n"
    )
    assert facts.broken == ()
    return facts


def value(text: str, fields: str = "") -> Expression:
    made = next(one.value for one in body(f"var x = {text};", fields).assigns if dotted(one.targets[0]) == "x")
    assert made is not None
    return made


def function(facts: Facts, name: str) -> Function:
    found = [one.head for one in facts.scopes if isinstance(one.head, Function) and one.head.name == name]
    assert len(found) == 1
    return found[0]


def test_a_builder_reads_as_the_object_it_builds() -> None:
    made = value('Params.builder().setEventName("calls").putPayload("value", "1").putPayload("id", c).addItem(i).build()')

    assert isinstance(made, Object)
    assert ("Params", ["eventName", "payload", "items"]) == (made.type, [one.name for one in made.entries])
    payload, items = made.entries[1].value, made.entries[2].value
    assert isinstance(payload, Object)
    assert ["value", "id"] == [one.name for one in payload.entries]
    assert isinstance(items, Sequence)


@pytest.mark.parametrize(
    "text",
    [
        'client.send(r -> r.code("p").amount(n))',
        'client.send(new Request().withCode("p").withAmount(n))',
        'Usage.create(item).code("p").amount(n).request()',
    ],
)
def test_other_ways_to_fill_in_a_request_read_as_objects_too(text: str) -> None:
    made = body(f"{text};").calls[-1].arguments[-1].value

    assert isinstance(made, Object)
    assert ["code", "amount"] == [one.name for one in made.entries]


def test_a_chain_of_a_stream_is_no_request() -> None:
    assert isinstance(call(body("prices.map(p -> p.add(tax).multiply(rate));"), "prices.map").arguments[0].value, Lambda)


def test_the_methods_of_a_builder_are_no_calls() -> None:
    facts = body("client.create(Params.builder().setTimestamp(Instant.now()).build());")

    assert ["Instant.now", "client.create"] == [one.name for one in facts.calls]


def test_a_getter_is_the_reading_of_a_property() -> None:
    made = value("account.getUsedCredits()")

    assert isinstance(made, Member)
    assert "account.usedCredits" == dotted(made)


def test_a_component_of_a_record_is_the_reading_of_a_property() -> None:
    assert "event.customerId" == dotted(value("event.customerId()"))


@pytest.mark.parametrize("text", ["usageService.getUsage()", "repository.getNext()", "Clock.getDefault()", "queue.pollFirst()"])
def test_what_a_service_gives_stays_a_call(text: str) -> None:
    assert isinstance(value(text), Call)


def test_a_setter_is_an_assignment() -> None:
    facts = body("account.setUsed(account.getUsed() + 1);")

    assign = facts.assigns[0]
    assert ("account.used", "=") == (dotted(assign.targets[0]), assign.operator)
    assert isinstance(assign.value, Binary)
    assert facts.calls == ()


def test_decimal_arithmetic_reads_as_operators() -> None:
    made = value("price.multiply(quantity).add(fee)")

    assert isinstance(made, Binary)
    assert "+" == made.operator
    assert isinstance(made.left, Binary)
    assert "*" == made.left.operator


def test_an_addition_to_itself_is_a_step() -> None:
    assign = body("BigDecimal total = zero; total = total.add(n);").assigns[-1]

    assert ("total", "+=") == (dotted(assign.targets[0]), assign.operator)


def test_adding_to_a_list_is_a_call() -> None:
    facts = body("List<Row> rows = new ArrayList<>(); boolean fresh = rows.add(row);")

    assert Use.ASSIGNED is call(facts, "rows.add").use


@pytest.mark.parametrize(
    ("text", "operator"),
    [
        ("used.compareTo(limit) >= 0", ">="),
        ("start.isBefore(end)", "<"),
        ("start.isAfter(end)", ">"),
        ('"free".equals(plan)', "=="),
        ("Objects.equals(a, b)", "=="),
        ("found.isPresent()", "!="),
        ("a instanceof Foo", "instanceof"),
    ],
)
def test_comparing_methods_read_as_comparisons(text: str, operator: str) -> None:
    made = value(text)

    assert isinstance(made, Compare)
    assert operator == made.operator


def test_a_map_is_read_and_written_by_index() -> None:
    facts = body(
        'totals.put("a", 1L); totals.merge(key, n, Long::sum); long x = totals.getOrDefault(key, 0L);',
        "Map<String, Long> totals;",
    )

    written = [(dotted(one.targets[0]), one.operator) for one in facts.assigns if isinstance(one.targets[0], Index)]
    assert [("this.totals[]", "="), ("this.totals[]", "+=")] == written
    assert isinstance(facts.assigns[-1].value, Logical)


def test_collections_are_literals() -> None:
    assert Sequence is type(value("List.of(a, b)"))
    assert Sequence is type(value("new ArrayList<>()"))
    made = value('Map.of("used", n, "limit", 5)')
    assert isinstance(made, Object)
    assert ["used", "limit"] == [one.name for one in made.entries]


def test_a_field_without_this_is_the_instances() -> None:
    facts = body("pending.clear(); LIMIT.get(); local.clear();", "List<Row> pending; static Holder LIMIT;")

    assert ["this.pending.clear", "LIMIT.get", "local.clear"] == [one.name for one in facts.calls]


def test_a_variable_hides_a_field_of_its_name() -> None:
    facts = body("Queue local = x; local.clear();", "Queue local;")

    assert "local.clear" == facts.calls[-1].name


def test_names_of_libraries_are_resolved_and_those_of_the_language_and_the_project_are_not() -> None:
    imports = "import com.stripe.model.billing.MeterEvent;\nimport java.time.Instant;\nimport com.acme.billing.Ledger;"

    facts = body("MeterEvent.create(p); Instant.now(); Ledger.open();", imports=imports)

    assert ["stripe.billing.MeterEvent.create", "Instant.now", "Ledger.open"] == [one.name for one in facts.calls]
    assert {"com.stripe.model.billing.MeterEvent", "java.time.Instant", "com.acme.billing.Ledger"} == facts.packages


def test_texts_put_together_are_one_and_sql_with_values_is_a_template() -> None:
    assert "select 1 from a" == getattr(value('"select 1 " + "from a"'), "value", None)
    made = value('"SELECT * FROM usage WHERE id = " + id')
    assert isinstance(made, Template)
    assert 2 == len(made.parts)
    assert isinstance(value('"usage:" + id'), Binary)


def test_a_text_block_loses_its_indentation() -> None:
    assert "SELECT 1\nFROM usage\n" == getattr(value('"""\n    SELECT 1\n    FROM usage\n    """'), "value", None)


def test_a_catch_guards_its_try_and_names_what_it_takes() -> None:
    facts = body("try (var c = open()) { send(); } catch (IOException | SQLException e) { log(e); } finally { close(); }")

    handler = next(one for one in facts.scopes if isinstance(one.head, Handler))
    assert isinstance(handler.head, Handler)
    assert (("IOException", "SQLException"), "e") == (handler.head.catches, handler.head.binds)
    tried = next(one for one in facts.scopes if one.kind is Kind.TRY)
    assert handler.head.guards is tried
    assert within(call(facts, "send").scope, tried)
    assert enclosing(call(facts, "send").scope, Kind.WITH) is not None
    assert Kind.FINALLY is call(facts, "close").scope.kind


def test_a_failed_future_is_handled() -> None:
    facts = body("client.sendAsync(event).exceptionally(e -> { log(e); return null; });")

    handler = next(one.head for one in facts.scopes if isinstance(one.head, Handler))
    assert isinstance(handler.guards, tuple)
    assert ("e", ["client.sendAsync"]) == (handler.binds, [one.name for one in handler.guards])


@pytest.mark.parametrize(
    "text",
    [
        "CompletableFuture.runAsync(() -> record(n));",
        "executor.submit(() -> { record(n); });",
        "new Thread(() -> record(n)).start();",
        "executor.execute(new Runnable() { public void run() { record(n); } });",
    ],
)
def test_what_runs_beside_is_detached(text: str) -> None:
    facts = body(text)

    started = next(one for one in facts.calls if one.start is Start.DETACHED)
    assert isinstance(started.callee, Lambda)
    assert within(call(facts, "record").scope, started.callee.scope)


def test_a_task_that_is_kept_is_not_detached() -> None:
    assert Start.PLAIN is call(body("Future<?> done = executor.submit(() -> record(n));"), "executor.submit").start


def test_waiting_for_a_future_awaits_its_call() -> None:
    assert Start.AWAITED is call(body("kafka.send(event).get();"), "kafka.send").start
    assert Start.AWAITED is call(body("client.sendAsync(event).join();"), "client.sendAsync").start


def test_what_only_hands_on_is_seen_through() -> None:
    facts = body("Account found = accounts.findById(id).orElseThrow(() -> new MissingException(id));")

    assert Use.ASSIGNED is call(facts, "accounts.findById").use


def test_a_synchronized_block_and_method_hold_a_lock() -> None:
    facts = file("class A { void a() { synchronized (lock) { b(); } } synchronized void c() { d(); } }")

    held = enclosing(call(facts, "b").scope, Kind.WITH)
    assert held is not None
    assert isinstance(held.head, With)
    assert ["synchronized"] == [dotted(one) for one in function(facts, "c").decorators]


def test_a_switch_compares_and_its_arms_are_branches() -> None:
    facts = body(
        "switch (plan) { case FREE: case TRIAL: a(); break; default: b(); }"
        "int n = switch (p) { case X -> one(); default -> two(); };"
    )

    arms = [one.head for one in facts.scopes if isinstance(one.head, Branch)]
    assert ["case"] * 4 == [one.arm for one in arms]
    assert isinstance(arms[0].test, Logical)
    assert arms[1].test is None
    assert Use.ASSIGNED is call(facts, "one").use
    assert facts.jumps == ()


def test_an_enum_reads_as_an_object_of_its_constants() -> None:
    facts = file("enum Plan { FREE(1000), PRO(50000); final long limit; Plan(long limit) { this.limit = limit; } }")

    made = facts.assigns[0].value
    assert isinstance(made, Object)
    assert [("FREE", 1000), ("PRO", 50000)] == [(one.name, getattr(one.value, "value", None)) for one in made.entries]


def test_parameters_carry_their_annotations() -> None:
    facts = file('class A { @PostMapping("/usage") public void report(@RequestBody final Usage usage, int... n) { } }')

    head = function(facts, "report")
    assert [("usage", "@RequestBody Usage"), ("n", "int")] == [(one.name, one.type) for one in head.parameters]
    assert ["PostMapping"] == [one.name for one in head.decorators if isinstance(one, Call)]
    assert head.exported


def test_loops_have_what_they_go_over_or_a_test_or_neither() -> None:
    facts = body("for (Row row : rows) { a(); } for (int i = 0; i < 3; i++) { } while (true) { } do { } while (b);")

    loops = [one.head for one in facts.scopes if isinstance(one.head, Loop)]
    assert ["row", "", "", ""] == [dotted(one.targets[0]) if one.targets else "" for one in loops]
    assert [False, True, False, True] == [one.test is not None for one in loops]


def test_the_sql_of_a_repositorys_annotation_is_an_argument() -> None:
    facts = file('interface A extends Repo<B> { @Query("UPDATE a SET used = used + :n") int add(long n); }')

    assert "UPDATE a SET used = used + :n" == getattr(call(facts, "Query").arguments[0].value, "value", None)
    assert [("A", ("Repo",))] == [(one.head.name, one.head.bases) for one in facts.scopes if isinstance(one.head, Class)]


@pytest.mark.parametrize(
    ("method", "context"),
    [
        ('@PostMapping("/usage") void run() { work(); }', Context.REQUEST),
        ("@POST public Response run() { work(); }", Context.REQUEST),
        ('@Post("/usage") HttpResponse<?> run() { work(); }', Context.REQUEST),
        ('@PostMapping("/stripe/webhook") void run() { work(); }', Context.WEBHOOK),
        ('@Scheduled(cron = "0 0 * * * *") void run() { work(); }', Context.SCHEDULE),
        ('@KafkaListener(topics = "usage") void run(Usage usage) { work(); }', Context.WORKER),
        ('@SqsListener("usage") void run(Usage usage) { work(); }', Context.WORKER),
        ('@RabbitListener(queues = "usage") void run(Usage usage) { work(); }', Context.WORKER),
        ('@Incoming("usage") void run(Usage usage) { work(); }', Context.WORKER),
        ("void execute(JobExecutionContext context) { work(); }", Context.WORKER),
        ("void run() { work(); }", Context.LIBRARY),
    ],
)
def test_annotations_and_types_tell_the_context(method: str, context: Context) -> None:
    facts = file(f"class A {{ {method} }}")

    assert context is context_of(facts, call(facts, "work").scope)


def test_a_package_called_sample_is_no_sample() -> None:
    text = "class A { void run() { work(); } }"

    assert Context.LIBRARY is context_of(file(text, "server/src/main/java/com/acme/sample/A.java"), file(text).root)
    assert Context.TEST is context_of(file(text, "server/src/test/java/com/acme/A.java"), file(text).root)


@pytest.mark.parametrize(
    "nested", [("(", ")"), ("f(", ")"), ("-", ""), ("new A[]{", "}"), ("a.b(() -> ", ")"), ("x ? ", " : 1")]
)
def test_deep_nesting_is_too_complex_and_nothing_worse(nested: tuple[str, str]) -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        with pytest.raises(TooComplexError):
            file(f"class A {{ void f() {{ x = {nested[0] * 600}1{nested[1] * 600}; }} }}")
    finally:
        sys.setrecursionlimit(limit)


def test_a_text_of_many_pieces_is_not_deep() -> None:
    assert file("class A { String s = " + " + ".join(['"a"'] * 2_000) + "; }").assigns[0].value is not None


def test_one_huge_literal_is_too_complex() -> None:
    with pytest.raises(TooComplexError):
        file(f"class A {{ int[] x = {{{'1,' * CHILDREN}}}; }}")


SNIPPET = """package com.acme;
import com.stripe.model.*; import static java.time.Instant.now;
@RestController @RequestMapping(value = "/v1", path = {"a"})
public class A<T extends B> extends C<T> implements D {
    static final long LIMIT = 1_000L; @Autowired Map<String, Long> m = new HashMap<>();
    static { init(); } { x = 2; }
    A(final B b) { super(b); this.b = b; }
    @Transactional public synchronized <X> List<X> run(@Valid T... t) throws IOException {
        var p = P.builder().setA("x").putB("k", 1).build(); a[i] += 2; i++; label: while (true) { break label; }
        for (int i = 0, j = 1; i < 3; i++, j--) { continue; } for (final B b : bs) if (b instanceof C c) return null; else b();
        try (var c = open(); d) { go(); } catch (A | B e) { throw new X("a", e); } finally { close(); }
        int y = switch (k) { case "A", "B" -> 1; case C c when c.x() -> { yield 2; } default -> throw new E(); };
        list.stream().map(A::b).collect(Collectors.toMap(k -> 1, (v) -> 2)); long z = (long) f * -1 >>> 2;
        new Thread(new Runnable() { @Override public void run() { a(); } }).start(); String s = "a" + b + 'c';
        String t = \"\"\"
            select 1
            \"\"\"; int[] q = new int[]{1, 2}; assert a : "b"; x = y = a ? b : c; obj.new Inner(); do { } while (x > 0.5f);
    }
    enum E { A(1) { int f() { return 1; } }, B; }
    record R(@NotNull String id, long n) { R { check(); } } @interface N { int v() default 1; }
}
"""
WORDS = st.sampled_from(
    [
        "\n",
        *"if else for while do switch case default return try catch finally throw new class interface enum record void".split(),
        *"public static final int long synchronized yield break continue import package instanceof this super null".split(),
        *"= == != ! && || -> :: . , ; : ( ) [ ] { } < > & | * + - ++ += @ x T 1 1.5 true".split(),
        *'"a" \'c\' // /* */ " """ builder() build() get() @Query'.split(),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, max_size=60).map(" ".join))
def test_any_words_of_java_are_read_or_refused(text: str) -> None:
    for source in (text, f"class A {{ void f() {{\n{text}\n}} }}\n"):
        assert file(source).language == "java"


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(SNIPPET)), st.integers(0, len(SNIPPET)))
def test_any_piece_of_a_file_is_read(start: int, end: int) -> None:
    facts = file(SNIPPET[start:end])
    assert all(enclosing(one.scope, Kind.MODULE) is facts.root for one in facts.calls)
    assert file(SNIPPET[:start] + SNIPPET[end:]).language == "java"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(source: bytes) -> None:
    with contextlib.suppress(TooComplexError):
        assert lower("A.java", source).source == source
