-- Promises: two empty temporary tables. They are made once a connection, not once a page, which would bloat the catalogue;
-- COPY into a table with row-level security is refused.

CREATE TEMPORARY TABLE IF NOT EXISTS usage_page (
    id uuid NOT NULL,
    identity bytea NOT NULL,
    family text NOT NULL,
    width integer NOT NULL,
    starts_at timestamptz NOT NULL,
    model text,
    service_tier text,
    provider_project text,
    api_key text,
    region text,
    input_uncached bigint,
    cache_read bigint,
    cache_write bigint,
    cache_write_long bigint,
    output bigint,
    reasoning bigint,
    requests bigint,
    quantity bigint,
    unit text,
    is_summed boolean NOT NULL
) ON COMMIT DELETE ROWS;

CREATE TEMPORARY TABLE IF NOT EXISTS ledger_change (LIKE telemetry_telemetryevent, replaces uuid) ON COMMIT DELETE ROWS;

TRUNCATE usage_page, ledger_change;
