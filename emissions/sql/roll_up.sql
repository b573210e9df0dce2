-- Promises: hours and days sum what the current events and calculations say: what is new is added, what it replaces is taken
-- away. Then the new calculations stand, and those of the events replaced are superseded.

INSERT INTO usage_change (
    organization_id, starts_at, project_id, workload_id, connection_id, provider, model, service_tier, family,
    combination_id, events, input_uncached, cache_read, cache_write, cache_write_long, output, requests,
    known_input_uncached, known_cache_read, known_cache_write, known_cache_write_long, known_output, known_requests,
    energy_uwh, central_output_ug, central_input_uncached_ug, central_cache_read_ug, central_cache_write_ug,
    central_cache_write_long_ug, central_kv_ug, mean_output_ug, mean_input_uncached_ug, mean_cache_read_ug,
    mean_cache_write_ug, mean_cache_write_long_ug, mean_kv_ug)
SELECT
    %(organization)s, event.starts_at, event.project_id, event.workload_id, event.connection_id,
    event.provider, event.model, event.service_tier, event.family, figure.combination_id, 1, coalesce(event.input_uncached,
    0), coalesce(event.cache_read, 0), coalesce(event.cache_write, 0), coalesce(event.cache_write_long, 0),
    coalesce(event.output, 0), coalesce(event.requests, 0), (event.input_uncached IS NOT NULL)::integer, (event.cache_read
    IS NOT NULL)::integer, (event.cache_write IS NOT NULL)::integer, (event.cache_write_long IS NOT NULL)::integer,
    (event.output IS NOT NULL)::integer, (event.requests IS NOT NULL)::integer, coalesce(figure.energy_uwh, 0),
    coalesce(figure.central_output_ug, 0), coalesce(figure.central_input_uncached_ug, 0),
    coalesce(figure.central_cache_read_ug, 0), coalesce(figure.central_cache_write_ug, 0),
    coalesce(figure.central_cache_write_long_ug, 0), coalesce(figure.central_kv_ug, 0), coalesce(figure.mean_output_ug, 0),
    coalesce(figure.mean_input_uncached_ug, 0), coalesce(figure.mean_cache_read_ug, 0), coalesce(figure.mean_cache_write_ug,
    0), coalesce(figure.mean_cache_write_long_ug, 0), coalesce(figure.mean_kv_ug, 0)
FROM ledger_change AS event
LEFT JOIN figure_change AS figure ON figure.event_id = event.id;

INSERT INTO usage_change (
    organization_id, starts_at, project_id, workload_id, connection_id, provider, model, service_tier, family,
    combination_id, events, input_uncached, cache_read, cache_write, cache_write_long, output, requests,
    known_input_uncached, known_cache_read, known_cache_write, known_cache_write_long, known_output, known_requests,
    energy_uwh, central_output_ug, central_input_uncached_ug, central_cache_read_ug, central_cache_write_ug,
    central_cache_write_long_ug, central_kv_ug, mean_output_ug, mean_input_uncached_ug, mean_cache_read_ug,
    mean_cache_write_ug, mean_cache_write_long_ug, mean_kv_ug)
SELECT
    %(organization)s, event.starts_at, event.project_id, event.workload_id, event.connection_id,
    event.provider, event.model, event.service_tier, event.family, figure.combination_id, -1,
    -coalesce(event.input_uncached, 0), -coalesce(event.cache_read, 0), -coalesce(event.cache_write, 0),
    -coalesce(event.cache_write_long, 0), -coalesce(event.output, 0), -coalesce(event.requests, 0), -(event.input_uncached
    IS NOT NULL)::integer, -(event.cache_read IS NOT NULL)::integer, -(event.cache_write IS NOT NULL)::integer,
    -(event.cache_write_long IS NOT NULL)::integer, -(event.output IS NOT NULL)::integer, -(event.requests IS NOT
    NULL)::integer, -coalesce(figure.energy_uwh, 0), -coalesce(figure.central_output_ug, 0),
    -coalesce(figure.central_input_uncached_ug, 0), -coalesce(figure.central_cache_read_ug, 0),
    -coalesce(figure.central_cache_write_ug, 0), -coalesce(figure.central_cache_write_long_ug, 0),
    -coalesce(figure.central_kv_ug, 0), -coalesce(figure.mean_output_ug, 0), -coalesce(figure.mean_input_uncached_ug, 0),
    -coalesce(figure.mean_cache_read_ug, 0), -coalesce(figure.mean_cache_write_ug, 0),
    -coalesce(figure.mean_cache_write_long_ug, 0), -coalesce(figure.mean_kv_ug, 0)
FROM ledger_change AS change
JOIN telemetry_telemetryevent AS event
  ON event.organization_id = %(organization)s
 AND event.starts_at = change.starts_at
 AND event.starts_at >= %(start)s AND event.starts_at < %(end)s
 AND event.id = change.replaces
