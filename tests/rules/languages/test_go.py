"""What the Go front end reads out of Go source."""

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
    Expression,
    Facts,
    Function,
    Handler,
    Index,
    Kind,
    Lambda,
    Literal,
    Loop,
    Member,
    Name,
    Object,
    Scope,
    Sequence,
    Spread,
    Start,
    Unary,
    Use,
    dotted,
    enclosing,
    within,
)
from rules.languages.go import lower
from rules.languages.lowering import CHILDREN, TooComplexError
from tests.rules.languages.found import call_ending as call


def file(text: str) -> Facts:
    return lower("billing.go", text.encode())


def body(text: str, imports: str = "") -> Facts:
    facts = file(f"package billing\n{imports}\nfunc run() error {{\n{text}\n}}\n")
    assert facts.broken == ()
    return facts


def value(text: str) -> Expression:
    made = body(f"x = {text}").assigns[0].value
    assert made is not None
    return made


def functions(facts: Facts) -> list[tuple[Scope, Function]]:
    return [(scope, scope.head) for scope in facts.scopes if isinstance(scope.head, Function)]


def handlers(facts: Facts) -> list[tuple[Scope, Handler]]:
    return [(scope, scope.head) for scope in facts.scopes if isinstance(scope.head, Handler)]


def guards(handler: Handler) -> list[str]:
    assert isinstance(handler.guards, tuple)
    return [one.name for one in handler.guards]


def branches(facts: Facts) -> list[str]:
    return [scope.head.arm for scope in facts.scopes if isinstance(scope.head, Branch)]


def loop(facts: Facts) -> Loop:
    return next(scope.head for scope in facts.scopes if isinstance(scope.head, Loop))


def names(targets: tuple[Expression, ...]) -> list[str]:
    return [dotted(target) for target in targets]


def test_a_package_goes_by_its_last_segment() -> None:
    facts = body("meterevent.New(params)", 'import "github.com/stripe/stripe-go/v82/billing/meterevent"')
    assert facts.calls[0].name == "stripe.billing.meterevent.New"
    assert facts.calls[0].folded == "stripe.billing.meterevent.new"
    assert facts.packages == {"github.com/stripe/stripe-go/v82/billing/meterevent"}


@pytest.mark.parametrize(
    ("path", "local", "origin"),
    [
        ("github.com/stripe/stripe-go/v82", "stripe", "stripe"),
        ("github.com/redis/go-redis/v9", "redis", "redis"),
        ("github.com/nats-io/nats.go", "nats", "nats-io.nats"),
        ("gopkg.in/yaml.v3", "yaml", "yaml"),
        ("encoding/json", "json", "encoding.json"),
        ("gorm.io/gorm", "gorm", "gorm"),
        ("fmt", "fmt", "fmt"),
    ],
)
def test_versions_hosts_and_go_are_no_part_of_a_package_name(path: str, local: str, origin: str) -> None:
    assert file(f'package a\nimport "{path}"\n').imports[local] == origin


def test_the_raw_last_segment_is_bound_too() -> None:
    assert "stripe-go" in file('package a\nimport "github.com/stripe/stripe-go/v82"\n').imports


def test_an_alias_stands_for_its_package() -> None:
    facts = body("me.New(p)", 'import me "github.com/stripe/stripe-go/v82/billing/meterevent"')
    assert facts.calls[0].name.endswith("meterevent.New")
    assert set(facts.imports) == {"me"}


def test_dot_and_blank_imports_are_packages_without_a_name() -> None:
    facts = file('package a\nimport (\n. "math"\n_ "embed"\n)\n')
    assert facts.packages == {"math", "embed"}
    assert facts.imports == {}


def test_a_method_on_a_client_reads_as_written() -> None:
    assert body("sc.V1BillingMeterEvents.Create(ctx, p)").calls[0].name == "sc.V1BillingMeterEvents.Create"


def test_a_called_receiver_has_parentheses_in_the_name() -> None:
    assert [one.name for one in body("s.client().Events.Ingest(e)").calls] == [
        "s.client",
        "s.client().Events.Ingest",
    ]


def test_a_struct_literal_is_an_object_with_its_type() -> None:
    made = value("stripe.BillingMeterEventParams{EventName: x, Value: 1}")
    assert isinstance(made, Object)
    assert made.type == "stripe.BillingMeterEventParams"
    assert [entry.name for entry in made.entries] == ["EventName", "Value"]
    assert made.complete


