"""What the Rust front end reads out of Rust source."""

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
    Name,
    Object,
    Scope,
    Sequence,
    Start,
    Template,
    Use,
    dotted,
    within,
)
from rules.languages.lowering import CHILDREN, TooComplexError
from rules.languages.rust import lower
from tests.rules.languages.found import call_ending as call


def file(text: str) -> Facts:
    return lower("billing.rs", text.encode())


def body(text: str, before: str = "") -> Facts:
    facts = file(f"{before}\nasync fn run() -> Result<(), Error> {{\n{text}\n}}\n")
    assert facts.broken == ()
    return facts


def value(text: str) -> Expression:
    made = body(f"let x = {text};").assigns[-1].value
    assert made is not None
    return made


def handlers(facts: Facts) -> list[Handler]:
    return [one.head for one in facts.scopes if isinstance(one.head, Handler)]


def function(facts: Facts, name: str) -> Scope:
    return next(one for one in facts.scopes if isinstance(one.head, Function) and one.head.name == name)


def test_a_path_is_dotted_and_what_is_used_is_resolved() -> None:
    facts = body("UsageRecord::create(&client);", "use stripe::{billing::UsageRecord, Client as C};\nuse crate::usage;")

    assert "stripe.billing.UsageRecord.create" == facts.calls[0].name
    assert {"UsageRecord": "stripe.billing.UsageRecord", "C": "stripe.Client", "usage": "usage"} == dict(facts.imports)
    assert "stripe" in facts.packages


@pytest.mark.parametrize("text", ["record(1).await?;", "record(1).await.unwrap();", "record(1).await.map_err(Wrong::from)?;"])
def test_a_failure_that_is_passed_on_has_no_handler(text: str) -> None:
    facts = body(text)

    assert (Start.AWAITED, Use.DISCARDED) == (call(facts, "record").start, call(facts, "record").use)
    assert [] == handlers(facts)


@pytest.mark.parametrize(
    "text",
    [
        "let _ = record(1).await;",
        "record(1).await.ok();",
        "record(1).await.unwrap_or_default();",
        'if let Err(e) = record(1).await { warn!("{e}"); }',
        'if let Ok(x) = record(1).await { take(x); } else { warn!("no"); }',
        'match record(1).await { Ok(x) => take(x), Err(e) => warn!("{e}") }',
        "let Ok(x) = record(1).await else { return Ok(()); };",
        'let made = record(1).await; match made { Ok(x) => take(x), Err(e) => warn!("{e}") }',
        'record(1).await.unwrap_or_else(|e| warn!("{e}"));',
        'if record(1).await.is_err() { warn!("no"); }',
    ],
)
def test_a_failure_that_ends_here_has_a_handler(text: str) -> None:
    facts = body(text)

    assert [(call(facts, "record"),)] == [one.guards for one in handlers(facts)]


def test_an_arm_for_one_kind_of_error_says_which() -> None:
    facts = body("match record(1).await { Ok(_) => {}, Err(E::Duplicate(e)) => {}, Err(e) => return Err(e) }")

    assert [("Err(E::Duplicate(e))",), ()] == [one.catches for one in handlers(facts)]
    assert [Kind.HANDLER] == [one.scope.kind for one in facts.raises]


@pytest.mark.parametrize("text", ["return Err(Wrong::Limit);", 'bail!("limit");', 'panic!("limit");'])
def test_an_error_that_is_returned_is_raised(text: str) -> None:
    facts = body(f"if used > limit {{ {text} }}\nOk(())")

    assert [Kind.BRANCH] == [one.scope.kind for one in facts.raises]
    assert 1 == len(facts.returns)


def test_the_last_expression_is_returned_in_every_arm() -> None:
    facts = file("fn left(a: Plan) -> i64 { if a.free { 1 } else { match a.kind { Kind::Pro => 2, _ => limit(a) } } }")

    assert ["1", "2", "limit"] == [str(getattr(one.value, "value", getattr(one.value, "name", ""))) for one in facts.returns]


def test_a_task_that_is_left_alone_runs_beside_the_caller() -> None:
    facts = body("tokio::spawn(async move { record(1).await; });")
    started = next(one for one in facts.calls if isinstance(one.callee, Lambda))

    assert Start.DETACHED == started.start
    assert isinstance(started.callee, Lambda)
    assert within(call(facts, "record").scope, started.callee.scope)


def test_a_task_whose_handle_is_kept_is_an_ordinary_call() -> None:
    made = call(body("let handle = tokio::spawn(async move { record(1).await });"), "tokio.spawn")

    assert Start.PLAIN == made.start
    assert isinstance(made.arguments[0].value, Lambda)


def test_a_struct_has_its_fields_as_entries_and_defaults_hide_nothing() -> None:
    made = value("Params { quantity: 1, tenant, ..Default::default() }")

    assert isinstance(made, Object)
    assert ("Params", ["quantity", "tenant"], True) == (made.type, [one.name for one in made.entries], made.complete)


