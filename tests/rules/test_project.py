"""What several files tell together."""

from rules.change import Change, ChangedFile
from rules.engine import examine
from rules.options import Options
from rules.project import Project

RECORDER = """import { withRetry } from "./retry";
import { insertUsageLog } from "./repository";

export async function reportUsage(customer: string, tokens: number) {
  const subscription = await subscriptionOf(customer);
  if (subscription) {
    await announce(subscription);
  }
  try {
    await withRetry(async () => {
      await insertUsageLog({ customer, tokens });
    });
  } catch (error) {
    console.error("usage not billed", error);
  }
}
"""


def test_a_recorder_that_calls_a_recorder_of_another_file_is_judged_like_any_other() -> None:
    report = examine(Change("audit", (ChangedFile("lib/usage.ts", None, RECORDER),)), Options(), "0")

    assert () == report.not_analyzed


def test_sql_that_the_grammar_of_sql_stumbles_over_costs_nothing_else() -> None:
    query = "SELECT map('tokens', sum(tokens), 'calls') FROM usage_events FINAL WHERE customer = {customer}"
    code = f'def usage(client, customer):\n    return client.query(f"{query}")\n'

    report = examine(Change("audit", (ChangedFile("billing/usage.py", None, code),)), Options(), "0")

    assert () == report.not_analyzed


def test_where_not_all_is_at_hand_a_name_is_seen_of_which_every_file_is() -> None:
    part = Project({"lib/usage.ts": RECORDER}, whole=False, complete=frozenset({"reportusage"}))

    assert (part.sees("reportUsage"), part.sees("announce")) == (True, False)
    assert (part.only_in("reportUsage"), part.only_in("announce")) == (("lib/usage.ts",), None)
