"""The provider catalogue: its data is whole and folded, and names and URLs find the call they stand for."""

import itertools
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from rules import providers
from rules.facts import fold
from rules.providers import Call, Provider, catalogue, family, imports, lookup, match, match_url

NONE: frozenset[str] = frozenset()
EXPECTED = {
    "airwallex", "amberflo", "autumn", "aws_batches", "aws_marketplace", "azure_marketplace", "chargebee", "creem",
    "dodo_payments", "flexprice", "google_service_control", "hyperline", "killbill", "lago", "lemon_squeezy", "m3ter",
    "metronome", "moesif", "openmeter", "orb", "paddle", "polar", "recurly", "schematic", "stigg", "stripe", "tinybird",
    "togai", "unkey", "upstash_ratelimit", "zuora",
}  # fmt: skip
LANGUAGES = {"python", "javascript", "go", "ruby", "php", "java", "csharp", "rust", "http"}


def all_calls() -> Iterator[tuple[Provider, Call]]:
    return ((provider, call) for provider in catalogue() for call in provider.calls)


def data_files() -> list[Path]:
    return sorted(Path(providers.__file__).parent.glob("*.json"))


def found(name: str, language: str, *packages: str) -> tuple[str, str] | None:
    pair = match(name, frozenset(packages), language)
    return None if pair is None else (pair[0].id, pair[1].title)


def test_every_known_provider_is_in_the_catalogue() -> None:
    assert {provider.id for provider in catalogue()} == EXPECTED


@pytest.mark.parametrize("path", data_files(), ids=lambda path: path.stem)
def test_a_data_file_is_named_after_its_provider_and_says_nothing_the_loader_ignores(path: Path) -> None:
    written = json.loads(path.read_text(encoding="utf-8"))
    provider = msgspec.json.decode(path.read_bytes(), type=Provider)
    assert provider.id == path.stem
    assert _is_within(written, msgspec.to_builtins(provider))


def _is_within(written: object, read: object) -> bool:
    if isinstance(written, dict) and isinstance(read, dict):
        return all(key in read and _is_within(value, read[key]) for key, value in written.items())
    if isinstance(written, list) and isinstance(read, list | tuple):
        return len(written) == len(read) and all(map(_is_within, written, read))
    return written == read


def test_every_name_meant_for_matching_is_folded() -> None:
    for _, call in all_calls():
        names = [*call.customer, *call.event_name, *call.events, *call.positional, *call.partial_failure]
        names += [*call.result_reports_errors, *call.verdict]
        if call.key:
            names += [*call.key.names, *call.key.option_names, *call.key.decoys, *call.key.implicit]
            names += [*call.key.duplicate_signals, *call.key.natural_when, *sum(call.key.natural_when.values(), ())]
        names += call.time.names if call.time else ()
        names += (*call.quantity.names, *call.quantity.inside) if call.quantity else ()
        for name in names:
            assert re.fullmatch(r"\*|[a-z0-9]+(\.[a-z0-9]+)*", name), (call.title, name)
        for suffix in (*call.suffixes, *call.suffixes_with_import):
            assert re.fullmatch(r"\*?[a-z0-9]+(\.[a-z0-9]+)*", suffix), (call.title, suffix)


def test_an_ending_that_counts_without_import_has_two_segments_or_a_telling_one() -> None:
    for _, call in all_calls():
        for suffix in call.suffixes:
            assert "." in suffix or len(suffix) >= 14, suffix


def test_no_two_calls_of_one_language_share_an_ending_that_counts_without_import() -> None:
    for (one, first), (other, second) in itertools.combinations(all_calls(), 2):
        if set(first.languages) & set(second.languages):
            shared = set(first.suffixes) & set(second.suffixes)
            assert not shared, (one.id, other.id, shared)


def test_an_ending_that_needs_an_import_has_packages_to_look_for() -> None:
    for provider, call in all_calls():
        if call.suffixes_with_import:
            assert set(call.languages) <= set(provider.packages), (provider.id, call.title)