def test_the_address_of_a_struct_literal_is_the_struct() -> None:
    facts = body("f(&T{A: 1})")
    argument = facts.calls[0].arguments[0].value
    assert isinstance(argument, Object)
    assert argument.type == "T"


def test_a_struct_type_is_resolved_through_an_alias() -> None:
    facts = body("f(&s.Params{})", 'import s "github.com/stripe/stripe-go/v82"')
    argument = facts.calls[0].arguments[0].value
    assert isinstance(argument, Object)
    assert argument.type == "stripe.Params"


def test_a_struct_without_field_names_is_not_complete() -> None:
    made = value("T{a, b}")
    assert isinstance(made, Object)
    assert [entry.name for entry in made.entries] == [None, None]
    assert not made.complete


def test_a_map_literal_is_an_object_by_its_string_keys() -> None:
    made = value('map[string]string{"a": b, "c": d}')
    assert isinstance(made, Object)
    assert [entry.name for entry in made.entries] == ["a", "c"]
    assert made.complete
    assert made.type == ""


def test_a_variable_key_of_a_map_is_computed() -> None:
    made = value('map[string]string{"a": b, key: d}')
    assert isinstance(made, Object)
    assert [entry.name for entry in made.entries] == ["a", None]
    assert not made.complete


def test_a_named_map_keeps_its_string_keys() -> None:
    made = value('gin.H{"error": text}')
    assert isinstance(made, Object)
    assert made.entries[0].name == "error"


def test_a_slice_literal_is_a_sequence() -> None:
    made = value("[]int{1, 2}")
    assert isinstance(made, Sequence)
    assert [one.value for one in made.items if isinstance(one, Literal)] == [1, 2]


@pytest.mark.parametrize("text", ["[]ns.Event{{ID: a}}", "[]*ns.Event{{ID: a}}", "[1]ns.Event{0: {ID: a}}"])
def test_structs_in_a_slice_take_the_type_of_the_slice(text: str) -> None:
    made = value(text)
    assert isinstance(made, Sequence)
    assert isinstance(made.items[0], Object)
    assert made.items[0].type == "ns.Event"
    assert made.items[0].entries[0].name == "ID"


def test_structs_in_a_map_take_the_type_of_the_map() -> None:
    made = value('map[string]Plan{"free": {Limit: 3}}')
    assert isinstance(made, Object)
    assert isinstance(made.entries[0].value, Object)
    assert made.entries[0].value.type == "Plan"


@pytest.mark.parametrize("text", ['stripe.String("x")', "aws.Int32(x)", "ptr.To(x)", "lo.ToPtr(x)"])
def test_a_pointer_wrapper_stays_a_call(text: str) -> None:
    made = value(text)
    assert isinstance(made, Call)
    assert made.name == text.partition("(")[0]


@pytest.mark.parametrize("text", ["int64(x)", "float64(x)", "[]byte(x)"])
def test_a_conversion_is_a_call_by_the_name_of_the_type(text: str) -> None:
    made = value(text)
    assert isinstance(made, Call)
    assert made.name == text.removesuffix("(x)")
    assert names((made.arguments[0].value,)) == ["x"]


@pytest.mark.parametrize("text", ["*y", "&y", "(y)", "y.(string)", "(*y)"])
def test_pointers_assertions_and_parentheses_are_peeled(text: str) -> None:
    assert dotted(value(text)) == "y"


@pytest.mark.parametrize("text", ["Sum[int](a)", "Sum[int, string](a)", "Sum[int](a, b)"])
def test_type_arguments_are_peeled(text: str) -> None:
    made = value(text)
    assert isinstance(made, Call)
    assert made.name == "Sum"


@pytest.mark.parametrize("text", ["handlers[kind](a)", "handlers[kind](a, b)"])
def test_a_call_of_an_item_is_no_generic_call(text: str) -> None:
    made = value(text)
    assert isinstance(made, Call)
    assert made.name == "handlers[]"


def test_a_method_expression_reads_as_a_method_of_the_type() -> None:
    assert body("(*Meter).Record(m, 1)").calls[0].name == "Meter.Record"


def test_an_expression_statement_discards_the_result() -> None:
    assert body("report(x)").calls[0].use is Use.DISCARDED


