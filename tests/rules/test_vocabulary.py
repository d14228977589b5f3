"""What names of functions, fields and variables say, with names as real code has them."""

import pytest

from rules.meaning.vocabulary import (
    checks_limit,
    consumes,
    emits,
    evidence,
    names_counter,
    names_left,
    names_limit,
    names_used,
    of_a_plan,
    releases,
    words,
)


@pytest.mark.parametrize("name", ["recordUsageEvent", "record_usage_event", "RecordUsageEvent"])
def test_the_words_of_a_name_do_not_depend_on_how_it_is_written(name: str) -> None:
    assert ("record", "usage", "event") == words(name)


def test_an_abbreviation_is_one_word() -> None:
    assert ("reserve", "ai", "usage", "credit") == words("reserveAIUsageCredit")


@pytest.mark.parametrize(
    "name",
    ["recordUsage", "recordUsageWithDetails", "record_usage", "reportUsage", "report_usage", "reportUsageToStripe",
     "logTokenUsage", "createUsageRecord", "insertUsageLog", "sendMeterEvent", "meterUsage", "publishBillingEvent",
     "incrementTokenUsage"],
)  # fmt: skip
def test_verb_and_noun_together_name_an_emission(name: str) -> None:
    assert emits(name)


@pytest.mark.parametrize(
    "name",
    ["getUsage", "getUsageStats", "getUsageSummary", "aggregateUsageByDay", "sum_usage_for_period", "getCurrentPeriodUsage",
     "resetDailyUsage", "reset_meters", "generate_invoice", "reconcile", "sendUsageAlert", "createInvoice", "logEvent"],
)  # fmt: skip
def test_reading_resetting_and_telling_of_usage_is_no_emission(name: str) -> None:
    assert not emits(name)


@pytest.mark.parametrize(
    "name",
    ["reserveAIUsageCredit", "decreaseCredits", "consumeCredits", "deductCredits", "spendCredits", "PreConsumeQuota",
     "increaseApiLimit", "incrementApiLimitCount"],
)  # fmt: skip
def test_taking_from_a_balance_or_counting_towards_a_limit_consumes(name: str) -> None:
    assert consumes(name)


@pytest.mark.parametrize("name", ["addCredits", "increaseCredits", "refundAIUsageCredit", "getRemainingCredits", "useCredits"])
def test_topping_up_giving_back_and_reading_consume_nothing(name: str) -> None:
    assert not consumes(name)


@pytest.mark.parametrize("name", ["refundAIUsageCredit", "releaseReservation", "returnPreConsumedQuota", "rollback_credits"])
def test_what_gives_back_releases(name: str) -> None:
    assert releases(name)


@pytest.mark.parametrize(
    "name",
    ["throwIfNoEntitlement", "checkCreditsMiddleware", "checkQuotaUsage", "checkTeamCredits", "throwIfClicksUsageExceeded",
     "checkApiLimit", "has_enough_credits", "enforceUsageLimit", "hasReachedLimit"],
)  # fmt: skip
def test_a_helper_that_looks_at_what_is_left_checks_a_limit(name: str) -> None:
    assert checks_limit(name)


@pytest.mark.parametrize("name", ["isRateLimited", "checkRateLimit", "getUsage", "limit", "getRemainingCredits", "checkHealth"])
def test_throttles_and_readings_check_no_limit(name: str) -> None:
    assert not checks_limit(name)


@pytest.mark.parametrize("name", ["used", "usedCredits", "monthly_usage", "tokenCount", "limitCounter", "totalTokens"])
def test_what_was_used_is_named_so(name: str) -> None:
    assert names_used(name)
    assert names_counter(name)


@pytest.mark.parametrize("name", ["credits", "userQuota", "remaining", "tokens_left", "balance"])
def test_what_is_left_is_no_usage(name: str) -> None:
    assert names_left(name)
    assert not names_used(name)


@pytest.mark.parametrize("name", ["creditCost", "requiredCredits", "used_quota", "creditLimit", "defaultCredits", "dailyQuota"])
def test_costs_grants_and_limits_are_not_what_is_left(name: str) -> None:
    assert not names_left(name)


@pytest.mark.parametrize("name", ["creditLimit", "maxSeats", "monthly_quota", "budget", "includedTokens"])
def test_what_is_allowed_is_a_limit(name: str) -> None:
    assert names_limit(name)


@pytest.mark.parametrize("name", ["rateLimit", "usedQuota", "limitCounter", "remainingQuota"])
def test_throttles_counts_and_rests_are_no_limits(name: str) -> None:
    assert not names_limit(name)


@pytest.mark.parametrize("name", ["pageLimit", "maxRetries", "batch_limit", "maxConnections", "contextLimit", "uploadLimit"])
def test_limits_of_machinery_are_of_no_plan(name: str) -> None:
    assert not of_a_plan(name)


def test_usage_limit_and_rate_alone_are_no_evidence_of_billing() -> None:
    strong, _ = evidence("const rateLimit = usage.limit; // rate, token")

    assert 0 == strong


def test_one_word_of_billing_is_strong_evidence() -> None:
    strong, _ = evidence("import { invoice } from './invoices'")

    assert strong > 0
