"""Our tables: deliveries, and what must be remembered of a conversation. Ids, fingerprints, states; never code or comments."""

TABLES = """
CREATE TABLE IF NOT EXISTS meteraudit_migration (name text PRIMARY KEY);
CREATE TABLE IF NOT EXISTS meteraudit_delivery (
    guid text PRIMARY KEY,
    event text NOT NULL,
    action text NOT NULL,
    installation_id bigint NOT NULL,
    repository_id bigint,
    pull_request integer,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    state text NOT NULL DEFAULT 'received' CHECK (state IN ('received', 'done', 'failed'))
);
ALTER TABLE meteraudit_delivery ALTER COLUMN repository_id DROP NOT NULL, ALTER COLUMN pull_request DROP NOT NULL;
CREATE INDEX IF NOT EXISTS meteraudit_delivery_of_pull_request
    ON meteraudit_delivery (repository_id, pull_request, received_at);
CREATE TABLE IF NOT EXISTS meteraudit_comment (
    repository_id bigint NOT NULL,
    pull_request integer NOT NULL,
    fingerprint text NOT NULL,
    comment_id bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('shown', 'retired', 'acknowledged', 'dismissed')),
    PRIMARY KEY (repository_id, pull_request, fingerprint)
);
CREATE TABLE IF NOT EXISTS meteraudit_decision (
    repository_id bigint NOT NULL,
    pull_request integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('ignore', 'pause', 'override')),
    target text NOT NULL,
    login text NOT NULL,
    comment_url text NOT NULL,
    PRIMARY KEY (repository_id, pull_request, kind, target)
);
CREATE TABLE IF NOT EXISTS meteraudit_command (
    comment_id bigint PRIMARY KEY,
    repository_id bigint NOT NULL,
    pull_request integer NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE IF NOT EXISTS meteraudit_configuration (
    repository_id bigint PRIMARY KEY,
    revision text NOT NULL,
    text bytea NOT NULL
);
CREATE TABLE IF NOT EXISTS meteraudit_verdict (
    repository_id bigint NOT NULL,
    pull_request integer NOT NULL,
    head_sha text NOT NULL,
    conclusion text NOT NULL,
    title text NOT NULL,
    score integer,
    digest text NOT NULL,
    merged boolean NOT NULL DEFAULT false,
    PRIMARY KEY (repository_id, pull_request)
);
ALTER TABLE meteraudit_verdict ADD COLUMN IF NOT EXISTS at timestamptz NOT NULL DEFAULT clock_timestamp();
CREATE TABLE IF NOT EXISTS meteraudit_review (
    repository_id bigint NOT NULL,
    pull_request integer NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    waited real NOT NULL,
    took real NOT NULL,
    failed boolean NOT NULL
);
CREATE INDEX IF NOT EXISTS meteraudit_review_at ON meteraudit_review (at);
CREATE TABLE IF NOT EXISTS meteraudit_badge (
    repository_id bigint PRIMARY KEY,
    name text NOT NULL
);
CREATE TABLE IF NOT EXISTS meteraudit_open_check (
    repository_id bigint NOT NULL,
    head_sha text NOT NULL,
    installation_id bigint NOT NULL,
    pull_request integer NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (repository_id, head_sha, pull_request)
);
CREATE TABLE IF NOT EXISTS meteraudit_installation (
    installation_id bigint PRIMARY KEY,
    active boolean NOT NULL DEFAULT true,
    hides boolean NOT NULL DEFAULT true,
    paused_until timestamptz
);
ALTER TABLE meteraudit_installation
    ADD COLUMN IF NOT EXISTS hourly integer,
    ADD COLUMN IF NOT EXISTS remaining integer,
    ADD COLUMN IF NOT EXISTS resets_at timestamptz,
    ADD COLUMN IF NOT EXISTS told_at timestamptz;
CREATE TABLE IF NOT EXISTS meteraudit_drift (
    name text PRIMARY KEY,
    problem text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE IF NOT EXISTS meteraudit_redelivery (
    guid text PRIMARY KEY,
    attempts integer NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE IF NOT EXISTS meteraudit_round (
    name text PRIMARY KEY,
    number bigint NOT NULL DEFAULT 0,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""

OF_REPOSITORY = ("comment", "decision", "command", "configuration", "verdict", "review", "badge", "open_check", "delivery")
"""Tables whose rows go when a repository leaves the App; in full with the prefix `meteraudit_`."""