def test_a_builder_reads_as_one_call() -> None:
    made = call(body("client.batch_meter_usage().product_code(p).usage_records(r).send().await?;"), "batch_meter_usage")

    assert (Start.AWAITED, Use.DISCARDED) == (made.start, made.use)
    given_to = made.arguments[0].value
    assert isinstance(given_to, Object)
    assert ["product_code", "usage_records"] == [one.name for one in given_to.entries]


def test_a_builder_of_a_type_reads_as_what_it_builds() -> None:
    facts = body("let made = UsageRecord::builder().quantity(n).timestamp(at).build()?;")
    made = facts.assigns[0].value

    assert isinstance(made, Object)
    assert ("UsageRecord", ["quantity", "timestamp"]) == (made.type, [one.name for one in made.entries])


def test_a_setter_of_a_whole_field_has_the_fields_name() -> None:
    made = call(body("client.batch_meter_usage().set_usage_records(Some(all)).send().await?;"), "batch_meter_usage")

    given_to = made.arguments[0].value
    assert isinstance(given_to, Object)
    assert [("usage_records", "all")] == [(one.name, dotted(one.value)) for one in given_to.entries]


def test_a_query_reads_as_one_call_with_what_is_bound() -> None:
    facts = body('let done = sqlx::query("UPDATE a SET used = used + $1").bind(n).bind(id).execute(&pool).await?;')
    made = call(facts, "sqlx.query")

    assert 1 == len(facts.calls)
    assert (Use.ASSIGNED, ["n", "id", "pool"]) == (made.use, [dotted(one.value) for one in made.arguments[1:]])


def test_a_request_reads_as_one_call_with_its_body() -> None:
    made = call(body('client.post("https://x/usage").json(&row).send().await?;'), "client.post")

    assert isinstance(made.arguments[0].value, Literal)
    assert isinstance(made.arguments[1].value, Object)
    assert ["json"] == [one.name for one in made.arguments[1].value.entries]


def test_macros_are_read_as_expressions() -> None:
    facts = body('let row = sqlx::query!("SELECT 1", used + n, id).fetch_one(&pool).await?;')

    assert ["SELECT 1", "used", "id"] == [
        str(getattr(one.value, "value", dotted(getattr(one.value, "left", one.value))))
        for one in call(facts, "sqlx.query").arguments[:3]
    ]


def test_a_format_has_its_parts() -> None:
    made = value('format!("usage:{}:{day}:{n:02}", tenant, n = count)')

    assert isinstance(made, Template)
    assert ["usage:", "tenant", ":", "day", ":", "count"] == [str(getattr(one, "value", dotted(one))) for one in made.parts]


def test_json_is_an_object() -> None:
    made = value('json!({"event": {"code": "tokens", "ids": [1, x.id]}, "n": a + 1})')

    assert isinstance(made, Object)
    assert ["event", "n"] == [one.name for one in made.entries]
    assert isinstance(inner := made.entries[0].value, Object)
    assert isinstance(inner.entries[1].value, Sequence)


def test_what_only_copies_or_wraps_a_value_is_the_value() -> None:
    assert ["row.id"] * 4 == [
        dotted(value(text)) for text in ("row.id.clone()", "Some(row.id)", "&row.id", "Set(row.id.into())")
    ]
    assert isinstance(text := value('"tokens".to_string()'), Literal)
    assert "tokens" == text.value


def test_numbers_are_read_without_their_types() -> None:
    assert [1000, 255, 1.5] == [one.value for text in ("1_000u64", "0xFF", "1.5f64") if isinstance(one := value(text), Literal)]
    exact = value("dec!(0.1)")
    assert isinstance(exact, Call)
    assert exact.constructs


def test_functions_say_what_they_are() -> None:
    facts = file(
        'impl Meter for Service { #[post("/usage")]\npub async fn report(&self, State(db): State<Pool>, mut n: u64) '
        "-> Result<()> { Ok(()) } }"
    )
    head = function(facts, "report").head

    assert isinstance(head, Function)
    assert (True, True, "Result<()>", True) == (head.asynchronous, head.exported, head.returns, head.method)
    assert [("self", "&self"), ("db", "State<Pool>"), ("n", "u64")] == [(one.name, one.type) for one in head.parameters]
    assert ["post"] == [one.name for one in head.decorators if isinstance(one, Call)]
    held = next(one.head for one in facts.scopes if isinstance(one.head, Class))
    assert ("Service", ("Meter",)) == (held.name, held.bases)


def test_a_struct_declares_its_fields() -> None:
    facts = file("#[derive(FromRow)]\nstruct Row { id: Uuid, pub cost: f64 }")

    assert [("id", "Uuid", ":"), ("cost", "f64", ":")] == [
        (dotted(one.targets[0]), one.type, one.operator) for one in facts.assigns
    ]


def test_tests_are_no_part_of_the_program() -> None:
    facts = file(
        "#[cfg(test)]\nmod tests { fn a() { record(); } }\n#[tokio::test]\nasync fn b() { record(); }\nfn c() { d(); }"
    )

    assert ["d"] == [one.name for one in facts.calls]


