"""What sets C# apart."""

from rules.idioms import Case, Idioms
from rules.traits import Dates, Traits, Truth

TRAITS = Traits(
    truth=Truth.BOOLEANS,
    dates=Dates.CLR,
    float_types=frozenset({"double", "float"}),
    local_moments=frozenset({"DateTime", "DateTimeOffset"}),
    takes_day=frozenset({"fromdatetime"}),
    exact_products=True,
    hidden_unless_exported=True,
    actions_by_result=True,
    typed_bodies=True,
    body_types=r"\[From(Body|Form|Query)\b|(Request|Dto|DTO|Model|Command|Input|Payload|Body)\??$",
    injected_types=r"\[FromServices|\bHttpRequest\b|\bHttpRequestData\b",
    bounds_on_types=True,
)
IDIOMS = Idioms(
    title="C#",
    throw_again="throw;",
    awaits="await ",
    wait_for="Put `await` before it, or return it to a caller that awaits it.",
    refusal="`response.EnsureSuccessStatusCode()`",
    utc_month_start="Make it in UTC: `new DateTime(year, month, 1, 0, 0, 0, DateTimeKind.Utc)`, from `DateTime.UtcNow`.",
    months_added="`anchor.AddMonths(n)`",
    utc_text='`moment.ToUniversalTime().ToString("O", CultureInfo.InvariantCulture)`',
    day_in_zone="Convert first: `DateOnly.FromDateTime(TimeZoneInfo.ConvertTimeFromUtc(moment, customer.Zone))`.",
    week_year="`ISOWeek.GetYear`",
    float="double",
    exact_decimal="`decimal`",
    entry="{0} = {1}",
    shorthand=False,
    case=Case.PASCAL,
    ending="Async",
    respelled=True,
)
