"""How each language writes what a message advises, so that rules name no language: a table a meaning."""

import re
from collections.abc import Mapping

from rules.facts import fold

AWAITING = frozenset({"python", "javascript", "typescript", "csharp"})
"""Languages in which `await` stands before a call."""
STREAM_OPTIONS = {
    "python": '`stream_options={"include_usage": True}`',
    "php": "`'stream_options' => ['include_usage' => true]`",
    "ruby": "`stream_options: { include_usage: true }`",
    "javascript": "`stream_options: { include_usage: true }`",
}
NULL_TESTS = {
    "python": "`is not None`",
    "php": "`!== null`, `??`",
    "ruby": "`nil?`",
    "go": "`!= nil`",
    "rust": "`is_some()`",
    "java": "`!= null`",
    "kotlin": "`!= null`, `?:`",
    "sql": "`IS NOT NULL`",
}
REFUSALS = {
    "python": "`response.raise_for_status()`",
    "csharp": "`response.EnsureSuccessStatusCode()`",
    "java": "`if (response.statusCode() >= 300) throw …`",
    "kotlin": "`if (!response.status.isSuccess()) throw …`, or `expectSuccess = true` of the client",
    "go": "`if resp.StatusCode >= 300 { return … }`",
    "ruby": "`raise … unless response.success?`, with Net::HTTP `response.value`",
    "php": "`if ($status >= 300) throw …`, with Laravel `$response->throw()`",
    "rust": "`response.error_for_status()?`",
}
MONTH_STARTS = {
    "python": "Start from `datetime.now(timezone.utc)`, or from the customer's zone.",
    "go": "Make it with `time.UTC`, from `time.Now().UTC()`.",
    "csharp": "Make it in UTC: `new DateTime(year, month, 1, 0, 0, 0, DateTimeKind.Utc)`, from `DateTime.UtcNow`.",
    "java": "Make it in UTC: `ZonedDateTime.now(ZoneOffset.UTC)`, `atStartOfDay(ZoneOffset.UTC)`.",
    "kotlin": "Make it in UTC: `ZonedDateTime.now(ZoneOffset.UTC)`, `atStartOfDay(ZoneOffset.UTC)`.",
    "ruby": "Make it in UTC: `Time.now.utc.beginning_of_month`, `Time.utc(year, month, 1)`.",
    "php": "Make it in UTC: `new DateTimeImmutable('first day of this month 00:00', new DateTimeZone('UTC'))`.",
    "rust": "Make it in UTC: `Utc.with_ymd_and_hms(…)`, from `Utc::now()`.",
    "sql": "Make it in UTC: `now() AT TIME ZONE 'UTC'`.",
}
DAYS_IN_ZONE = {
    "ruby": "Convert first: `moment.in_time_zone(customer.timezone).to_date`.",
    "java": "Convert first: `moment.atZoneSameInstant(customer.zone()).toLocalDate()`, with joda `moment.withZone(…)`.",
    "kotlin": "Convert first: `moment.atZoneSameInstant(customer.zone).toLocalDate()`.",
    "php": "Convert first: `$moment->setTimezone($customer->timezone)->toDateString()`.",
    "csharp": "Convert first: `DateOnly.FromDateTime(TimeZoneInfo.ConvertTimeFromUtc(moment, customer.Zone))`.",
    "rust": "Convert first: `moment.with_timezone(&customer.tz).date_naive()`.",
}
UTC_TEXTS = {
    "csharp": '`moment.ToUniversalTime().ToString("O", CultureInfo.InvariantCulture)`',
    "java": "`Instant.toString()`, `DateTimeFormatter.ISO_INSTANT`",
    "kotlin": "`Instant.toString()`, `DateTimeFormatter.ISO_INSTANT`",
}
MONTHS_ADDED = {
    "python": "`anchor + relativedelta(months=n)`",
    "go": "`AddDate(0, n, 0)` on the first of the month, then the anchor day, clamped",
    "csharp": "`anchor.AddMonths(n)`",
    "java": "`anchor.plusMonths(n)`",
    "kotlin": "`anchor.plusMonths(n)`",
    "ruby": "`anchor + n.months`, or `anchor >> n` on a date",
    "php": "`$anchor->addMonthsNoOverflow($n)`",
    "rust": "`anchor.checked_add_months(Months::new(n))`",
    "sql": "`anchor + n * INTERVAL '1 month'`",
}
WEEK_YEARS = {
    "python": "`%G-W%V`, `isocalendar()[0]`",
    "ruby": "`%G-W%V`, `cwyear`",
    "go": "`ISOWeek()`",
    "csharp": "`ISOWeek.GetYear`",
    "java": "`IsoFields.WEEK_BASED_YEAR`",
    "kotlin": "`IsoFields.WEEK_BASED_YEAR`",
    "php": "`o-\\WW`",
    "rust": "`%G-W%V`, `iso_week().year()`",
    "sql": "`IYYY-IW`",
}
DECIMALS = {
    "python": "`Decimal`",
    "csharp": "`decimal`",
    "java": "`BigDecimal`",
    "kotlin": "`BigDecimal`",
    "ruby": "`BigDecimal`",
    "php": "BCMath",
    "rust": "`rust_decimal`",
}