def test_loops_run_over_what_they_take() -> None:
    facts = body(
        "for (i, row) in rows.iter().enumerate() {}\nwhile let Some(m) = rx.recv().await {}\nloop { break; }\nwhile a < 3 {}"
    )
    loops = [one.head for one in facts.scopes if isinstance(one.head, Loop)]

    assert [True, True, False, False] == [one.iterates is not None for one in loops]
    assert [None, None, None, "<"] == [getattr(one.test, "operator", None) for one in loops]


def test_conditions_are_tests_and_values() -> None:
    facts = body("let n = if used >= limit { 0 } else { limit - used };")

    assert isinstance(facts.assigns[0].value, Conditional)
    assert isinstance(facts.tests[0].value, Compare)


def test_an_option_that_is_asked_for_is_no_failure() -> None:
    facts = body("if let Some(plan) = account.plan { take(plan); }")

    assert [] == handlers(facts)
    assert isinstance(call(facts, "take").scope.head, Branch)
    assert ["plan"] == [dotted(one.targets[0]) for one in facts.assigns]


def test_a_closure_knows_what_it_is_passed_to() -> None:
    facts = body('app.at("/usage", |row| async move { record(row).await });')
    head = next(one.head for one in facts.scopes if isinstance(one.head, Function) and one.head.passed_to)

    assert ("app.at", "/usage", True) == (head.passed_to, head.registered_as, head.asynchronous)


def test_comments_lie_where_they_are_written() -> None:
    facts = body("// usage is booked elsewhere\nf(); /* here */")

    assert ["usage is booked elsewhere", "here"] == [one.text for one in facts.comments]


@pytest.mark.parametrize(
    "text",
    ["(" * 600, "fn a() { " + "if a { " * 600, "fn a() { x(" + "A { b: " * 600, "fn a() { json!(" + "[" * 600, "a?" * 600],
)
def test_deep_nesting_is_refused_or_read_but_never_crashes(text: str) -> None:
    limit = sys.getrecursionlimit()

    with contextlib.suppress(TooComplexError):
        file(text)

    assert limit == sys.getrecursionlimit()


def test_a_huge_literal_is_refused() -> None:
    with pytest.raises(TooComplexError):
        body("let x = [" + "1, " * (CHILDREN + 1) + "];")


@settings(max_examples=60, deadline=None)
@given(
    st.text(alphabet="abc{}()[]<>;:,.=+-!?\"'#$&|*/\n \t0fn let mut async await match if Err Ok => json! vec!", max_size=200)
)
def test_garbage_is_read_without_a_crash(text: str) -> None:
    with contextlib.suppress(TooComplexError):
        file(text)


WHOLE = (
    "use stripe::{Client, a::B as C};\n#[derive(FromRow)]\nstruct R { n: i64 }\nimpl M for R {\n"
    '    #[post("/u")]\n    pub async fn post(&self, Json(row): Json<R>) -> Result<(), E> {\n'
    "        let Ok(a) = f(row.n).await else { return Err(E::X); };\n"
    '        match g(&a).await? { Some(K { n, .. }) if n > 1 => h(format!("{a}:{}", n)), _ => {} }\n'
    '        if let Err(e) = client.post(url).json(&json!({"a": [1, b.c]})).send().await { error!("{e}"); }\n'
    "        for x in xs.iter().map(|y| y * 2) { total += x as f64; }\n"
    "        tokio::spawn(async move { let _ = k().await; });\n        Ok(())\n    }\n}\n"
)


@pytest.mark.parametrize("cut", range(1, len(WHOLE), 7))
def test_a_half_written_file_is_read_as_far_as_it_goes(cut: int) -> None:
    file(WHOLE[:cut])


def test_what_is_deferred_runs_when_the_function_ends() -> None:
    facts = body("defer! { usage.record(1); } work();")

    deferred = next(one for one in facts.calls if one.start is Start.DEFERRED)

    assert isinstance(deferred.callee, Lambda)
    assert within(call(facts, "record").scope, deferred.callee.scope)


def test_a_guard_is_what_it_guards() -> None:
    facts = body("self.pending.lock().unwrap().push(event); self.rows.write().await.insert(key, row);")

    assert ["self.pending.push", "self.rows.insert"] == [one.name for one in facts.calls if one.arguments]


def test_what_is_taken_out_leaves_nothing_behind() -> None:
    facts = body("let batch = std::mem::take(&mut *self.pending.lock().unwrap());")

    left = next(one for one in facts.assigns if dotted(one.targets[0]) == "self.pending")

    assert isinstance(left.value, Sequence)
    assert not left.value.items


def test_a_default_is_one_whoever_gives_it() -> None:
    found = value("plan.limit.unwrap_or(100)")

    assert isinstance(found, Logical)
    assert found.operator == "??"


def test_a_setter_with_a_key_sets_that_key() -> None:
    facts = body('client.post(url).header("Idempotency-Key", key).form(&[("a", b)]).send().await?;')

    given = call(facts, "post").arguments[-1].value

    assert isinstance(given, Object)
    assert ["Idempotency-Key", "form"] == [one.name for one in given.entries]
    assert isinstance(given.entries[1].value, Object)


def test_a_name_is_a_name() -> None:
    assert isinstance(value("row"), Name)