@pytest.mark.parametrize("text", ["_ = report(x)", "_, _ = report(x)", "var _ = report(x)"])
def test_a_result_assigned_to_blank_is_discarded(text: str) -> None:
    made = body(text).calls[0]
    assert made.use is Use.DISCARDED
    assert made.targets == ()


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("x, err := f()", ["x", "err"]),
        ("x, err = f()", ["x", "err"]),
        ("x, _ := f()", ["x", "_"]),
        ("var x, err = f()", ["x", "err"]),
        ("s.err = f()", ["s.err"]),
    ],
)
def test_an_assigned_call_knows_its_targets(text: str, targets: list[str]) -> None:
    made = body(text).calls[0]
    assert made.use is Use.ASSIGNED
    assert names(made.targets) == targets


def test_several_values_are_assigned_in_pairs() -> None:
    facts = body("a, b := f(), g()")
    assert [names(one.targets) for one in facts.calls] == [["a"], ["b"]]
    assert [names(one.targets) for one in facts.assigns] == [["a"], ["b"]]


def test_one_call_for_several_targets_is_one_assignment_of_a_pattern() -> None:
    facts = body("a, err := f()")
    assert len(facts.assigns) == 1
    pattern = facts.assigns[0].targets[0]
    assert isinstance(pattern, Sequence)
    assert names(pattern.items) == ["a", "err"]


def test_a_call_after_go_is_detached() -> None:
    made = body("go report(x)").calls[0]
    assert (made.start, made.use) == (Start.DETACHED, Use.DISCARDED)


def test_a_call_after_defer_is_deferred() -> None:
    assert body("defer mu.Unlock()").calls[0].start is Start.DEFERRED


@pytest.mark.parametrize(("word", "start"), [("go", Start.DETACHED), ("defer", Start.DEFERRED)])
def test_a_func_literal_that_is_started_says_how(word: str, start: Start) -> None:
    facts = body(f"{word} func() {{ report(x) }}()")
    inner = functions(facts)[1]
    assert inner[1].passed_to == start.value
    made = call(facts, "report")
    assert made.scope is inner[0]
    assert (made.start, made.use) == (Start.PLAIN, Use.DISCARDED)


def test_arguments_of_a_detached_call_are_not_detached() -> None:
    assert call(body("go report(read())"), "read").start is Start.PLAIN


def test_a_tested_error_opens_a_handler() -> None:
    facts = body("x, err := report()\nif err != nil {\nlog(err)\n}")
    (scope, handler), *rest = handlers(facts)
    assert rest == []
    assert handler.binds == "err"
    assert handler.guards == (call(facts, "report"),)
    assert call(facts, "log").scope is scope
    assert facts.tests[0].then is scope


def test_an_error_in_the_initialiser_opens_a_handler() -> None:
    facts = body("if x, err := report(); err != nil {\nreturn err\n}")
    assert guards(handlers(facts)[0][1]) == ["report"]
    assert names(call(facts, "report").targets) == ["x", "err"]


def test_the_else_of_a_good_error_is_the_handler() -> None:
    facts = body("err := report()\nif err == nil {\ngood()\n} else {\nbad()\n}")
    assert call(facts, "bad").scope.kind is Kind.HANDLER
    assert call(facts, "good").scope.kind is Kind.BRANCH


def test_the_else_of_a_bad_error_is_a_branch() -> None:
    facts = body("err := report()\nif err != nil {\nbad()\n} else {\ngood()\n}")
    assert call(facts, "good").scope.kind is Kind.BRANCH


@pytest.mark.parametrize("name", ["err", "err2", "closeErr", "pushErr", "errs", "lastError"])
def test_errors_are_known_by_their_names(name: str) -> None:
    assert handlers(body(f"{name} := report()\nif {name} != nil {{\n}}"))[0][1].binds == name


def test_another_name_is_not_an_error() -> None:
    assert handlers(body("customer := find()\nif customer != nil {\n}")) == []


def test_an_error_that_no_call_set_opens_no_handler() -> None:
    facts = file("package a\nfunc f(err error) {\nif err != nil {\n}\n}")
    assert handlers(facts) == []
    assert branches(facts) == ["then"]


