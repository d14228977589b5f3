"""A date that only pages read renews nothing, and a day that was set before decides which months overflow."""

import pytest

from rules.change import Change, ChangedFile
from rules.engine import examine
from rules.options import Options
from rules.report import Reported

ACCOUNT = """
export async function accountStatus(db: Db, accountId: string, billing: Billing) {
  const account = await db.accounts.find(accountId);
  const renewsAt = new Date();
  {day}
  renewsAt.setUTCMonth(renewsAt.getUTCMonth() + 1);
  return { plan: account.plan, billing: { renewsAt: renewsAt.toISOString() } };
}
"""
PAGE = "export const Plan = ({ billing }) => <p>Renews on {format(billing.renewsAt)}</p>;\n"
SERVER = """
export async function mayAsk(db: Db, billing: Billing) {
  const subscription = await db.subscriptions.find(billing.id);
  if (subscription.quota > 0 && Date.parse(billing.renewsAt) > Date.now()) return true;
  return false;
}
"""


def found(day: str = "", **files: str) -> Reported | None:
    texts = {"src/billing/account.ts": ACCOUNT.replace("{day}", day)}
    texts |= {name.replace("__", "/").replace("_dot_", "."): text for name, text in files.items()}
    change = Change("audit", tuple(ChangedFile(path, None, text) for path, text in texts.items()))
    reported = examine(change, Options(), "test").findings
    return next((one for one in reported if one.rule == "MTR-309" and one.confidence != "possible"), None)


def test_a_date_that_only_pages_put_into_words_is_no_period() -> None:
    assert found(src__components__Plan_dot_tsx=PAGE) is None


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"src__billing__quota_dot_ts": SERVER},
        {"src__components__Plan_dot_tsx": PAGE, "src__billing__quota_dot_ts": SERVER},
        {"src__components__Plan_dot_tsx": PAGE.replace("<p>", "billing.renewsAt < now ? null : <p>")},
    ],
)
def test_one_that_somebody_goes_by_is(files: dict[str, str]) -> None:
    assert found(**files) is not None


@pytest.mark.parametrize("day", ["renewsAt.setUTCDate(1);", "renewsAt.setUTCDate(28);"])
def test_a_day_that_every_month_has_overflows_nowhere(day: str) -> None:
    assert found(day) is None


@pytest.mark.parametrize("day", ["renewsAt.setUTCDate(30);", "renewsAt.setUTCDate(account.startDay);"])
def test_one_that_a_month_may_lack_is_named_as_such(day: str) -> None:
    told = found(day)
    assert told is not None
    assert "January 31" not in told.description
    assert "lacks the day that was set before" in told.description
