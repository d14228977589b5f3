"""What sets Python apart."""

from rules.idioms import Idioms
from rules.traits import Dates, Traits

TRAITS = Traits(
    rounded_moments=True,
    dates=Dates.NAIVE,
    lazy_coroutines=True,
    binary_decimals=frozenset({"decimal"}),
    appending=frozenset("append extend insert add update appendleft".split()),
    appending_answers="None",
    private_prefix="_",
    patient_requests=frozenset({"requests"}),
    outer_names_declared=True,
    request_first=True,
    typed_bodies=True,
    injected_types=(
        r"^(str|int|float|bool|bytes|UUID|uuid\.UUID|datetime|Optional\[.*)?$|\b(?:Http)?Request\b|Response|Session|Tasks|Depends"
    ),
    bounds_on_types=True,
)
IDIOMS = Idioms(
    title="Python",
    fail="raise an error",
    rethrow="raise the error again",
    throw_again="raise",
    nothing="pass",
    awaits="await ",
    wait_for="Put `await` before it, or return it to a caller that awaits it.",
    null_test="`is not None`",
    present=" is not None",
    refusal="`response.raise_for_status()`",
    refuse_here=".raise_for_status()",
    returned_error="`if error: raise …`",
    utc_month_start="Start from `datetime.now(timezone.utc)`, or from the customer's zone.",
    months_added="`anchor + relativedelta(months=n)`",
    week_year="`%G-W%V`, `isocalendar()[0]`",
    exact_decimal="`Decimal`",
    usage_of_stream='`stream_options={"include_usage": True}`',
    false="False",
    entry='"{0}": {1}',
    shorthand=False,
    keyword="{0}={1}",
)