LEFT JOIN emissions_carboncalculation AS figure
  ON figure.organization_id = %(organization)s
 AND figure.starts_at = change.starts_at
 AND figure.starts_at >= %(start)s AND figure.starts_at < %(end)s
 AND figure.event_id = change.replaces
 AND figure.superseded_at IS NULL;

INSERT INTO emissions_usagehour AS rolled (
    id, organization_id, starts_at, project_id, workload_id, connection_id, provider, model, service_tier, family,
    combination_id, events, input_uncached, cache_read, cache_write, cache_write_long, output, requests,
    known_input_uncached, known_cache_read, known_cache_write, known_cache_write_long, known_output, known_requests,
    energy_uwh, central_output_ug, central_input_uncached_ug, central_cache_read_ug, central_cache_write_ug,
    central_cache_write_long_ug, central_kv_ug, mean_output_ug, mean_input_uncached_ug, mean_cache_read_ug,
    mean_cache_write_ug, mean_cache_write_long_ug, mean_kv_ug)
SELECT
    gen_random_uuid(), %(organization)s, date_trunc('hour', starts_at, 'UTC'),
    project_id, workload_id, connection_id, provider, model, service_tier, family, combination_id,
    sum(events), sum(input_uncached), sum(cache_read), sum(cache_write), sum(cache_write_long), sum(output), sum(requests),
    sum(known_input_uncached), sum(known_cache_read), sum(known_cache_write), sum(known_cache_write_long),
    sum(known_output), sum(known_requests), sum(energy_uwh), sum(central_output_ug), sum(central_input_uncached_ug),
    sum(central_cache_read_ug), sum(central_cache_write_ug), sum(central_cache_write_long_ug), sum(central_kv_ug),
    sum(mean_output_ug), sum(mean_input_uncached_ug), sum(mean_cache_read_ug), sum(mean_cache_write_ug),
    sum(mean_cache_write_long_ug), sum(mean_kv_ug)
FROM usage_change
GROUP BY date_trunc('hour', starts_at, 'UTC'), project_id, workload_id, connection_id, provider, model, service_tier, family, combination_id
ORDER BY date_trunc('hour', starts_at, 'UTC'), project_id, workload_id, connection_id, provider, model, service_tier, family, combination_id
ON CONFLICT (organization_id, starts_at, project_id, workload_id, connection_id, provider, model, service_tier, family, combination_id) DO UPDATE SET
    events = rolled.events + excluded.events, input_uncached = rolled.input_uncached + excluded.input_uncached, cache_read =
    rolled.cache_read + excluded.cache_read, cache_write = rolled.cache_write + excluded.cache_write, cache_write_long =
    rolled.cache_write_long + excluded.cache_write_long, output = rolled.output + excluded.output, requests =
    rolled.requests + excluded.requests, known_input_uncached = rolled.known_input_uncached + excluded.known_input_uncached,
    known_cache_read = rolled.known_cache_read + excluded.known_cache_read, known_cache_write = rolled.known_cache_write +
    excluded.known_cache_write, known_cache_write_long = rolled.known_cache_write_long + excluded.known_cache_write_long,
    known_output = rolled.known_output + excluded.known_output, known_requests = rolled.known_requests +
    excluded.known_requests, energy_uwh = rolled.energy_uwh + excluded.energy_uwh, central_output_ug =
    rolled.central_output_ug + excluded.central_output_ug, central_input_uncached_ug = rolled.central_input_uncached_ug +
    excluded.central_input_uncached_ug, central_cache_read_ug = rolled.central_cache_read_ug +
    excluded.central_cache_read_ug, central_cache_write_ug = rolled.central_cache_write_ug +
    excluded.central_cache_write_ug, central_cache_write_long_ug = rolled.central_cache_write_long_ug +
    excluded.central_cache_write_long_ug, central_kv_ug = rolled.central_kv_ug + excluded.central_kv_ug, mean_output_ug =
    rolled.mean_output_ug + excluded.mean_output_ug, mean_input_uncached_ug = rolled.mean_input_uncached_ug +
    excluded.mean_input_uncached_ug, mean_cache_read_ug = rolled.mean_cache_read_ug + excluded.mean_cache_read_ug,
    mean_cache_write_ug = rolled.mean_cache_write_ug + excluded.mean_cache_write_ug, mean_cache_write_long_ug =
    rolled.mean_cache_write_long_ug + excluded.mean_cache_write_long_ug, mean_kv_ug = rolled.mean_kv_ug +
    excluded.mean_kv_ug;

INSERT INTO emissions_usageday AS rolled (
    id, organization_id, starts_at, project_id, workload_id, connection_id, provider, model, service_tier, family,
    combination_id, events, input_uncached, cache_read, cache_write, cache_write_long, output, requests,
    known_input_uncached, known_cache_read, known_cache_write, known_cache_write_long, known_output, known_requests,
    energy_uwh, central_output_ug, central_input_uncached_ug, central_cache_read_ug, central_cache_write_ug,
    central_cache_write_long_ug, central_kv_ug, mean_output_ug, mean_input_uncached_ug, mean_cache_read_ug,
    mean_cache_write_ug, mean_cache_write_long_ug, mean_kv_ug)
