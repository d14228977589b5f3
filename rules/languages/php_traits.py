"""What sets PHP apart."""

from rules.idioms import Idioms
from rules.traits import Dates, Traits

TRAITS = Traits(
    dates=Dates.FLUENT,
    takes_day=frozenset({"todatestring", "istoday"}),
    rounded_moments=True,
    inexact_products=True,
    months_run_over=True,
    enums_by_cast=True,
    synchronous=True,
    console_commands=True,
)
IDIOMS = Idioms(
    title="PHP",
    throw_again="throw ${0};",
    null_test="`!== null`, `??`",
    present=" !== null",
    refusal="`if ($status >= 300) throw …`, with Laravel `$response->throw()`",
    utc_month_start="Make it in UTC: `new DateTimeImmutable('first day of this month 00:00', new DateTimeZone('UTC'))`.",
    months_added="`$anchor->addMonthsNoOverflow($n)`",
    day_in_zone="Convert first: `$moment->setTimezone($customer->timezone)->toDateString()`.",
    week_year="`o-\\WW`",
    exact_decimal="BCMath",
    usage_of_stream="`'stream_options' => ['include_usage' => true]`",
    entry="'{0}' => ${1}",
    shorthand=False,
    joint="->",
    action="::",
    sign="$",
    respelled=True,
)