def test_every_call_can_be_recognised_and_names_its_source() -> None:
    for provider, call in all_calls():
        assert call.suffixes or call.suffixes_with_import or call.urls, (provider.id, call.title)
        assert call.source, (provider.id, call.title)
        assert set(call.languages) <= LANGUAGES


def test_every_emission_says_what_it_knows_about_its_key() -> None:
    for provider, call in all_calls():
        if call.role in ("emit", "emit_batch"):
            assert call.key is not None, (provider.id, call.title)


def test_every_batch_call_says_where_its_events_are() -> None:
    for provider, call in all_calls():
        if call.role in ("emit_batch", "transport_batch") and call.title != "Zuora usage file":
            assert call.events, (provider.id, call.title)


def test_a_key_spelling_folds_to_one_of_the_keys_names() -> None:
    for provider, call in all_calls():
        if call.key:
            for spelling in call.key.spelling.values():
                assert fold(spelling) in call.key.names, (provider.id, call.title, spelling)


STRIPE_GO = "github.com/stripe/stripe-go/v82/billing/meterevent"


@pytest.mark.parametrize(
    ("name", "language", "packages", "provider", "title"),
    [
        ("stripe.billing.meterevents.create", "javascript", (), "stripe", "Stripe meter event"),
        ("payments.billing.meterevents.create", "typescript", (), "stripe", "Stripe meter event"),
        ("getstripe().billing.meterevents.create", "typescript", (), "stripe", "Stripe meter event"),
        ("stripe.billing.meterevent.create", "python", (), "stripe", "Stripe meter event"),
        ("client.v1.billing.meterevents.create", "python", (), "stripe", "Stripe meter event"),
        ("sc.v1billingmeterevents.create", "go", (), "stripe", "Stripe meter event"),
        ("meterevent.new", "go", (STRIPE_GO,), "stripe", "Stripe meter event"),
        ("github.com/stripe/stripego/v82/billing/meterevent.new", "go", (STRIPE_GO,), "stripe", "Stripe meter event"),
        ("client.v2.billing.meterevents.create", "python", (), "stripe", "Stripe v2 meter event"),
        ("client.v2().billing().meterevents().create", "java", (), "stripe", "Stripe v2 meter event"),
        ("stripe.v2.billing.metereventstream.create", "javascript", (), "stripe", "Stripe meter event stream"),
        ("usagerecord.new", "go", ("github.com/stripe/stripe-go/v81/usagerecord",), "stripe", "Stripe usage record"),
        ("stripe.subscriptionitems.createusagerecord", "typescript", (), "stripe", "Stripe usage record"),
        ("stripe.subscriptionitem.createusagerecord", "python", (), "stripe", "Stripe usage record"),
        ("client.batchmeterusage", "python", ("boto3",), "aws_marketplace", "AWS BatchMeterUsage"),
        ("boto3.client().batchmeterusage", "python", (), "aws_marketplace", "AWS BatchMeterUsage"),
        ("new batchmeterusagecommand", "javascript", (), "aws_marketplace", "AWS BatchMeterUsage"),
        ("client.meterusage", "python", ("boto3",), "aws_marketplace", "AWS MeterUsage"),
        ("orb.events.ingest", "typescript", (), "orb", "Orb event ingestion"),
        ("client.events.ingest", "python", ("orb",), "orb", "Orb event ingestion"),
        ("metronome.v1.usage.ingest", "typescript", (), "metronome", "Metronome usage ingestion"),
        ("polar.events.ingest", "typescript", (), "polar", "Polar event ingestion"),
        ("this.polar.events.ingest", "typescript", (), "polar", "Polar event ingestion"),
        ("client.events.ingest", "javascript", ("@polar-sh/sdk",), "polar", "Polar event ingestion"),
        ("client.events.ingest", "javascript", ("@openmeter/sdk",), "openmeter", "OpenMeter event"),
        ("autumn.track", "typescript", (), "autumn", "Autumn track"),
        ("autumn.check", "python", (), "autumn", "Autumn check"),
        ("lagoclient.event().create", "go", (), "lago", "Lago event"),
        ("client.events.batchcreate", "python", ("lago_python_client.client",), "lago", "Lago event batch"),
        ("metering.meter", "python", ("metering.ingest",), "amberflo", "Amberflo meter event"),
        ("client.usage.submitall", "python", ("m3ter",), "m3ter", "m3ter measurements in chunks"),
        ("createusagerecord", "typescript", ("@lemonsqueezy/lemonsqueezy.js",), "lemon_squeezy",
         "Lemon Squeezy usage record"),
        ("client.track", "python", ("schematic.client",), "schematic", "Schematic track"),
        ("client.events.ingestevent", "javascript", ("@flexprice/sdk",), "flexprice", "Flexprice event"),
        ("servicecontrollerclient().report", "python", (), "google_service_control", "Google Service Control report"),
        ("unkey.keys.verifykey", "typescript", (), "unkey", "Unkey verifyKey"),
        ("apilimiter.limit", "typescript", ("@upstash/ratelimit",), "upstash_ratelimit", "Upstash rate limit"),
        ("kinesis.putrecords", "python", (), "aws_batches", "Kinesis PutRecords"),
        ("putrecordscommand", "typescript", ("@aws-sdk/client-kinesis",), "aws_batches", "Kinesis PutRecords"),
    ],
)  # fmt: skip
def test_a_call_seen_in_real_code_finds_its_provider(
    name: str, language: str, packages: tuple[str, ...], provider: str, title: str
) -> None:
    assert found(name, language, *packages) == (provider, title)