SELECT
    gen_random_uuid(), %(organization)s, date_trunc('day', starts_at, 'UTC'),
    project_id, workload_id, connection_id, provider, model, service_tier, family, combination_id,
    sum(events), sum(input_uncached), sum(cache_read), sum(cache_write), sum(cache_write_long), sum(output), sum(requests),
    sum(known_input_uncached), sum(known_cache_read), sum(known_cache_write), sum(known_cache_write_long),
    sum(known_output), sum(known_requests), sum(energy_uwh), sum(central_output_ug), sum(central_input_uncached_ug),
    sum(central_cache_read_ug), sum(central_cache_write_ug), sum(central_cache_write_long_ug), sum(central_kv_ug),
    sum(mean_output_ug), sum(mean_input_uncached_ug), sum(mean_cache_read_ug), sum(mean_cache_write_ug),
    sum(mean_cache_write_long_ug), sum(mean_kv_ug)
FROM usage_change
GROUP BY date_trunc('day', starts_at, 'UTC'), project_id, workload_id, connection_id, provider, model, service_tier, family, combination_id
ORDER BY date_trunc('day', starts_at, 'UTC'), project_id, workload_id, connection_id, provider, model, service_tier, family, combination_id
ON CONFLICT (organization_id, starts_at, project_id, workload_id, connection_id, provider, model, service_tier, family, combination_id) DO UPDATE SET
    events = rolled.events + excluded.events, input_uncached = rolled.input_uncached + excluded.input_uncached, cache_read =
    rolled.cache_read + excluded.cache_read, cache_write = rolled.cache_write + excluded.cache_write, cache_write_long =
    rolled.cache_write_long + excluded.cache_write_long, output = rolled.output + excluded.output, requests =
    rolled.requests + excluded.requests, known_input_uncached = rolled.known_input_uncached + excluded.known_input_uncached,
    known_cache_read = rolled.known_cache_read + excluded.known_cache_read, known_cache_write = rolled.known_cache_write +
    excluded.known_cache_write, known_cache_write_long = rolled.known_cache_write_long + excluded.known_cache_write_long,
    known_output = rolled.known_output + excluded.known_output, known_requests = rolled.known_requests +
    excluded.known_requests, energy_uwh = rolled.energy_uwh + excluded.energy_uwh, central_output_ug =
    rolled.central_output_ug + excluded.central_output_ug, central_input_uncached_ug = rolled.central_input_uncached_ug +
    excluded.central_input_uncached_ug, central_cache_read_ug = rolled.central_cache_read_ug +
    excluded.central_cache_read_ug, central_cache_write_ug = rolled.central_cache_write_ug +
    excluded.central_cache_write_ug, central_cache_write_long_ug = rolled.central_cache_write_long_ug +
    excluded.central_cache_write_long_ug, central_kv_ug = rolled.central_kv_ug + excluded.central_kv_ug, mean_output_ug =
    rolled.mean_output_ug + excluded.mean_output_ug, mean_input_uncached_ug = rolled.mean_input_uncached_ug +
    excluded.mean_input_uncached_ug, mean_cache_read_ug = rolled.mean_cache_read_ug + excluded.mean_cache_read_ug,
    mean_cache_write_ug = rolled.mean_cache_write_ug + excluded.mean_cache_write_ug, mean_cache_write_long_ug =
    rolled.mean_cache_write_long_ug + excluded.mean_cache_write_long_ug, mean_kv_ug = rolled.mean_kv_ug +
    excluded.mean_kv_ug;

UPDATE emissions_carboncalculation AS figure
SET superseded_at = %(observed_at)s
FROM ledger_change AS change
WHERE figure.organization_id = %(organization)s
  AND figure.starts_at = change.starts_at
  AND figure.starts_at >= %(start)s AND figure.starts_at < %(end)s
  AND figure.event_id = change.replaces
  AND figure.superseded_at IS NULL;

INSERT INTO emissions_carboncalculation (
    id, organization_id, starts_at, event_id, combination_id, observed_at, energy_uwh, central_output_ug,
    central_input_uncached_ug, central_cache_read_ug, central_cache_write_ug, central_cache_write_long_ug, central_kv_ug,
    mean_output_ug, mean_input_uncached_ug, mean_cache_read_ug, mean_cache_write_ug, mean_cache_write_long_ug, mean_kv_ug)
SELECT
    id, organization_id, starts_at, event_id, combination_id, observed_at, energy_uwh, central_output_ug,
    central_input_uncached_ug, central_cache_read_ug, central_cache_write_ug, central_cache_write_long_ug, central_kv_ug,
    mean_output_ug, mean_input_uncached_ug, mean_cache_read_ug, mean_cache_write_ug, mean_cache_write_long_ug, mean_kv_ug
FROM figure_change;
