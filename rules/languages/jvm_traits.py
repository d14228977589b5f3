"""What Java and Kotlin have in common and other languages have not."""

from rules.idioms import Idioms
from rules.traits import Dates, Traits, Truth

TRAITS = Traits(
    truth=Truth.BOOLEANS,
    dates=Dates.JAVA_TIME,
    never_null=frozenset("int long double float short".split()),
    local_moments=frozenset({"Date", "Calendar"}),
    takes_day=frozenset({"tolocaldate"}),
    zoned_types=frozenset("DateTime OffsetDateTime DateTimeOffset".split()),
    builders=True,
    typed_bodies=True,
    # Frameworks mark what they inject; a body without a mark is called for what it is.
    body_types=r"(?:Request|Body|Payload|Dto|DTO|Input|Command|Form)$",
    injected_types=r"^@",
)
IDIOMS = Idioms(
    title="Java",
    null_test="`!= null`",
    utc_month_start="Make it in UTC: `ZonedDateTime.now(ZoneOffset.UTC)`, `atStartOfDay(ZoneOffset.UTC)`.",
    months_added="`anchor.plusMonths(n)`",
    utc_text="`Instant.toString()`, `DateTimeFormatter.ISO_INSTANT`",
    day_in_zone="Convert first: `moment.atZoneSameInstant(customer.zone()).toLocalDate()`, with joda `moment.withZone(…)`.",
    week_year="`IsoFields.WEEK_BASED_YEAR`",
    float="double",
    exact_decimal="`BigDecimal`",
    respelled=True,
)
