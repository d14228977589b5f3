"""What sets files of SQL apart."""

from rules.idioms import Idioms
from rules.traits import Traits

TRAITS = Traits(statements_only=True)
IDIOMS = Idioms(
    title="SQL",
    fail="raise an error",
    null_test="`IS NOT NULL`",
    utc_month_start="Make it in UTC: `now() AT TIME ZONE 'UTC'`.",
    months_added="`anchor + n * INTERVAL '1 month'`",
    week_year="`IYYY-IW`",
)
