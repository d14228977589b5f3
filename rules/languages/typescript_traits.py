"""What sets JavaScript and TypeScript apart."""

from dataclasses import replace

from rules.idioms import Case, Idioms
from rules.traits import Dates, Traits

TRAITS = Traits(
    dates=Dates.EPOCH,
    promises=True,
    in_browsers=True,
    appending=frozenset({"push", "unshift"}),
    appending_answers="the new length",
    copying=frozenset({"concat"}),
)
IDIOMS = Idioms(
    title="TypeScript",
    awaits="await ",
    wait_for="Put `await` before it, or return it to a caller that awaits it.",
    nullish="??",
    usage_of_stream="`stream_options: { include_usage: true }`",
    stream_option="{ include_usage: true }",
    case=Case.CAMEL,
)
OF_JAVASCRIPT = replace(IDIOMS, title="JavaScript")
