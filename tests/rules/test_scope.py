"""Which sections of the report a changed line touches."""

import pytest

from rules.code import Code, OwnNames
from rules.languages.python import lower
from rules.scope import signals, touched

SOURCE = b"""import stripe


def report(customer, n, key):
    stripe.billing.MeterEvent.create(event_name="x", identifier=key, payload={"stripe_customer_id": customer, "value": n})


def untouched():
    return 1


def generate(customer, account, key):
    if account.used_credits >= account.credit_limit:
        raise PermissionError
    report(customer, 1, key)


def close(account):
    return sum_up(account)


def gate(account):
    admit(account)
"""


def code(**names: frozenset[str]) -> Code:
    return Code(lower("usage.py", SOURCE), OwnNames(**names))


@pytest.mark.parametrize(("line", "sections"), [(9, set()), (18, set())])
def test_a_line_beside_metering_touches_nothing(line: int, sections: set[str]) -> None:
    assert sections == set(touched(code(), frozenset({line})))


def test_a_line_touches_what_stands_in_its_function() -> None:
    assert "limits" in touched(code(), frozenset({13}))


def test_a_changed_helper_touches_what_its_callers_in_the_file_do() -> None:
    assert {"ingestion", "deduplication", "limits"} == set(touched(code(), frozenset({5})))


def test_without_lines_the_whole_file_counts() -> None:
    assert {"ingestion", "deduplication", "limits"} == set(touched(code(), None))


def test_the_projects_own_names_count() -> None:
    named = code(aggregate=frozenset({"sumup"}), limit=frozenset({"admit"}))

    assert {"aggregation"} == set(touched(named, frozenset({19})))
    assert {"limits"} == set(touched(named, frozenset({23})))


def test_a_signal_names_call_file_and_line() -> None:
    assert "stripe.billing.MeterEvent.create in usage.py:5" in list(signals(code()))
