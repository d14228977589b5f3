"""What sets Go apart."""

from rules.idioms import Idioms
from rules.traits import Dates, Traits, Truth

TRAITS = Traits(
    truth=Truth.BOOLEANS,
    dates=Dates.LOCATED,
    parallel=True,
    errors_returned=True,
    float_types=frozenset({"float64", "float32"}),
    plain_records=True,
    exact_products=True,
    internal_folders=True,
    hidden_unless_exported=True,
    signals_waited_for=True,
    patient_requests=frozenset("http.post net/http.post http.defaultclient.do".split()),
    out_parameters=True,
    packages_are_folders=True,
    receiver_first=True,
    request_names=frozenset({"r"}),
)
IDIOMS = Idioms(
    title="Go",
    fail="return an error",
    rethrow="return the error",
    hand_back="Return the error to the caller",
    beside="a goroutine",
    float="float64",
    last_block="`defer`",
    null_test="`!= nil`",
    refusal="`if resp.StatusCode >= 300 { return … }`",
    returned_error="`if answer.Error != nil { return … }`",
    affected_rows="`RowsAffected`",
    utc_month_start="Make it with `time.UTC`, from `time.Now().UTC()`.",
    months_added="`AddDate(0, n, 0)` on the first of the month, then the anchor day, clamped",
    week_year="`ISOWeek()`",
)
