"""What the C# front end reads out of C# source."""

import contextlib
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.facts import (
    Assign,
    Binary,
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
    With,
    dotted,
    enclosing,
    within,
)
from rules.languages.csharp import lower
from rules.languages.lowering import CHILDREN, TooComplexError
from tests.rules.languages.found import call_ending as call


def file(text: str) -> Facts:
    return lower("Billing.cs", text.encode())


def body(text: str, before: str = "") -> Facts:
    facts = file(f"{before}\nclass Billing\n{{\n    async Task Run()\n    {{\n{text}\n    }}\n}}\n")
    assert facts.broken == ()
    return facts


def value(text: str) -> Expression:
    made = body(f"x = {text};").assigns[-1].value
    assert made is not None
    return made


def function(facts: Facts, name: str) -> Scope:
    return next(one for one in facts.scopes if isinstance(one.head, Function) and one.head.name == name)


def test_an_awaited_call_goes_by_the_name_without_async() -> None:
    made = call(body("await db.SaveChangesAsync();"), "SaveChanges")

    assert ("db.savechanges", "SaveChanges", Start.AWAITED, Use.DISCARDED) == (made.folded, made.method, made.start, made.use)
    assert "db.SaveChangesAsync" == dotted(made.callee)


@pytest.mark.parametrize("text", ["tracker.RecordAsync(1);", "_ = tracker.RecordAsync(1);", "tracker.RecordAsync(1).Forget();"])
def test_a_task_that_nobody_waits_for_is_detached(text: str) -> None:
    made = call(body(text), "tracker.Record")

    assert (Start.DETACHED, Use.DISCARDED) == (made.start, made.use)


@pytest.mark.parametrize(
    "text",
    [
        "await tracker.RecordAsync(1).ConfigureAwait(false);",
        "tracker.RecordAsync(1).Wait();",
        "tracker.RecordAsync(1).GetAwaiter().GetResult();",
    ],
)
def test_a_task_that_is_waited_for_by_another_way_is_awaited(text: str) -> None:
    assert Start.AWAITED == call(body(text), "tracker.Record").start


def test_what_is_handed_to_task_run_and_left_alone_runs_beside_the_caller() -> None:
    facts = body("_ = Task.Run(async () => { await tracker.RecordAsync(1); });")
    started = next(one for one in facts.calls if isinstance(one.callee, Lambda))

    assert Start.DETACHED == started.start
    assert isinstance(started.callee, Lambda)
    assert within(call(facts, "tracker.Record").scope, started.callee.scope)


def test_an_options_object_has_its_names_as_entries() -> None:
    made = value(
        'new MeterEventCreateOptions { EventName = "t", Payload = new Dictionary<string, string> { ["a"] = b, { "c", d } } }'
    )

    assert isinstance(made, Object)
    assert ("MeterEventCreateOptions", ["EventName", "Payload"]) == (made.type, [one.name for one in made.entries])
    assert isinstance(made.entries[1].value, Object)
    assert ["a", "c"] == [one.name for one in made.entries[1].value.entries]


def test_an_initializer_after_arguments_is_one_more_argument() -> None:
    made = value("new ServiceBusMessage(body) { MessageId = id }")

    assert isinstance(made, Call)
    assert made.constructs
    assert [Name, Object] == [type(one.value) for one in made.arguments]


def test_new_without_a_type_is_of_the_declared_one() -> None:
    facts = file(
        "class A { private readonly List<Event> events = new(); MeterEventCreateOptions one = new() { EventName = x }; }"
    )

    assert isinstance(facts.assigns[0].value, Sequence)
    assert isinstance(facts.assigns[1].value, Object)
    assert "MeterEventCreateOptions" == facts.assigns[1].value.type


@pytest.mark.parametrize(
    "text",
    [
        "class A { async Task F() { await service.CreateAsync(o); } readonly MeterEventService service; }",
        "class A(MeterEventService service) { async Task F() { await service.CreateAsync(o); } }",
        "class A { async Task F() { var service = new MeterEventService(); await service.CreateAsync(o); } }",
        "class A { async Task F(MeterEventService service) { await service.CreateAsync(o); } }",
    ],
)
def test_a_variable_of_a_service_goes_by_its_type(text: str) -> None:
    assert "MeterEventService.Create" in [one.name for one in file(text).calls]