def of(language: str, table: Mapping[str, str], otherwise: str) -> str:
    """What the table has for a language. TypeScript writes what JavaScript writes."""
    return table.get("javascript" if language == "typescript" else language, otherwise)


def fail(language: str) -> str:
    """How a function tells its caller that it failed."""
    verbs = {"python": "raise", "ruby": "raise", "go": "return", "rust": "return", "sql": "raise"}
    return of(language, verbs, "throw") + " an error"


def rethrow(language: str) -> str:
    """How a handler passes on the error that it caught."""
    verbs = {"python": "raise the error again", "ruby": "raise the error again"}
    return of(language, {**verbs, "go": "return the error", "rust": "return the error"}, "throw the error again")


def wait_for(language: str) -> str:
    """A sentence on how the result of a call is waited for."""
    if language in AWAITING:
        return "Put `await` before it, or return it to a caller that awaits it."
    return of(language, {"rust": "Put `.await` after it."}, "Wait for its result, or return it to a caller that does.")


def last_block(language: str) -> str:
    """The block that every way out of a function passes."""
    blocks = {"ruby": "`ensure`", "go": "`defer`", "rust": "`Drop` of a guard"}
    return of(language, blocks, "`finally`")


def next_item(language: str) -> str:
    """The word that leaves out the rest of a loop's body."""
    return of(language, {"ruby": "next"}, "continue")


def null_test(language: str) -> str:
    """A test for absence, which a zero passes."""
    return of(language, NULL_TESTS, "`!= null`, `??`")


def refusal(language: str) -> str:
    """A test of an HTTP answer that fails on a refusal."""
    return of(language, REFUSALS, "`if (!response.ok) throw new Error(…)`")


def utc_month_start(language: str) -> str:
    """A sentence on how the start of a day or month is made in UTC."""
    return of(language, MONTH_STARTS, "Make it in UTC: `new Date(Date.UTC(year, month, 1))`, `setUTCHours(0, 0, 0, 0)`.")


def day_in_zone(language: str) -> str:
    """A sentence on how the day of a moment is taken in a customer's zone."""
    return of(language, DAYS_IN_ZONE, "Convert the moment into the customer's zone before its day is taken.")


def utc_text(language: str) -> str:
    """A point in time as a text that everybody reads alike."""
    return of(language, UTC_TEXTS, "`2026-11-20T10:00:00Z`")


def months_added(language: str) -> str:
    """Calendar months counted from an anchor."""
    return of(language, MONTHS_ADDED, "`addMonths(anchor, n)`")


def week_year(language: str) -> str:
    """The year to which an ISO week belongs."""
    return of(language, WEEK_YEARS, "`getISOWeekYear`")


def exact_decimal(language: str) -> str:
    """What holds an amount of money exactly."""
    return of(language, DECIMALS, "a decimal type")


def usage_of_stream(language: str) -> str:
    """The option by which a stream says what it used."""
    return of(language, STREAM_OPTIONS, "`include_usage` in the stream options")


def returned_error(language: str) -> str:
    """A test of an answer that carries the error in a field."""
    tests = {
        "python": "`if error: raise …`",
        "ruby": "`raise … if error`",
        "go": "`if answer.Error != nil { return … }`",
        "rust": "`if let Some(error) = … { return Err(…) }`",
    }
    return of(language, tests, "`if (error) throw error`")


def throw_again(language: str, bound: str) -> str:
    """The statement for a block in braces that throws what its `catch` bound."""
    statements = {"csharp": "throw;", "php": f"throw ${bound.lstrip('$')};", "kotlin": f"throw {bound}"}
    return of(language, statements, f"throw {bound};")


def cased(folded: str, text: str) -> str:
    """A field `records.errorcode` with the capitals that `text` has for its parts; a part that is not in it stays."""
    spellings = {fold(word): word for word in re.findall(r"\w+", text)}
    return ".".join(spellings.get(part, part) for part in folded.split("."))


def column(language: str, folded: str) -> str:
    """A folded column of a moment, `deletedat`, as the language's models write it."""
    parts = re.sub(r"(?<=ed)at$|(?<=event)at$|(?<=event|usage)time$|(?<=^is)(?=[a-z])", r" \g<0>", folded).split()
    if len(parts) < 2:
        return folded
    if language in ("typescript", "javascript", "csharp"):
        joined = "".join(part.capitalize() for part in parts)
        return joined if language == "csharp" else joined[:1].lower() + joined[1:]
    return "_".join(parts)


def capital(title: str) -> str:
    return title[:1].upper() + title[1:]