@pytest.mark.parametrize(
    ("name", "language", "packages"),
    [
        ("prisma.usageevent.create", "typescript", ("chargebee",)),
        ("prisma.usagerecords.create", "typescript", ("stripe",)),
        ("usagerecord.create", "python", ("stripe",)),
        ("analytics.track", "typescript", ("autumn-js",)),
        ("createusagerecord", "typescript", ()),
        ("client.events.ingest", "typescript", ()),
        ("client.events.ingest", "typescript", ("orb-billing-tools",)),
        ("example.org/app/meter.new", "go", ("github.com/stripe/stripe-go/v82", "example.org/app/meter")),
        ("query.limit", "typescript", ("@upstash/ratelimit",)),
        ("stripe.customers.create", "typescript", ("stripe",)),
        ("mybilling.meterevents.create", "typescript", ()),
        ("stripe.billing.meterevents.create", "http", ()),
    ],
)
def test_a_look_alike_is_not_taken_for_a_provider_call(name: str, language: str, packages: tuple[str, ...]) -> None:
    assert found(name, language, *packages) is None


def test_an_ending_two_imported_providers_share_is_left_undecided() -> None:
    assert found("client.events.ingest", "typescript", "orb-billing", "@polar-sh/sdk") is None


def test_the_receivers_name_decides_between_two_imported_providers() -> None:
    assert found("polar.events.ingest", "typescript", "orb-billing", "@polar-sh/sdk") == (
        "polar",
        "Polar event ingestion",
    )


def test_every_ending_of_every_call_matches_its_own_call_when_its_package_is_imported() -> None:
    for provider, call in all_calls():
        for suffix in (*call.suffixes, *call.suffixes_with_import):
            for language in call.languages:
                packages = frozenset(provider.packages.get(language, ()))
                pair = match(suffix.removeprefix("*"), packages, language)
                assert pair is not None, (suffix, language)
                assert pair[0].id == provider.id, (suffix, language)
                assert pair[1].title == call.title, (suffix, language, pair[1].title)


@pytest.mark.parametrize("module", ["github.com/stripe/stripe-go/v82", "github.com/stripe/stripe-go/v76/client"])
def test_a_go_module_counts_whatever_its_major_version(module: str) -> None:
    stripe = next(provider for provider in catalogue() if provider.id == "stripe")
    assert imports(stripe, frozenset({module}), "go")