def test_a_type_written_in_one_method_says_nothing_in_another() -> None:
    facts = file("class A { void F(MeterEventService s) { s.Create(o); } void G() { s.Create(o); } }")

    assert ["MeterEventService.Create", "s.Create"] == [one.name for one in facts.calls]


def test_usings_are_packages_and_an_alias_stands_for_what_it_names() -> None:
    facts = body("ME.Create(o);", "using Stripe.Billing;\nusing ME = Stripe.Billing.MeterEventService;")

    assert "Stripe.Billing" in facts.packages
    assert "Stripe.Billing.MeterEventService.Create" == facts.calls[0].name


def test_strings_of_every_kind_are_read() -> None:
    assert ["a\n", 'b"c', "select 1"] == [
        one.value for text in ('"a\\n"', '@"b""c"', '"""select 1"""') if isinstance(one := value(text), Literal)
    ]
    filled = value('$"usage:{tenant}:{day:yyyy}"')
    assert isinstance(filled, Template)
    assert ["usage:", "tenant", ":", "day"] == [str(getattr(one, "value", dotted(one))) for one in filled.parts]


def test_a_decimal_is_exact_and_a_double_is_a_float() -> None:
    assert isinstance(value("0.1"), Literal)
    exact = value("0.1m")
    assert isinstance(exact, Call)
    assert ("decimal", True) == (exact.name, exact.constructs)
    assert isinstance(whole := value("30m"), Literal)
    assert 30 == whole.value


def test_the_clock_is_asked_by_a_property() -> None:
    assert "DateTime.UtcNow" == call(body("var now = DateTime.UtcNow;"), "DateTime.UtcNow").name


def test_patterns_read_as_comparisons() -> None:
    test = body("if (used is null or < 0) { }").tests[0].value

    assert isinstance(test, Logical)
    assert isinstance(test.left, Compare)
    assert isinstance(test.right, Compare)
    assert ("or", "==", "<") == (test.operator, test.left.operator, test.right.operator)


def test_is_not_null_is_a_comparison_and_a_property_pattern_asks_the_member() -> None:
    facts = body("if (plan is not null && plan is { Limit: > 0 } found) { }")

    test = facts.tests[0].value
    assert isinstance(test, Logical)
    assert isinstance(test.left, Compare)
    assert isinstance(test.right, Compare)
    assert ("!=", "plan.Limit", ">") == (test.left.operator, dotted(test.right.left), test.right.operator)
    assert ["found"] == [dotted(target) for one in facts.assigns for target in one.targets]


def test_what_follows_a_constant_pattern_belongs_to_the_whole_condition() -> None:
    test = body("if (plan is not null && used >= plan.Limit || blocked) { }").tests[0].value

    assert isinstance(test, Logical)
    assert isinstance(test.left, Logical)
    assert isinstance(test.left.left, Compare)
    assert ("or", "and", "!=") == (test.operator, test.left.operator, test.left.left.operator)


def test_a_switch_expression_is_a_chain_of_conditions() -> None:
    made = value('plan switch { "free" => 10, "pro" => 100, _ => throw new E() }')

    assert isinstance(made, Conditional)
    assert isinstance(made.otherwise, Conditional)


def test_a_throw_in_an_expression_raises_only_in_its_arm() -> None:
    facts = body("var a = b ?? throw new E();")

    assert Kind.BRANCH is facts.raises[0].scope.kind


def test_a_catch_guards_its_try_and_names_what_it_takes() -> None:
    facts = body(
        "try { await s.SendAsync(); } catch (StripeException ex) when (ex.Code == 1) { throw; } catch { } finally { Done(); }"
    )
    handlers = [one for one in facts.scopes if isinstance(one.head, Handler)]

    assert [(("StripeException", "when (ex.Code == 1)"), "ex"), ((), "")] == [
        (one.head.catches, one.head.binds) for one in handlers if isinstance(one.head, Handler)
    ]
    tried = call(facts, "s.Send").scope
    assert all(one.head.guards is tried for one in handlers if isinstance(one.head, Handler))
    assert Kind.FINALLY is call(facts, "Done").scope.kind


