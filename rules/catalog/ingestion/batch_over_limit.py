"""A batch may hold more items than the provider takes in one request.

The whole request is then refused, and with it every event in it; a retry sends the same batch and is refused again. It shows
first on a busy day, when most usage is at stake. Cut the list into chunks of at most the provider's limit.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Expression, Kind, Literal, Loop, Name, Sequence, chain, enclosing, fold, walk
from rules.meaning.contexts import Context
from rules.meaning.usage.emissions import Emission
from rules.meaning.values import definitions_at, resolved
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity

ABOUT = About(
    id="MTR-125",
    title="Batch may exceed the provider's item limit",
    severity=Severity.MEDIUM,
    classification=Classification.DEFICIENCY,
    classes=("E9", "E16"),
    cwe=("CWE-770", "CWE-1284"),
    iso_25010="Reliability / fault tolerance",
)
CHUNKERS = frozenset(
    "chunk chunks chunked batched batches splitevery inchunks slice splice chunkby islice partition eachslice "
    "arraychunk ingroupsof findinbatches inbatches".split()
)
QUERIES = frozenset(
    "findmany findall find query queryas queryraw fetchall fetchmany all execute select filter objects scalars".split()
)
FEW = re.compile(r"\blimit\s+[\d:$@?%{]|\btop\s*\(?\d|\bfetch (first|next)\b", re.I)


def check(code: Code) -> Iterator[Finding]:
    for emission in code.emissions:
        limit = emission.record.batch_limit if emission.record is not None else None
        if not limit or limit < 2 or code.context(emission.scope) is Context.TEST:
            continue
        if emission.record is None or emission.record.returns == "generator":
            continue
        size = chunk_size(code, emission)
        if size is not None and isinstance(size.value, int) and size.value > limit:
            yield too_large(emission, size, limit)
        elif size is None and whole_query(code, emission):
            yield unchunked(emission, limit)


def chunk_size(code: Code, emission: Emission) -> Literal | None:
    """The number by which the list around this call is cut: `chunk(rows, 500)`, `rows[i:i + 500]`, `range(0, n, 500)`."""
    for place in cutting(code, emission):
        for part in walk(place):
            if isinstance(part, Call) and fold(part.method) in CHUNKERS | {"range"} and part.arguments:
                number = resolved(code.values, part.arguments[-1].value, part.scope, part.span.start)
                if isinstance(number, Literal) and isinstance(number.value, int) and number.value > 1:
                    return number
    return named_size(code, emission)


def named_size(code: Code, emission: Emission) -> Literal | None:
    """`BATCH_SIZE = 500`, used in the function that sends."""
    function = enclosing(emission.scope, Kind.FUNCTION, Kind.MODULE)
    text = code.facts.text(function.span) if function is not None else ""
    for assign in code.facts.assigns:
        for target in assign.targets:
            if not isinstance(target, Name) or not isinstance(assign.value, Literal) or not isinstance(assign.value.value, int):
                continue
            said = set(words(target.text))
            if said & {"batch", "chunk", "page"} and said & {"size", "limit", "max"} and target.text in text:
                return assign.value
    return None


def cutting(code: Code, emission: Emission) -> Iterator[Expression]:
    """Where the list may be cut: the loops around the call, and what its variables were set from."""
    for scope in chain(emission.scope):
        if isinstance(scope.head, Loop) and scope.head.iterates is not None:
            yield resolved(code.values, scope.head.iterates, scope, scope.span.start)
    for argument in emission.call.arguments:
        for part in walk(argument.value):
            yield part
            if isinstance(part, Name):
                for found in definitions_at(code.values, part.text, emission.scope, emission.call.span.start):
                    if found.value is not None:
                        yield found.value


def whole_query(code: Code, emission: Emission) -> bool:
    """Whether the list is all rows of a query, mapped or not, and nothing cuts it."""
    if any(isinstance(scope.head, Loop) for scope in chain(emission.scope)):
        return False
    inside = [part for place in cutting(code, emission) for part in walk(place)]
    followed = [value for part in inside if isinstance(part, Name) for value in sources(code, part, emission)]
    calls = [part for value in (*inside, *followed) for part in walk(value) if isinstance(part, Call)]
    if any(fold(call.method) in CHUNKERS | {"limit", "take", "first"} or takes_few(call) for call in calls):
        return False
    return any(fold(call.method) in QUERIES and "." in call.name for call in calls)


def takes_few(call: Call) -> bool:
    """Whether a query asks for some rows only, by an option or in its SQL."""
    if any(isinstance(part, Literal) and FEW.search(str(part.value)) for one in call.arguments for part in walk(one.value)):
        return True
    text = [fold(name) for argument in call.arguments for part in walk(argument.value) for name in entry_names(part)]
    return bool({"take", "limit", "first", "pagesize"} & {*text, *(fold(argument.name or "") for argument in call.arguments)})


def entry_names(part: Expression) -> Iterator[str]:
    for entry in getattr(part, "entries", ()):
        if entry.name is not None:
            yield entry.name


def sources(code: Code, name: Name, emission: Emission) -> Iterator[Expression]:
    for found in definitions_at(code.values, name.text, emission.scope, emission.call.span.start):
        if found.value is not None and not isinstance(found.value, Sequence):
            yield found.value


def too_large(emission: Emission, size: Literal, limit: int) -> Finding:
    return Finding(
        span=emission.call.span,
        cause=emission.call.span,
        description=f"Batches of {size.value} go to {emission.title}, which takes {limit}: a full one is refused as a whole.",
        remediation=f"Cut the list into chunks of at most {limit}.",
        confidence=Confidence.CERTAIN,
        fix=Fix(f"Use chunks of {limit}", (Edit(size.span.start, size.span.end, str(limit)),)),
    )


def unchunked(emission: Emission, limit: int) -> Finding:
    return Finding(
        span=emission.call.span,
        cause=emission.call.span,
        description=f"All rows of a query go to {emission.title} at once, which takes {limit}: one more and all are refused.",
        remediation=f"Cut the list into chunks of at most {limit} and send them one after the other.",
        confidence=Confidence.LIKELY,
    )


EXAMPLES = (
    Example(
        "python",
        """
