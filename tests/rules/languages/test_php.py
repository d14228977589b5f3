import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.code import Code
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
    Kind,
    Lambda,
    Literal,
    Logical,
    Loop,
    Name,
    Object,
    Scope,
    Sequence,
    Spread,
    Start,
    Template,
    Unary,
    Use,
    dotted,
    enclosing,
)
from rules.languages.lowering import TooComplexError
from rules.languages.php import SUFFIXES, lower
from rules.meaning.contexts import Context
from tests.rules.languages.found import assigned as assign
from tests.rules.languages.found import call_named as call


def facts(source: str, path: str = "app/Services/Usage.php") -> Facts:
    return lower(path, ("<?php\n" + source).encode())


def value(source: str) -> Expression | None:
    return assign(facts(f"$x = {source};"), "x").value


def heads(read: Facts, kind: type) -> list:
    return [scope.head for scope in read.scopes if isinstance(scope.head, kind)]


def test_the_suffix_is_read_as_php_and_text_around_it_is_nothing() -> None:
    assert SUFFIXES == (".php",)
    read = lower("a.php", b"<html><?php track(1); ?></html>")
    assert read.language == "php"
    assert [one.name for one in read.calls] == ["track"]


def test_a_use_gives_a_class_its_name_and_its_package() -> None:
    read = facts("use Stripe\\{StripeClient, Webhook as Hook};\nHook::constructEvent($a);\nnew StripeClient($key);")
    assert call(read, "Stripe.Webhook.constructEvent")
    assert call(read, "Stripe.StripeClient").constructs
    assert "Stripe/StripeClient" in read.packages


def test_a_chain_of_members_is_a_dotted_name_and_an_array_its_entries() -> None:
    made = call(
        facts("$stripe->billing->meterEvents->create(['event_name' => 'x', ...$more]);"), "stripe.billing.meterEvents.create"
    )
    whole = made.arguments[0].value
    assert isinstance(whole, Object)
    assert [one.name for one in whole.entries] == ["event_name", None]
    assert isinstance(whole.entries[1].value, Spread)
    assert not whole.complete


def test_named_arguments_keep_their_names() -> None:
    assert [one.name for one in call(facts("record(customer: $c, tokens: 3);"), "record").arguments] == ["customer", "tokens"]


def test_self_and_static_are_the_class_itself() -> None:
    read = facts("class A { function b() { self::c(); static::d(); $this->e(); } }")
    assert [one.name for one in read.calls] == ["self.c", "self.d", "this.e"]


@pytest.mark.parametrize(
    ("source", "name"), [("(int) $n", "int"), ("intval($n)", "int"), ("(float) $n", "float"), ("strval($n)", "str")]
)
def test_a_conversion_is_a_function_of_what_it_converts(source: str, name: str) -> None:
    made = value(source)
    assert isinstance(made, Call)
    assert made.name == name


def test_questions_are_the_comparisons_that_they_ask() -> None:
    assert isinstance(value("is_null($a)"), Compare)
    assert isinstance(value("empty($a)"), Unary)
    made = value("!in_array($status, ['a', 'b'], true)")
    assert isinstance(made, Compare)
    assert made.operator == "not in"
    both = value("isset($a, $b)")
    assert isinstance(both, Logical)


def test_texts_are_joined_to_a_template() -> None:
    made = value("'usage:' . $a . \":{$b->c}\"")
    assert isinstance(made, Template)
    assert [dotted(one) for one in made.parts if not isinstance(one, Literal)] == ["a", "b.c"]


def test_a_heredoc_is_a_template_and_a_nowdoc_a_literal() -> None:
    assert isinstance(value("<<<SQL\nSELECT $a FROM b\nSQL"), Template)
    assert isinstance(value("<<<'SQL'\nSELECT $a FROM b\nSQL"), Literal)


def test_operators_of_absence_are_told_apart() -> None:
    first, second = value("$a ?? 5"), value("$a ?: 5")
    assert isinstance(first, Logical)
    assert isinstance(second, Logical)
    assert (first.operator, second.operator) == ("??", "or")


def test_appending_pushes_and_unset_deletes() -> None:
    read = facts("$this->pending[] = $event;\nunset($this->seen['a']);\n$used++;\n$total .= 'x';")
    assert call(read, "this.pending.push").use is Use.DISCARDED
    assert [one.operator for one in read.assigns] == ["del", "+=", ".="]


