-- Promises: the ledger of one organisation says what usage_page says. A row that is new or different becomes a new current
-- revision, routed to the first workload that claims it, and stands in ledger_change; a row that is the same changes nothing.

WITH changed AS (
    SELECT page.*, old.id AS replaces, coalesce(old.revision, 0) + 1 AS revision
    FROM usage_page AS page
    LEFT JOIN telemetry_telemetryevent AS old
           ON old.organization_id = %(organization)s
          AND old.starts_at = page.starts_at
          AND old.starts_at >= %(start)s AND old.starts_at < %(end)s
          AND old.identity = page.identity
          AND old.superseded_at IS NULL
    WHERE old.id IS NULL
       OR (old.input_uncached, old.cache_read, old.cache_write, old.cache_write_long, old.output, old.reasoning,
           old.requests, old.quantity) IS DISTINCT FROM
          (page.input_uncached, page.cache_read, page.cache_write, page.cache_write_long, page.output, page.reasoning,
           page.requests, page.quantity)
), traits AS (  -- chr(1) stands for null, so that the join can hash: clean text holds no control character
    SELECT DISTINCT coalesce(model, chr(1)) AS model, coalesce(provider_project, chr(1)) AS provider_project,
           coalesce(api_key, chr(1)) AS api_key
    FROM changed
), routed AS (
    SELECT traits.*, (
        SELECT workload.id
        FROM projects_workload AS workload
        WHERE workload.organization_id = %(organization)s AND workload.project_id = %(project)s
          AND workload.archived_at IS NULL
          AND (workload.is_catch_all OR EXISTS (
              SELECT FROM jsonb_to_recordset(workload.rules)
                  AS rule (provider text, model text, provider_project text, api_key text)
              WHERE (rule.provider IS NULL OR rule.provider = %(provider)s)
                AND (rule.model IS NULL OR traits.model <> chr(1) AND traits.model LIKE
                     translate(replace(replace(rule.model, '\', '\\'), '_', '\_'), '*?', '%%_'))
                AND (rule.provider_project IS NULL OR rule.provider_project = traits.provider_project)
                AND (rule.api_key IS NULL OR rule.api_key = traits.api_key)))
        ORDER BY workload.priority, workload.id
        LIMIT 1) AS workload_id
    FROM traits
)
INSERT INTO ledger_change (
    id, organization_id, connection_id, project_id, workload_id, provider, source, identity, revision, observed_at, starts_at,
    family, width, model, service_tier, provider_project, api_key, region, input_uncached, cache_read, cache_write,
    cache_write_long, output, reasoning, requests, quantity, unit, is_summed, replaces)
SELECT
    changed.id, %(organization)s, %(connection)s, %(project)s, routed.workload_id, %(provider)s, 'reported',
    changed.identity, changed.revision, %(observed_at)s, changed.starts_at, changed.family, changed.width, changed.model,
    changed.service_tier, changed.provider_project, changed.api_key, changed.region, changed.input_uncached,
    changed.cache_read, changed.cache_write, changed.cache_write_long, changed.output, changed.reasoning, changed.requests,
    changed.quantity, changed.unit, changed.is_summed, changed.replaces
FROM changed
JOIN routed ON routed.model = coalesce(changed.model, chr(1))
           AND routed.provider_project = coalesce(changed.provider_project, chr(1))
           AND routed.api_key = coalesce(changed.api_key, chr(1));

UPDATE telemetry_telemetryevent AS event
SET superseded_at = %(observed_at)s
FROM ledger_change AS change
WHERE event.organization_id = %(organization)s
  AND event.starts_at = change.starts_at
  AND event.starts_at >= %(start)s AND event.starts_at < %(end)s
  AND event.id = change.replaces;

INSERT INTO telemetry_telemetryevent (
    id, organization_id, connection_id, project_id, workload_id, provider, source, identity, revision, observed_at, starts_at,
    family, width, model, service_tier, provider_project, api_key, region, input_uncached, cache_read, cache_write,
    cache_write_long, output, reasoning, requests, quantity, unit, is_summed)
SELECT
    id, organization_id, connection_id, project_id, workload_id, provider, source, identity, revision, observed_at, starts_at,
    family, width, model, service_tier, provider_project, api_key, region, input_uncached, cache_read, cache_write,
    cache_write_long, output, reasoning, requests, quantity, unit, is_summed
FROM ledger_change;

UPDATE telemetry_ledger
SET first_month = earliest.month
FROM (SELECT date_trunc('month', min(starts_at) AT TIME ZONE 'UTC')::date AS month FROM ledger_change) AS earliest
WHERE organization_id = %(organization)s AND (first_month IS NULL OR earliest.month < first_month);
