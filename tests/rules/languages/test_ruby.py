import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.facts import (
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
    Member,
    Name,
    Object,
    Scope,
    Sequence,
    Spread,
    Start,
    Template,
    Unary,
    Use,
    With,
    dotted,
    enclosing,
)
from rules.languages.lowering import TooComplexError
from rules.languages.ruby import SUFFIXES, lower
from tests.rules.languages.found import assigned as assign
from tests.rules.languages.found import call_named as call


def facts(source: str, path: str = "app/services/usage.rb") -> Facts:
    return lower(path, source.encode())


def value(source: str) -> Expression | None:
    return assign(facts(f"x = {source}"), "x").value


def heads(read: Facts, kind: type) -> list:
    return [scope.head for scope in read.scopes if isinstance(scope.head, kind)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_suffix_is_read_as_ruby(suffix: str) -> None:
    assert facts("track(1)", f"lib/usage{suffix}").language == "ruby"


def test_a_constant_path_is_a_dotted_name_and_a_package() -> None:
    read = facts("Stripe::Billing::MeterEvent.create(event_name: 'calls', 'identifier' => id, :payload => {value: 1})")
    made = call(read, "Stripe.Billing.MeterEvent.create")
    assert made.folded == "stripe.billing.meterevent.create"
    assert [one.name for one in made.arguments] == ["event_name", "identifier", "payload"]
    assert "stripe/billing/meter_event" in read.packages


def test_a_bang_and_a_question_mark_stay_in_the_name_and_not_in_what_is_matched() -> None:
    made = call(facts("user.save!"), "user.save!")
    assert (made.method, made.folded) == ("save!", "user.save")


def test_a_braced_hash_is_one_argument_and_a_double_splat_a_spread() -> None:
    made = call(facts("record({a: 1, **rest}, **options)"), "record")
    first, second = made.arguments
    assert isinstance(first.value, Object)
    assert not first.value.complete
    assert isinstance(second.value, Spread)


def test_a_read_without_arguments_is_a_field_and_a_deed_is_a_call() -> None:
    read = facts("x = account.credits\ny = buffer.flush\naccount.notify")
    assert isinstance(assign(read, "x").value, Member)
    assert [one.name for one in read.calls] == ["buffer.flush", "account.notify"]


@pytest.mark.parametrize("name", ["reset_at", "charge_id", "invoice", "cancel_at_period_end"])
def test_a_field_that_is_named_like_a_deed_is_a_field(name: str) -> None:
    assert isinstance(value(f"subscription.{name}"), Member)


@pytest.mark.parametrize(
    ("source", "operator", "other"),
    [("limit.nil?", "==", None), ("left.zero?", "==", 0), ("left.positive?", ">", 0), ("left.negative?", "<", 0)],
)
def test_a_question_is_the_comparison_that_it_asks(source: str, operator: str, other: object) -> None:
    made = value(source)
    assert isinstance(made, Compare)
    assert isinstance(made.right, Literal)
    assert (made.operator, made.right.value) == (operator, other)


def test_membership_and_its_denial_are_comparisons() -> None:
    made = value("!%w[a b].include?(status)")
    assert isinstance(made, Compare)
    assert made.operator == "not in"
    assert isinstance(made.right, Sequence)


@pytest.mark.parametrize(
    ("source", "name", "count"),
    [
        ("n.to_i", "int", 1),
        ("n.to_f", "float", 1),
        ("n.round(2)", "round", 2),
        ("[a, b].max", "max", 2),
        ("n.to_d", "Decimal", 1),
    ],
)
def test_a_conversion_is_a_function_of_what_it_converts(source: str, name: str, count: int) -> None:
    made = value(source)
    assert isinstance(made, Call)
    assert (made.name, len(made.arguments)) == (name, count)


def test_a_duration_is_a_product_and_ago_counts_from_now() -> None:
    made = value("30.days.ago")
    assert isinstance(made, Binary)
    assert made.operator == "-"
    assert isinstance(made.left, Call)
    assert made.left.name == "Time.current"
    assert isinstance(made.right, Binary)
    assert dotted(made.right.right) == "duration.days"


@pytest.mark.parametrize(("source", "upper"), [("a..b", "lte"), ("a...b", "lt")])
def test_a_range_bounds_from_both_sides(source: str, upper: str) -> None:
    made = value(f"({source})")
    assert isinstance(made, Object)
    assert [one.name for one in made.entries] == ["gte", upper]


def test_interpolation_is_a_template_and_a_heredoc_is_the_text_below() -> None:
    read = facts("db.execute(<<~SQL.squish, <<~TEXT)\n  SELECT #{column}\n  FROM usage\nSQL\n  plain\nTEXT\n")
    first, second = call(read, "db.execute").arguments
    assert isinstance(first.value, Template)
    assert isinstance(second.value, Literal)
    assert second.value.value == "\n  plain\n"


def test_or_replaces_what_is_missing_and_tests_where_it_is_tested() -> None:
    read = facts("x = plan.limit || 5\nstop if a || b")
    made = assign(read, "x").value
    assert isinstance(made, Logical)
    assert made.operator == "??"
    assert isinstance(read.tests[0].value, Logical)
    assert read.tests[0].value.operator == "or"


def test_an_instance_variable_is_a_field_of_self() -> None:
    read = facts("@pending ||= []\n@used += 1\n$redis.incr(key)")
    assert assign(read, "self.pending").operator == "??="
    assert assign(read, "self.used").operator == "+="
    assert call(read, "redis.incr")


def test_a_shovel_pushes() -> None:
    assert call(facts("@pending << event"), "self.pending.push").use is Use.DISCARDED


def test_the_last_statement_of_a_method_is_returned_in_every_arm() -> None:
    read = facts("def price(n)\n  if n > 1\n    bulk(n)\n  else\n    case n\n    when 1 then single\n    end\n  end\nend")
    assert [read.text(one.span) for one in read.returns] == ["bulk(n)", "single"]
    assert call(read, "bulk").use is Use.RETURNED


def test_the_last_call_of_a_job_is_made_for_its_effect() -> None:
    read = facts("class A < ApplicationJob\n  def perform(id)\n    report(id)\n  end\nend")
    assert call(read, "report").use is Use.DISCARDED
    assert not read.returns


def test_a_rescue_of_a_method_guards_its_body_and_ensure_runs_last() -> None:
    read = facts("def a\n  send_it\nrescue Stripe::Error, IOError => e\n  log(e)\nensure\n  close\nend")
    handler = heads(read, Handler)[0]
    assert handler.catches == ("Stripe::Error", "IOError")
    assert handler.binds == "e"
    assert isinstance(handler.guards, Scope)
    assert enclosing(call(read, "close").scope, Kind.FINALLY) is not None
    assert call(read, "log").use is Use.DISCARDED


def test_a_rescue_that_answers_returns() -> None:
    read = facts(
        "def a\n  save!\nrescue ActiveRecord::RecordInvalid => e\n  result.record_validation_failure!(record: e.record)\nend"
    )
    assert [read.text(one.span)[:14] for one in read.returns if enclosing(one.scope, Kind.HANDLER)] == ["result.record_"]


def test_a_retry_makes_the_body_a_loop_that_success_leaves() -> None:
    read = facts("begin\n  report\nrescue E\n  sleep 1\n  retry if n < 3\n  raise\nend")
    loop = enclosing(call(read, "report").scope, Kind.LOOP)
    assert loop is not None
    assert {(one.word, enclosing(one.scope, Kind.HANDLER, Kind.TRY).kind) for one in read.jumps} == {
        ("retry", Kind.HANDLER),
        ("break", Kind.TRY),
    }


def test_a_rescue_modifier_is_a_handler() -> None:
    read = facts("report(1) rescue nil")
    assert enclosing(call(read, "report").scope, Kind.TRY) is not None
    assert len(heads(read, Handler)) == 1


def test_an_each_is_a_loop_and_next_goes_on() -> None:
    read = facts("customers.find_each do |customer|\n  next if customer.free?\n  bill(customer)\nend")
    loop = heads(read, Loop)[0]
    assert [dotted(one) for one in loop.targets] == ["customer"]
    assert dotted(loop.iterates) == "customers"
    assert [one.word for one in read.jumps] == ["continue"]
    assert enclosing(call(read, "bill").scope, Kind.LOOP) is not None


def test_a_map_is_the_list_of_what_its_block_gives() -> None:
    made = value("events.map { |event| {transaction_id: event.id} }")
    assert isinstance(made, Sequence)
    assert made.each
    assert isinstance(made.items[0], Object)


def test_an_endless_loop_has_no_test() -> None:
    assert [(one.test, one.iterates) for one in heads(facts("loop { work }\nwhile true do work end"), Loop)] == [
        (None, None)
    ] * 2


def test_a_transaction_runs_its_block_in_the_function_around_it() -> None:
    read = facts("def a\n  Wallet.transaction do\n    return if done\n    wallet.update!(used: 1)\n  end\nend")
    around = enclosing(call(read, "wallet.update!").scope, Kind.WITH)
    assert around is not None
    assert isinstance(around.head, With)
    assert isinstance(around.head.items[0], Call)
    assert around.head.items[0].name == "Wallet.transaction"


def test_another_block_is_a_function_that_knows_what_it_is_given_to() -> None:
    read = facts("scheduler.every '1h' do\n  close\nend\nhandler = ->(x) { x }")
    first, second = heads(read, Function)
    assert (first.passed_to, first.registered_as) == ("scheduler.every", "1h")
    assert (second.name, [one.name for one in second.parameters]) == ("handler", ["x"])


def test_a_thread_is_started_beside_its_caller() -> None:
    read = facts("Thread.new { report(1) }")
    started = next(one for one in read.calls if one.start is Start.DETACHED)
    assert isinstance(started.callee, Lambda)


def test_what_a_class_includes_is_among_its_bases_and_its_options_are_decorators() -> None:
    read = facts("class ReportJob < Base\n  include Sidekiq::Job\n  sidekiq_options queue: :usage, retry: 3\nend")
    head = heads(read, Class)[0]
    assert head.bases == ("Base", "Sidekiq::Job")
    assert [one.name for one in head.decorators if isinstance(one, Call)] == ["sidekiq_options"]


def test_parameters_keep_their_names_and_defaults() -> None:
    head = heads(facts("def a(b, c = 1, *d, e:, f: 2, **g, &h)\nend"), Function)[0]
    assert [one.name for one in head.parameters] == ["b", "c", "d", "e", "f", "g", "h"]
    assert [isinstance(one.default, Literal) for one in head.parameters] == [False, True, False, False, True, False, False]


def test_params_of_a_controller_are_the_requests_and_elsewhere_a_name() -> None:
    read = facts("class UsageController < ApplicationController\n  def create\n    record(params[:tokens])\n  end\nend")
    assert dotted(call(read, "record").arguments[0].value) == "request.params[]"
    other = facts("def create(params)\n  record(params[:tokens])\nend")
    assert dotted(call(other, "record").arguments[0].value) == "params[]"


def test_a_before_action_runs_first_in_the_actions_that_it_is_for() -> None:
    read = facts(
        "class A < ApplicationController\n  before_action :check_quota, only: %i[create]\n  "
        "before_action :log_in, except: :create\n"
        "  def create\n    f\n  end\n  def index\n    g\n  end\n  private\n  def hidden\n    h\n  end\nend"
    )
    around = {one.name: enclosing(one.scope, Kind.FUNCTION) for one in read.calls if one.name in ("check_quota", "log_in")}
    assert {name: scope.head.name for name, scope in around.items()} == {"check_quota": "create", "log_in": "index"}


def test_a_bare_row_method_is_the_objects_own() -> None:
    assert call(facts("def a\n  self.used += 1\n  save!\n  true\nend"), "self.save!")


def test_a_modifier_tests_before_it_leaves() -> None:
    read = facts("return if used >= limit")
    test = read.tests[0]
    assert isinstance(test.then, Scope)
    assert isinstance(test.then.head, Branch)
    assert test.then.span.start == test.span.start


def test_unless_is_the_opposite() -> None:
    read = facts("stop unless a == b\nstop unless allowed")
    first, second = (one.value for one in read.tests)
    assert isinstance(first, Compare)
    assert first.operator == "!="
    assert isinstance(second, Unary)


def test_raise_is_a_fact_and_no_call() -> None:
    read = facts("raise QuotaExceeded, 'used up'\nraise")
    assert len(read.raises) == 2
    assert not read.calls


def test_a_branch_that_is_a_value_has_both_its_values() -> None:
    made = value("if a\n 1\nelse\n 2\nend")
    assert isinstance(made, Conditional)
    assert isinstance(made.otherwise, Literal)


def test_comments_lose_their_marks() -> None:
    assert [one.text for one in facts("# one\nx = 1 # two\n").comments] == ["one", "two"]


def test_a_name_is_a_variable_only_after_it_was_given_a_value() -> None:
    read = facts("def a\n  count!\n  used = used\n  used\nend")
    assert call(read, "count!")
    assert isinstance(assign(read, "used").value, Name)


@pytest.mark.parametrize(
    "source", ["x = " + "[" * 1500 + "]" * 1500, "x = " + "(" * 1500 + "1" + ")" * 1500, "if a\n" * 400 + "end\n" * 400]
)
def test_nesting_that_nobody_writes_is_refused(source: str) -> None:
    with pytest.raises(TooComplexError):
        facts(source)


def test_a_construct_with_too_many_parts_is_refused() -> None:
    with pytest.raises(TooComplexError):
        facts("x = [" + "1," * 20_001 + "]")


def test_a_long_chain_of_elsif_is_read() -> None:
    assert len(facts("if a\n f()\n" + "elsif b\n f()\n" * 300 + "end").calls) == 301


TOKENS = st.sampled_from(
    "class def end do { } ( ) [ ] | & &. . :: : ; , = += ||= => -> if unless else elsif case when in while until for begin "
    'rescue ensure retry return next break yield super self nil true @a $b a b! c? D E::F :s "x" \'y\' "#{ <<~A A %w[ 1 2.5 .. '
    "... ** * ! && || and or not raise Foo loop each map transaction \n # params".split(" ")
).map(lambda token: token + " ")
PIECES = [
    "class A < B\n  include C\n  def call(a, b: 1)\n    @x ||= a.map { |i| i.to_i }\n  rescue E => e\n    retry if n < 3\n"
    "  ensure\n    close\n  end\nend\n",
    "sql = <<~SQL\n  SELECT #{a} FROM b\nSQL\nx.transaction do |t|\n  return unless t.ok?\n  a, (b, *c) = d\nend\n",
    "case a\nwhen 1, 2 then b\nelse c\nend\nuntil a do b end\nf(*a, **b, &c)\nx = y rescue nil\n",
]


def unharmed(path: str, source: bytes) -> None:
    try:
        read = lower(path, source)
    except TooComplexError:
        return
    assert read.scopes[0] is read.root
    assert all(0 <= one.span.start <= one.span.end <= len(source) for one in read.calls)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TOKENS, max_size=60))
def test_no_order_of_tokens_breaks_the_lowering(tokens: list[str]) -> None:
    unharmed("a.rb", "".join(tokens).encode())


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PIECES), st.data())
def test_no_cut_through_real_code_breaks_the_lowering(piece: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(piece)))
    end = data.draw(st.integers(start, len(piece)))
    unharmed("a.rb", (piece[:start] + piece[end:]).encode())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_break_the_lowering(source: bytes) -> None:
    unharmed("a.rb", source)