def test_destructuring_binds_each_name() -> None:
    read = facts("[$a, $b] = pair();\n['id' => $id] = $row;")
    first, second = (one.targets[0] for one in read.assigns)
    assert isinstance(first, Sequence)
    assert isinstance(second, Object)
    assert [one.name for one in second.entries] == ["id"]


def test_what_laravel_and_php_make_of_a_request_is_the_request() -> None:
    read = facts("function a(Request $request) { f($request->tokens, $request->integer('n'), request('m'), $_POST['k']); }")
    given = [dotted(one.value) for one in call(read, "f").arguments]
    assert given == ["request.input.tokens", "request.input.integer()", "request.input()", "request.body[]"]


def test_an_if_with_elseif_nests_in_else_with_braces_and_without() -> None:
    for source in ("if ($a) { f(); } elseif ($b) { g(); } else { h(); }", "if ($a): f(); elseif ($b): g(); else: h(); endif;"):
        read = facts(source)
        scope = call(read, "h").scope
        assert [one.arm for one in (scope.head, scope.parent.head) if isinstance(one, Branch)] == ["else", "else"]
        assert len(read.tests) == 2


def test_abort_if_is_a_test_and_what_it_raises() -> None:
    read = facts("abort_if($used >= $limit, 402);\nthrow_unless($ok, Refused::class);\nabort(429);")
    assert len(read.raises) == 3
    assert [isinstance(one.value, Unary) for one in read.tests] == [False, True]


def test_loops_bind_what_they_go_over() -> None:
    read = facts("foreach ($rows as $key => $row) { f(); }\nfor ($i = 0; $i < 3; $i++) { g(); }\nwhile (true) { h(); }")
    first, second, third = heads(read, Loop)
    assert isinstance(first.targets[0], Sequence)
    assert isinstance(second.test, Compare)
    assert (third.test, third.iterates) == (None, None)


def test_a_closure_for_each_element_is_a_loop_whose_return_goes_on() -> None:
    read = facts("$rows->each(function ($row) { if ($row->free) { return; } bill($row); });")
    loop = heads(read, Loop)[0]
    assert [dotted(one) for one in loop.targets] == ["row"]
    assert [one.word for one in read.jumps] == ["continue"]
    assert not read.returns


def test_another_closure_is_a_function_that_knows_what_it_is_given_to() -> None:
    read = facts("Route::post('/usage', function (Request $request) { return 1; });\n$price = fn ($n) => $n * 2;")
    first, second = heads(read, Function)
    assert (first.passed_to, first.registered_as, first.parameters[0].type) == ("Route.post", "/usage", "Request")
    assert second.name == "price"
    assert len(read.returns) == 2


def test_a_catch_guards_its_try_with_all_its_kinds() -> None:
    read = facts("try { send(); } catch (\\Stripe\\Exception\\ApiErrorException | B $e) { log_it($e); } finally { close(); }")
    head = heads(read, Handler)[0]
    assert head.catches == ("Stripe\\Exception\\ApiErrorException", "B")
    assert head.binds == "e"
    assert enclosing(call(read, "close").scope, Kind.FINALLY) is not None


def test_a_switch_and_a_match_compare_with_their_subject() -> None:
    read = facts(
        "switch ($s) { case 'a': case 'b': f(); break; default: g(); }\n$x = match (true) { $n > 3 => h(), default => 0 };"
    )
    assert [type(one.value) for one in read.tests] == [Logical, Compare]
    assert not read.jumps


def test_a_class_has_bases_attributes_and_promoted_fields() -> None:
    read = facts(
        "#[AsMessageHandler]\nclass A extends B implements ShouldQueue {\nuse Queueable;\n"
        "function __construct(private Client $c) {} }"
    )
    head = heads(read, Class)[0]
    assert head.bases == ("B", "ShouldQueue", "Queueable")
    assert [one.text for one in head.decorators if isinstance(one, Name)] == ["AsMessageHandler"]
    assert assign(read, "this.c").declares
    assert heads(read, Function)[0].parameters[0].type == "Client"


def test_an_enum_is_an_object_of_its_cases() -> None:
    made = assign(facts("enum Plan: string { case Free = 'free'; case Pro = 'pro'; }"), "Plan").value
    assert isinstance(made, Object)
    assert [one.name for one in made.entries] == ["Free", "Pro"]


def test_integer_division_and_exit_are_what_they_do() -> None:
    made = value("intdiv($a, 30)")
    assert isinstance(made, Binary)
    assert made.operator == "//"
    assert len(facts("if ($a) { exit(1); }").returns) == 1


