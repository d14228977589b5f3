"""An arm that asks an enum for a string never matches, in whatever file the model says that it is one."""

import pytest

from rules.change import Change, ChangedFile
from rules.engine import examine
from rules.options import Options

RENEWAL = """<?php
namespace App\\Services;

use App\\Models\\Plan;

class RenewalService
{
    public function renew(Plan $plan, $tenant): void
    {
        $subscription = $tenant->subscription;
        $subscription->current_period_end = match ($plan->interval) {
            'daily' => now()->addDay(),
            'monthly', 'month' => now()->addMonth(),
            default => null,
        };
        $subscription->save();
    }
}
"""
PLAN = """<?php
namespace App\\Models;

%s
class Plan extends Model
{
    protected $casts = ['is_open' => 'boolean', 'interval' => %s, 'price' => 'integer'];
}
"""
IMPORTED = "use App\\Enums\\Interval;\n"


def sure(plan: str, renewal: str = RENEWAL, **others: str) -> list[str]:
    context = {"app/Models/Plan.php": plan, **{f"app/{name}.php": text for name, text in others.items()}}
    change = Change("audit", (ChangedFile("app/Services/RenewalService.php", None, renewal),), context=context, partial=True)
    return [one.confidence for one in examine(change, Options(), "0").findings if one.rule == "MTR-309"]


def test_an_attribute_that_is_cast_to_an_enum_equals_no_string() -> None:
    assert sure(PLAN % (IMPORTED, "Interval::class")) == ["possible"]
    assert sure(PLAN % ("", "Interval::class"), Interval="<?php\nenum Interval: string { case Month = 'monthly'; }") == [
        "possible"
    ]


@pytest.mark.parametrize("cast", ["'string'", "IntervalCast::class", "Interval::class.':short'"])
def test_one_that_is_cast_to_anything_else_may(cast: str) -> None:
    assert sure(PLAN % ("", cast)) == ["certain"]


def test_the_value_of_an_enum_is_a_string() -> None:
    assert sure(PLAN % (IMPORTED, "Interval::class"), RENEWAL.replace("$plan->interval", "$plan->interval->value")) == [
        "certain"
    ]


def test_the_same_attribute_of_another_model_may_be_a_string() -> None:
    other = PLAN.replace("class Plan", "class Invoice") % (IMPORTED, "Interval::class")

    assert sure(PLAN % ("", "'string'"), Invoice=other) == ["certain"]


def test_the_default_arm_runs() -> None:
    moved = RENEWAL.replace("default => null", "default => now()->addMonth()").replace(
        "'month' => now()->addMonth()", "'month' => null"
    )

    assert sure(PLAN % (IMPORTED, "Interval::class"), moved) == ["certain"]
