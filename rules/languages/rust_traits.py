"""What sets Rust apart."""

from rules.idioms import Idioms
from rules.traits import Dates, Traits, Truth

TRAITS = Traits(
    truth=Truth.BOOLEANS,
    dates=Dates.CHRONO,
    float_types=frozenset({"f64", "f32"}),
    takes_day=frozenset({"datenaive"}),
    dates_apart=True,
    exact_products=True,
    hidden_unless_exported=True,
    locks_by_guard=True,
    extractors=True,
    typed_bodies=True,
    body_types=r"^(\w+::)*(Json|Query|Form)<",
    bounds_on_types=True,
)
IDIOMS = Idioms(
    title="Rust",
    fail="return an error",
    rethrow="return the error",
    hand_back="Return the error to the caller with `?`",
    wait_for="Put `.await` after it.",
    last_block="`Drop` of a guard",
    null_test="`is_some()`",
    refusal="`response.error_for_status()?`",
    returned_error="`if let Some(error) = … { return Err(…) }`",
    utc_month_start="Make it in UTC: `Utc.with_ymd_and_hms(…)`, from `Utc::now()`.",
    months_added="`anchor.checked_add_months(Months::new(n))`",
    day_in_zone="Convert first: `moment.with_timezone(&customer.tz).date_naive()`.",
    week_year="`%G-W%V`, `iso_week().year()`",
    float="f64",
    exact_decimal="`rust_decimal`",
    respelled=True,
)