def test_comments_of_all_kinds_are_kept() -> None:
    assert [one.text for one in facts("// one\n# two\n/* three */\nf();").comments] == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("source", "name", "context"),
    [
        ("class A implements ShouldQueue { public function handle() { f(); } }", "handle", Context.WORKER),
        ("#[AsMessageHandler]\nclass A { public function __invoke($m) { f(); } }", "__invoke", Context.WORKER),
        ("class UsageController extends Controller { public function store() { f(); } }", "store", Context.REQUEST),
        ("class Close extends Command { public function handle() { f(); } }", "handle", Context.SCHEDULE),
        ("class A { #[Route('/usage', methods: ['POST'])] public function b() { f(); } }", "b", Context.REQUEST),
        ("class A { public function b() { f(); } }", "b", Context.LIBRARY),
    ],
)
def test_the_context_is_what_the_framework_calls(source: str, name: str, context: Context) -> None:
    read = facts(source)
    function = next(one for one in read.scopes if isinstance(one.head, Function) and one.head.name == name)
    assert Code(read).context(function) is context


def test_a_lambda_stands_for_its_scope() -> None:
    made = call(facts("DB::transaction(function () { f(); });"), "DB.transaction").arguments[0].value
    assert isinstance(made, Lambda)
    assert isinstance(made.scope, Scope)


@pytest.mark.parametrize("source", ["$x = " + "[" * 1500 + "]" * 1500 + ";", "$x = " + "(" * 1500 + "1" + ")" * 1500 + ";"])
def test_nesting_that_nobody_writes_is_refused(source: str) -> None:
    with pytest.raises(TooComplexError):
        facts(source)


def test_a_construct_with_too_many_parts_is_refused() -> None:
    with pytest.raises(TooComplexError):
        facts("$x = [" + "1," * 20_001 + "];")


def test_a_long_chain_of_elseif_is_read() -> None:
    assert len(facts("if ($a) { f(); } " + "elseif ($b) { f(); } " * 300).calls) == 301


TOKENS = st.sampled_from(
    "class function fn { } ( ) [ ] -> ?-> :: => = ?? ??= += . .= , ; ? : $a $this 'x' \"y{$a}\" <<<A 1 2.5 if else "
    "elseif foreach as for while switch case default match try catch finally throw new return break continue use "
    "namespace static self array list isset empty unset abort_if each #[A] // /* */ ... & | && || ! instanceof enum "
    "trait interface".split()
).map(lambda token: token + " ")
PIECES = (
    "use A\\{B, C as D};\n#[E]\nfinal class F extends G implements H { use I; const J = 1; private ?K $l = null;\n"
    "public function m(N $o, int ...$p): ?array { return $this->q?->r(['s' => $t, ...$u]) ?? []; } }",
    "try { $a->each(fn ($b) => $b->c()); } catch (D | E $f) { throw $f; } finally { abort_if($g, 402); }",
    "$x = match (true) { $a > 1, $b => 'c', default => \"d{$e['f']}\" }; [$g, ['h' => $i]] = $j; $k[] = <<<L\n m $n\nL;",
)


def unharmed(source: bytes) -> None:
    try:
        read = lower("a.php", b"<?php " + source)
    except TooComplexError:
        return
    assert read.scopes[0] is read.root
    assert all(0 <= one.span.start <= one.span.end <= len(source) + 6 for one in read.calls)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TOKENS, max_size=60))
def test_no_order_of_tokens_breaks_the_lowering(tokens: list[str]) -> None:
    unharmed("".join(tokens).encode())


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PIECES), st.data())
def test_no_cut_through_real_code_breaks_the_lowering(piece: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(piece)))
    end = data.draw(st.integers(start, len(piece)))
    unharmed((piece[:start] + piece[end:]).encode())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_break_the_lowering(source: bytes) -> None:
    unharmed(source)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("$this->http->postAsync($url);", Start.DETACHED),
        ("Http::async()->post($url);", Start.DETACHED),
        ("$this->http->postAsync($url)->then($f);", Start.DETACHED),
        ("$this->http->postAsync($url)->wait();", Start.PLAIN),
        ("$this->http->post($url);", Start.PLAIN),
    ],
)
def test_a_promise_that_is_dropped_runs_beside_its_caller(text: str, start: Start) -> None:
    found = facts(f"function run() {{ {text} }}")

    assert start is next(one.start for one in found.calls if one.use is Use.DISCARDED)