def test_a_package_that_only_begins_alike_is_no_evidence() -> None:
    stripe = next(provider for provider in catalogue() if provider.id == "stripe")
    assert not imports(stripe, frozenset({"stripe-terminal", "stripex.billing"}), "python")


@pytest.mark.parametrize(
    ("url", "provider", "role"),
    [
        ("https://api.stripe.com/v1/billing/meter_events", "stripe", "emit"),
        ("/v1/billing/meter_events", "stripe", "emit"),
        ("/v1/billing/meter_event_adjustments", "stripe", "adjust"),
        ("https://api.stripe.com/v1/subscription_items/si_123/usage_records", "stripe", "emit"),
        ("https://marketplaceapi.microsoft.com/api/usageEvent?api-version=2018-08-31", "azure_marketplace", "emit"),
        ("/api/batchUsageEvent?api-version=2018-08-31", "azure_marketplace", "emit_batch"),
        ("https://marketplaceapi.microsoft.com/api/usageEvents", "azure_marketplace", "query"),
        ("https://servicecontrol.googleapis.com/v1/services/x.endpoints.y.cloud.goog:report", "google_service_control",
         "emit_batch"),
        ("https://ingest.hyperline.co/v1/events", "hyperline", "emit"),
        ("https://ingest.hyperline.co/v1/events/batch", "hyperline", "emit_batch"),
        ("https://api.getlago.com/api/v1/events/", "lago", "emit"),
        ("https://api.lemonsqueezy.com/v1/usage-records", "lemon_squeezy", "emit"),
        ("https://api.tinybird.co/v0/events?name=usage", "tinybird", "emit_batch"),
    ],
)  # fmt: skip
def test_an_endpoint_finds_its_call(url: str, provider: str, role: str) -> None:
    pair = match_url(url)
    assert pair is not None
    assert (pair[0].id, pair[1].role) == (provider, role)


@pytest.mark.parametrize(
    "url",
    ["https://example.org/api/v1/events", "https://notstripe.example/v1/billing/meter_events_old", "/v1/events", ""],
)
def test_another_endpoint_finds_nothing(url: str) -> None:
    assert match_url(url) is None


def test_lookup_answers_by_last_segment_only() -> None:
    assert {provider.id for provider, _ in lookup("batchmeterusage")} == {"aws_marketplace"}
    assert lookup("print") == ()


def test_stripe_usage_records_are_marked_as_removed_and_set_makes_them_repeatable() -> None:
    pair = match("stripe.subscriptionitems.createusagerecord", NONE, "typescript")
    assert pair is not None
    call = pair[1]
    assert call.deprecated is not None
    assert call.deprecated.removed_in["javascript"] == 18
    assert call.key is not None
    assert call.key.natural_when == {"action": ("set",)}
    assert call.key.names == ()


def test_stripe_event_time_is_seconds_in_v1_and_text_in_v2() -> None:
    one = match("stripe.billing.meterevents.create", NONE, "javascript")
    two = match("stripe.v2.billing.meterevents.create", NONE, "javascript")
    assert one is not None
    assert two is not None
    assert one[1].time is not None
    assert two[1].time is not None
    assert (one[1].time.unit, two[1].time.unit) == ("s", "rfc3339")


def test_a_key_is_written_for_typescript_as_for_javascript() -> None:
    pair = match("polar.events.ingest", NONE, "typescript")
    assert pair is not None
    assert pair[1].key is not None
    assert pair[1].key.written("typescript") == "externalId"
    assert family("typescript") == "javascript"


def test_the_catalogue_is_read_without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the catalogue opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    catalogue.cache_clear()
    assert catalogue()


def test_a_provider_and_its_call_can_stand_in_a_set() -> None:
    assert len(set(all_calls())) == sum(len(provider.calls) for provider in catalogue())
