"""What sets Ruby apart."""

from rules.idioms import Idioms
from rules.traits import Dates, Traits, Truth

TRAITS = Traits(
    truth=Truth.PRESENCE,
    dates=Dates.FLUENT,
    takes_day=frozenset({"todate", "today"}),
    returns_leave_blocks=True,
    synchronous=True,
    bare_members=True,
)
IDIOMS = Idioms(
    title="Ruby",
    fail="raise an error",
    rethrow="raise the error again",
    last_block="`ensure`",
    next_item="next",
    null_test="`nil?`",
    refusal="`raise … unless response.success?`, with Net::HTTP `response.value`",
    returned_error="`raise … if error`",
    utc_month_start="Make it in UTC: `Time.now.utc.beginning_of_month`, `Time.utc(year, month, 1)`.",
    months_added="`anchor + n.months`, or `anchor >> n` on a date",
    day_in_zone="Convert first: `moment.in_time_zone(customer.timezone).to_date`.",
    week_year="`%G-W%V`, `cwyear`",
    exact_decimal="`BigDecimal`",
    usage_of_stream="`stream_options: { include_usage: true }`",
    shorthand=False,
    keyword="{0}: {1}",
    action="#",
    respelled=True,
)