@pytest.mark.parametrize("test", ["errors.Is(err, ErrGone)", "errors.As(err, &gone)"])
def test_asking_which_error_it_is_stays_a_branch(test: str) -> None:
    facts = body(f"err := report()\nif {test} {{\n}}\nif err != nil && {test} {{\n}}", 'import "errors"')
    assert handlers(facts) == []
    assert facts.calls[1].use is Use.TESTED


def test_a_failure_with_a_further_condition_is_still_a_handler() -> None:
    assert guards(handlers(body("err := report()\nif err != nil && !quiet {\n}"))[0][1]) == ["report"]


def test_the_latest_call_is_the_one_that_is_guarded() -> None:
    facts = body("err := first()\nerr = second()\nif err != nil {\n}")
    assert guards(handlers(facts)[0][1]) == ["second"]


def test_both_arms_that_may_have_set_the_error_are_guarded() -> None:
    facts = body("var err error\nif a {\nerr = f()\n} else {\nerr = g()\n}\nif err != nil {\n}")
    assert guards(handlers(facts)[0][1]) == ["f", "g"]


def test_a_retry_leaves_the_first_call_guarded_too() -> None:
    facts = body("err := f()\nif again {\nerr = g()\n}\nif err != nil {\n}")
    assert guards(handlers(facts)[0][1]) == ["f", "g"]


def test_an_error_that_was_tested_before_is_not_guarded_again() -> None:
    facts = body("err := f()\nif err != nil {\nreturn err\n}\nif a {\nerr = g()\n}\nif err != nil {\n}")
    assert [guards(handler) for _, handler in handlers(facts)] == [["f"], ["g"]]


def test_an_error_declared_in_an_if_does_not_outlive_it() -> None:
    facts = body("err := f()\nif err := g(); err != nil {\n}\nif err != nil {\n}")
    assert [guards(handler) for _, handler in handlers(facts)] == [["g"], ["f"]]


def test_an_error_of_another_function_is_forgotten() -> None:
    assert handlers(file("package a\nfunc f() { err = g() }\nfunc h() { if err != nil { } }")) == []


def test_an_error_that_was_set_to_nil_is_of_no_call() -> None:
    assert handlers(body("err := f()\nerr = nil\nif err != nil {\n}")) == []


def test_taking_the_error_of_a_call_takes_the_call() -> None:
    facts = body("if err := db.Create(x).Error; err != nil {\n}")
    assert guards(handlers(facts)[0][1]) == ["db.Create"]
    assert facts.calls[0].use is Use.ASSIGNED


def test_the_error_of_a_result_is_the_error_of_its_call() -> None:
    facts = body("result := db.Create(x)\nif result.Error != nil {\n}")
    assert guards(handlers(facts)[0][1]) == ["db.Create"]


def test_asking_a_command_for_its_error_guards_the_command() -> None:
    facts = body("err := f()\nerr = rdb.Incr(ctx, k).Err()\nif err != nil {\n}")
    assert guards(handlers(facts)[0][1]) == ["rdb.Incr", "rdb.Incr().Err"]


def test_a_returned_call_that_takes_the_error_is_returned() -> None:
    assert body("return db.Create(x).Error").calls[0].use is Use.RETURNED


def test_a_bare_switch_on_an_error_holds_a_handler() -> None:
    facts = body("err := report()\nswitch {\ncase err != nil:\nbad()\ncase n > 1:\nmore()\n}")
    assert call(facts, "bad").scope.kind is Kind.HANDLER
    assert call(facts, "more").scope.kind is Kind.BRANCH
    assert guards(handlers(facts)[0][1]) == ["report"]


def test_the_default_after_a_good_error_holds_a_handler() -> None:
    facts = body("err := report()\nswitch {\ncase err == nil:\ngood()\ndefault:\nbad()\n}")
    assert call(facts, "bad").scope.kind is Kind.HANDLER
    assert call(facts, "good").scope.kind is Kind.BRANCH


def test_sprintf_stays_a_call() -> None:
    made = value('fmt.Sprintf("%s:%s", a, b)')
    assert isinstance(made, Call)
    assert isinstance(made.arguments[0].value, Literal)
    assert made.arguments[0].value.value == "%s:%s"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('"a\\n%d"', "a\\n%d"),
        ("`select 1`", "select 1"),
        ("'c'", "c"),
        ("1_000", 1000),
        ("1.5", 1.5),
        ("-2", -2),
        ("0x1F", "0x1F"),
        ("true", True),
        ("nil", None),
    ],
)
def test_literals_have_their_value(text: str, read: object) -> None:
    made = value(text)
    assert isinstance(made, Literal)
    assert made.value == read
    assert type(made.value) is type(read)