import boto3

BATCH_SIZE = 100
client = boto3.client("meteringmarketplace")

def report(records, retry):
    for start in range(0, len(records), BATCH_SIZE):
        answer = client.batch_meter_usage(ProductCode="p", UsageRecords=records[start : start + BATCH_SIZE])  # <- finding
        retry(answer["UnprocessedRecords"], answer["Results"])
""",
    ),
    Example(
        "python",
        """
import boto3

BATCH_SIZE = 25
client = boto3.client("meteringmarketplace")

def report(records, retry):
    for start in range(0, len(records), BATCH_SIZE):
        answer = client.batch_meter_usage(ProductCode="p", UsageRecords=records[start : start + BATCH_SIZE])
        retry(answer["UnprocessedRecords"], answer["Results"])
""",
    ),
    Example(
        "typescript",
        """
import Metronome from "@metronome/sdk";

const metronome = new Metronome();

export async function report(prisma: PrismaClient) {
  const rows = await prisma.usageEvent.findMany({ where: { sent: false } });
  await metronome.v1.usage.ingest({  // <- finding
    usage: rows.map((row) => ({ transaction_id: row.id, customer_id: row.customer, event_type: "tokens", timestamp: row.at })),
  });
}
""",
    ),
    Example(
        "typescript",
        """
import Metronome from "@metronome/sdk";
import { chunk } from "lodash";

const metronome = new Metronome();

export async function report(prisma: PrismaClient) {
  const rows = await prisma.usageEvent.findMany({ where: { sent: false } });
  for (const part of chunk(rows, 100)) {
    await metronome.v1.usage.ingest({
      usage: part.map((row) => ({ transaction_id: row.id, customer_id: row.org, event_type: "tokens", timestamp: row.at })),
    });
  }
}
""",
    ),
    Example(
        "go",
        """
package usage

const batchSize = 50

func report(ctx context.Context, client *marketplacemetering.Client, records []types.UsageRecord, retry Retry) error {
	for start := 0; start < len(records); start += batchSize {
		input := &marketplacemetering.BatchMeterUsageInput{UsageRecords: records[start : start+batchSize]}
		out, err := client.BatchMeterUsage(ctx, input)  // <- finding
		if err != nil {
			return err
		}
		retry.Later(out.UnprocessedRecords, out.Results)
	}
	return nil
}
""",
    ),
    Example(
        "go",
        """
package usage

const batchSize = 25

func report(ctx context.Context, client *marketplacemetering.Client, records []types.UsageRecord, retry Retry) error {
	for start := 0; start < len(records); start += batchSize {
		input := &marketplacemetering.BatchMeterUsageInput{UsageRecords: records[start : start+batchSize]}
		out, err := client.BatchMeterUsage(ctx, input)
		if err != nil {
			return err
		}
		retry.Later(out.UnprocessedRecords, out.Results)
	}
	return nil
}
""",
    ),
)