def test_loops_bind_what_they_run_over() -> None:
    facts = body(
        "await foreach (var (id, used) in rows) { Take(id); }\nfor (;;) { }\nwhile (true) { }\nforeach (Row r in rows) { }"
    )
    loops = [one.head for one in facts.scopes if isinstance(one.head, Loop)]

    assert [True, False, False, True] == [one.iterates is not None for one in loops]
    assert [None, None, None, None] == [one.test for one in loops]


def test_locks_and_usings_are_with_scopes() -> None:
    facts = body("lock (sync) { used += 1; }\nusing (var scope = new TransactionScope()) { Save(); }")

    assert [Kind.WITH, Kind.FUNCTION] == [one.scope.kind for one in facts.assigns]
    assert Kind.WITH is call(facts, "Save").scope.kind
    assert 2 == sum(isinstance(one.head, With) for one in facts.scopes)


def test_a_break_that_leaves_a_switch_is_no_jump() -> None:
    facts = body("switch (a) { case 1: F(); break; default: G(); break; }\nwhile (b) { break; }")

    assert ["break"] == [one.word for one in facts.jumps]
    assert [Branch, Branch] == [type(one.scope.head) for one in facts.calls]


def test_cases_without_anything_in_between_share_one_arm() -> None:
    facts = body("switch (a) { case 1: case > 5: F(); break; }")

    assert isinstance(facts.tests[0].value, Logical)


def test_methods_say_what_they_are() -> None:
    facts = file(
        'class C : ControllerBase { [HttpPost("x")] public async Task<IActionResult> RecordAsync([FromBody] Row row, int n = 1)'
        " { } public C(int a) : base(a) { } int Left => Limit - Used; }"
    )
    head = function(facts, "Record").head

    assert isinstance(head, Function)
    assert (True, True, "Task<IActionResult>", True) == (head.asynchronous, head.exported, head.returns, head.method)
    assert [("row", "[FromBody] Row"), ("n", "int")] == [(one.name, one.type) for one in head.parameters]
    assert isinstance(head.decorators[0], Call)
    assert function(facts, "constructor")
    assert ["Left"] == [one.scope.head.name for one in facts.returns if isinstance(one.scope.head, Function)]


def test_a_class_has_bases_and_its_fields_are_declarations() -> None:
    facts = file(
        '[Table("u")] public record Usage(int Tokens) : Base<int>, IRow { public decimal Cost { get; set; } private int n; }'
    )
    kind = next(one for one in facts.scopes if isinstance(one.head, Class))

    assert isinstance(kind.head, Class)
    assert ("Usage", ("Base", "IRow")) == (kind.head.name, kind.head.bases)
    declared = [(dotted(one.targets[0]), one.type, one.operator) for one in facts.assigns if one.scope is kind]
    assert [("Tokens", "int", ":"), ("Cost", "decimal", ":"), ("n", "int", ":")] == declared


def test_a_lambda_knows_what_it_is_passed_to() -> None:
    facts = file('app.MapPost("/usage", async (Row row, Db db) => { await db.SaveAsync(row); });')
    head = next(one.head for one in facts.scopes if isinstance(one.head, Function))

    assert ("app.MapPost", "/usage", True) == (head.passed_to, head.registered_as, head.asynchronous)


def test_what_a_query_asks_of_a_row_is_an_expression_and_what_it_makes_is_a_list() -> None:
    facts = body("var rows = db.Usage.Where(row => row.At < end).Select(row => new Sum { Total = row.Tokens });")
    asked, made = (one.arguments[0].value for one in facts.calls)

    assert isinstance(asked, Compare)
    assert "row.At" == dotted(asked.left)
    assert isinstance(made, Sequence)
    assert made.each
    assert isinstance(made.items[0], Object)
    assert [["row"], ["row"]] == [[dotted(one) for one in s.head.targets] for s in facts.scopes if isinstance(s.head, Loop)]


def test_the_trigger_of_an_azure_function_is_what_it_is_registered_as() -> None:
    facts = file('class C { public async Task Run([TimerTrigger("0 0 3 1 * *")] TimerInfo timer) { } }')
    head = function(facts, "Run").head

    assert isinstance(head, Function)
    assert "0 0 3 1 * *" == head.registered_as