def test_strings_that_are_added_are_a_binary() -> None:
    made = value('"a" + b')
    assert isinstance(made, Binary)
    assert made.operator == "+"


def test_not_reads_not_whatever_go_writes() -> None:
    made = value("!ok")
    assert isinstance(made, Unary)
    assert made.operator == "not"


def test_a_slice_of_a_slice_is_an_index() -> None:
    made = value("key[:size()]")
    assert isinstance(made, Index)
    assert dotted(made.object) == "key"


def test_a_function_says_what_it_takes_and_gives() -> None:
    facts = file("package a\nfunc Report(a, b int, c ...string) (int, error) { return 1, nil }")
    function = functions(facts)[0][1]
    assert function.name == "Report"
    assert function.exported
    assert not function.method
    assert function.returns == "(int, error)"
    assert [(one.name, one.type) for one in function.parameters] == [
        ("a", "int"),
        ("b", "int"),
        ("c", "...string"),
    ]


def test_a_method_has_its_receiver_as_first_parameter() -> None:
    function = functions(file("package a\nfunc (s *Service) report(ctx context.Context) {}"))[0][1]
    assert function.method
    assert not function.exported
    assert [(one.name, one.type) for one in function.parameters] == [("s", "*Service"), ("ctx", "context.Context")]


def test_a_func_literal_goes_by_the_name_it_is_assigned_to() -> None:
    facts = body("handle := func(n int) error { return nil }")
    function = functions(facts)[1][1]
    assert (function.name, function.returns, function.parameters[0].name) == ("handle", "error", "n")
    assert isinstance(facts.assigns[0].value, Lambda)


def test_a_func_literal_in_a_field_goes_by_the_name_of_the_field() -> None:
    assert functions(body("x = Worker{Handle: func(e Event) { report(e) }}"))[1][1].name == "Handle"


def test_a_func_literal_knows_the_call_it_is_passed_to() -> None:
    facts = body('router.POST("/usage", func(c *gin.Context) { report(c) })')
    function = functions(facts)[1][1]
    assert (function.passed_to, function.registered_as) == ("router.POST", "/usage")
    assert facts.calls[-1].name == "router.POST"


def test_a_range_loop_has_targets_and_what_it_iterates() -> None:
    made = loop(body("for i, row := range rows() {\nreport(row)\n}"))
    assert names(made.targets) == ["i", "row"]
    assert isinstance(made.iterates, Call)


def test_a_loop_with_three_clauses_tests_and_steps() -> None:
    facts = body("for i := 0; i < n; i++ {\nreport(i)\n}")
    assert loop(facts).test is not None
    assert [one.operator for one in facts.assigns] == ["=", "+="]
    assert facts.assigns[1].scope.kind is Kind.LOOP
    assert call(facts, "report").scope.kind is Kind.LOOP


def test_a_loop_like_while_has_a_test() -> None:
    facts = body("for rows.Next() {\n}")
    assert isinstance(loop(facts).test, Call)
    assert facts.calls[0].use is Use.TESTED


@pytest.mark.parametrize("head", ["for", "for true", "for ;;"])
def test_an_endless_loop_has_neither_test_nor_items(head: str) -> None:
    made = loop(body(f"{head} {{\nwork()\n}}"))
    assert (made.test, made.iterates) == (None, None)


def test_a_select_has_a_case_for_each_communication() -> None:
    facts = body("select {\ncase x := <-events:\nkeep(x)\ncase out <- 1:\ndefault:\ndrop()\n}")
    assert branches(facts) == ["case", "case", "case"]
    received = call(facts, "events.receive")
    assert (received.use, names(received.targets)) == (Use.ASSIGNED, ["x"])
    scope = call(facts, "keep").scope
    assert isinstance(scope.head, Branch)
    assert scope.head.test is received


def test_a_switch_has_a_case_for_each_arm() -> None:
    facts = body("switch kind() {\ncase 1, 2:\na()\ndefault:\nb()\n}")
    assert branches(facts) == ["case", "case"]
    assert call(facts, "kind").use is Use.TESTED


def test_a_type_switch_has_cases() -> None:
    facts = body("switch v := x.(type) {\ncase *T:\na(v)\ndefault:\nb()\n}")
    assert branches(facts) == ["case", "case"]
    assert call(facts, "b").scope.kind is Kind.BRANCH


def test_jumps_are_known_with_and_without_a_label() -> None:
    facts = body("L:\nfor {\nif a {\ncontinue L\n}\nif b {\nbreak\n}\ngoto L\n}")
    assert [one.word for one in facts.jumps] == ["continue", "break", "goto"]


def test_a_break_that_only_leaves_a_switch_is_no_jump() -> None:
    facts = body("L:\nfor {\nswitch x {\ncase 1:\nif a {\nbreak\n}\ncase 2:\nbreak L\n}\n}")
    assert [one.word for one in facts.jumps] == ["break"]


def test_several_results_are_returned_as_a_sequence() -> None:
    facts = body("return f(), nil")
    assert isinstance(facts.returns[0].value, Sequence)
    assert facts.calls[0].use is Use.RETURNED


def test_one_result_is_returned_as_itself() -> None:
    assert isinstance(body("return f()").returns[0].value, Call)


def test_a_bare_return_has_no_value() -> None:
    assert body("return").returns[0].value is None


def test_panic_raises() -> None:
    facts = body("panic(wrap(err))")
    assert isinstance(facts.raises[0].value, Call)
    assert [one.name for one in facts.calls] == ["wrap"]


def test_sending_on_a_channel_is_a_call() -> None:
    made = call(body("s.events <- build(x)"), "s.events.send")
    assert isinstance(made.callee, Member)
    assert isinstance(made.arguments[0].value, Call)
    assert made.use is Use.DISCARDED


def test_receiving_from_a_channel_is_a_call() -> None:
    made = call(body("<-ctx.Done()"), "ctx.Done().receive")
    assert made.arguments == ()


@pytest.mark.parametrize(
    ("text", "operator"), [("x++", "+="), ("x--", "-="), ("x += 2", "+="), ("x *= 2", "*="), ("x |= 2", "|=")]
)
def test_changing_a_variable_is_an_assignment(text: str, operator: str) -> None:
    made = body(text).assigns[0]
    assert (made.operator, names(made.targets)) == (operator, ["x"])
    assert isinstance(made.value, Literal)


def test_constants_and_variables_are_declared() -> None:
    facts = file("package a\nconst (\nA = iota\nB\n)\nvar (\nc, d int = 1, 2\ne string\n)\nvar f = g()\n")
    assert [(names(one.targets), one.declares) for one in facts.assigns] == [([name], True) for name in "A B c d e f".split()]
    assert isinstance(facts.assigns[0].value, Name)
    assert facts.assigns[1].value is None
    assert facts.calls[0].use is Use.ASSIGNED


def test_a_struct_type_is_a_class_with_its_fields() -> None:
    facts = file('package a\ntype Usage struct {\ngorm.Model\nKey string `gorm:"uniqueIndex"`\nA, B int\n}\n')
    scope = facts.scopes[1]
    assert isinstance(scope.head, Class)
    assert (scope.head.name, scope.head.bases) == ("Usage", ("gorm.Model",))
    assert [names(one.targets)[0] for one in facts.assigns] == ["Key", "A", "B"]
    assert all(one.declares and one.operator == ":" and one.scope is scope for one in facts.assigns)
    tag = facts.assigns[0].value
    assert isinstance(tag, Literal)
    assert tag.value == 'gorm:"uniqueIndex"'
    assert facts.assigns[1].value is None


def test_a_call_inside_a_condition_is_tested() -> None:
    facts = body("if ok() && (!done(x) || size(y) > 3) {\n}")
    assert [one.use for one in facts.calls] == [Use.TESTED] * 3


def test_an_else_if_lies_in_the_else_of_the_one_before() -> None:
    facts = body("if a {\n} else if b {\nf()\n} else {\ng()\n}")
    assert branches(facts) == ["then", "else", "then", "else"]
    outer = facts.scopes[3]
    assert within(call(facts, "f").scope, outer)
    assert within(call(facts, "g").scope, outer)


def test_a_spread_argument_is_kept_as_one() -> None:
    argument = body("f(xs...)").calls[0].arguments[0].value
    assert isinstance(argument, Spread)
    assert dotted(argument.value) == "xs"