def test_an_event_handler_is_passed_to_its_event() -> None:
    facts = body("processor.ProcessMessageAsync += async args => { await Take(args); };")
    head = next(one.head for one in facts.scopes if isinstance(one.head, Function) and one.head.passed_to)

    assert "processor.ProcessMessage" == head.passed_to
    assert () == facts.assigns


def test_a_query_reads_as_its_calls() -> None:
    facts = body("var sums = from row in db.Usage where row.At < end group row by row.Tenant into g select g.Key;")

    assert isinstance(facts.calls[0].arguments[0].value, Compare)
    assert ["db.Usage.Where", "db.Usage.Where().GroupBy", "db.Usage.Where().GroupBy().Select"] == [
        one.name for one in facts.calls
    ]


def test_an_out_variable_is_set_by_its_call() -> None:
    facts = body("int.TryParse(text, out var tokens);")
    made: Assign = facts.assigns[0]

    assert "tokens" == dotted(made.targets[0])
    assert made.value is facts.calls[0]


def test_both_halves_of_conditional_code_are_read() -> None:
    facts = body("#if DEBUG\nA();\n#else\nB();\n#endif\nC();")

    assert ["A", "B", "C"] == [one.name for one in facts.calls]


def test_optional_access_reads_as_plain_access() -> None:
    made = value("account?.Plan?.Limits![0]")

    assert "account.Plan.Limits[]" == dotted(made)


def test_comments_lie_where_they_are_written() -> None:
    facts = body("// usage is booked elsewhere\nF(); /* here */")

    assert ["usage is booked elsewhere", "here"] == [one.text for one in facts.comments]


def test_every_call_lies_in_its_function() -> None:
    facts = file("class A { void F() { G(); } void H() { I(); } }")

    assert ["F", "H"] == [
        one.head.name
        for made in facts.calls
        if (one := enclosing(made.scope, Kind.FUNCTION)) and isinstance(one.head, Function)
    ]


@pytest.mark.parametrize(
    "text", ["(" * 600, "class A { void F() { " + "if (a) { " * 600, "x = " + "new A { B = " * 600, "a?" * 600]
)
def test_deep_nesting_is_refused_or_read_but_never_crashes(text: str) -> None:
    limit = sys.getrecursionlimit()

    with contextlib.suppress(TooComplexError):
        file(text)

    assert limit == sys.getrecursionlimit()


def test_a_huge_literal_is_refused() -> None:
    with pytest.raises(TooComplexError):
        body("var x = new[] { " + "1, " * (CHILDREN + 1) + "};")


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="abc{}()[]<>;:,.=+-!?\"'@$#/*&|\n \t0new class void await async => is switch", max_size=200))
def test_garbage_is_read_without_a_crash(text: str) -> None:
    with contextlib.suppress(TooComplexError):
        file(text)


WHOLE = (
    "using Stripe;\nnamespace App;\n[ApiController]\npublic class C(IDb db) : ControllerBase\n{\n"
    "    [HttpPost] public async Task<IActionResult> Post([FromBody] Row row)\n    {\n"
    "        try { var a = row switch { { N: > 1 } x => x, _ => throw new E() }; "
    "await db.SaveAsync(new Row(1) { A = [1, ..b] }); }\n"
    '        catch (E ex) when (ex is { A: null }) { _ = Task.Run(() => F($"{a:N2}")); }\n'
    "        foreach (var (k, v) in from u in db.U where u.A select new { u.B, C = 1 }) { lock (k) { v!.X ??= 1.5m; } }\n"
    "        return Ok();\n    }\n}\n"
)


@pytest.mark.parametrize("cut", range(1, len(WHOLE), 7))
def test_a_half_written_file_is_read_as_far_as_it_goes(cut: int) -> None:
    file(WHOLE[:cut])


def test_a_product_that_is_an_argument_is_no_pointer() -> None:
    made = call(body("Math.Round(row.Quantity * price, 2);"), "Math.Round").arguments[0].value

    assert isinstance(made, Binary)
    assert ("*", "row.Quantity", "price") == (made.operator, dotted(made.left), dotted(made.right))