def test_calls_come_in_evaluation_order() -> None:
    assert [one.name for one in body("a(b(c()), d())").calls] == ["c", "b", "d", "a"]


def test_comments_are_kept_wherever_they_stand() -> None:
    facts = file(
        "// Code generated by x. DO NOT EDIT.\npackage a\ntype T struct {\n// field\nA int // tail\n}\n"
        "func f() {\n// statement\ng(/* argument */ a)\nx := T{\n// entry\nA: 1,\n}\n"
        "switch {\n// case\ncase a:\n// arm\nb()\n}\n}\n"
    )
    assert [one.text for one in facts.comments] == [
        "Code generated by x. DO NOT EDIT.",
        "field",
        "tail",
        "statement",
        "argument",
        "entry",
        "case",
        "arm",
    ]


def test_a_file_that_breaks_off_still_reads() -> None:
    facts = file("package a\nfunc f() {\nreport(x)\nif err := g(); err != nil {\nlog(")
    assert facts.broken
    assert {"report", "g"} <= {one.name for one in facts.calls}


def test_deep_nesting_is_too_complex_and_no_crash() -> None:
    for text in ("x = " + "(" * 400 + "1" + ")" * 400, "if a {" * 400 + "}" * 400, "func() {" * 300 + "}()" * 300):
        with pytest.raises(TooComplexError):
            file(f"package a\nfunc f() {{\n{text}\n}}\n")


@pytest.mark.parametrize(
    "nested", [("x = f(func() { ", " })"), ("x = []T{{A: g(", ")}}"), ("if a { b() } else { ", " }"), ("x.f(-(", "))")]
)
def test_the_deepest_nesting_that_is_judged_fits_the_stack(nested: tuple[str, str]) -> None:
    """With room for the frames of whoever calls."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(950)
    try:
        for depth in range(20, 260, 10):
            try:
                file(f"package a\nfunc f() {{\n{nested[0] * depth}1{nested[1] * depth}\n}}\n")
            except TooComplexError:
                return
    finally:
        sys.setrecursionlimit(limit)
    pytest.fail("never too complex")


def test_one_huge_literal_is_too_complex() -> None:
    with pytest.raises(TooComplexError):
        file(f"package a\nvar x = []int{{{'1,' * CHILDREN}}}\n")


SNIPPET = """package billing
import (s "github.com/stripe/stripe-go/v82"; . "math")
type Usage struct { gorm.Model; Key string `gorm:"unique"`; N []map[string]*T }
const ( A = iota; B )
func (u *Usage) Report(ctx context.Context, a, b int, c ...string) (n int, err error) {
	if x, err := s.New(&s.Params{Name: s.String("a"), M: map[string]int{"a": 1, k: 2}}); err != nil {
		return 0, err
	} else if y := f(); y { panic(y) }
	for i, v := range rows { go func() { ch <- v }(); defer u.mu.Unlock(); continue }
	for i := 0; i < 3; i++ { select { case x := <-ch: break; case out <- 1: default: } }
L:	switch v := x.(type) { case *T: goto L; default: fallthrough }
	switch { case err != nil && !errors.Is(err, X): a[1:2], b = -c, !d }
	_ = append([]byte("x"), Sum[int](`raw`+"q"+'c', 0x1, 1.5)...)
	return u.db.Create(&u).Error
}
"""
WORDS = st.sampled_from(
    [
        "\n",
        *"if else for range func go defer switch select case default return var const type struct map chan break".split(),
        *"interface package import panic err nil := = == != ! && || <- ... . , ; : ( ) [ ] { } & * + - ++ x T 1".split(),
        *"\"a\" `b` 'c' // /* */ \" ` '".split(),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, max_size=60).map(" ".join))
def test_any_words_of_go_are_read_or_refused(text: str) -> None:
    for source in (text, f"package a\nfunc f() {{\n{text}\n}}\n"):
        assert file(source).language == "go"


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(SNIPPET)), st.integers(0, len(SNIPPET)))
def test_any_piece_of_a_file_is_read(start: int, end: int) -> None:
    facts = file(SNIPPET[start:end])
    assert all(enclosing(one.scope, Kind.MODULE) is facts.root for one in facts.calls)
    assert file(SNIPPET[:start] + SNIPPET[end:]).language == "go"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(source: bytes) -> None:
    with contextlib.suppress(TooComplexError):
        assert lower("a.go", source).source == source
