-- Promises: each event of ledger_change that a combination estimates has a current calculation, and the event that it replaces
-- has none. A part is rounded once, half away from zero: round(activity * rate * 10^-18), which is exact in numeric; where
-- the requests divide it, div(2a + b, 2b) on whole numbers, the division last. A division is dear, so the others have none.

INSERT INTO figure_change (
    id, organization_id, starts_at, event_id, combination_id, observed_at, energy_uwh,
    central_output_ug, central_input_uncached_ug, central_cache_read_ug, central_cache_write_ug, central_cache_write_long_ug,
    central_kv_ug, mean_output_ug, mean_input_uncached_ug, mean_cache_read_ug, mean_cache_write_ug, mean_cache_write_long_ug,
    mean_kv_ug)
SELECT
    gen_random_uuid(), %(organization)s, starts_at, event_id, rate.id, %(observed_at)s,
    div(2 * (per * (output * energy_output + input_uncached * energy_input_uncached + cache_read * energy_cache_read
                    + cache_write * energy_cache_write + cache_write_long * energy_cache_write_long)
             + kv * energy_kv) + per * one, 2 * per * one),
    round(output * central_output * unit),
    round(input_uncached * central_input_uncached * unit),
    round(cache_read * central_cache_read * unit),
    round(cache_write * central_cache_write * unit),
    round(cache_write_long * central_cache_write_long * unit),
    div(2 * kv * central_kv + per * one, 2 * per * one),
    round(output * mean_output * unit),
    round(input_uncached * mean_input_uncached * unit),
    round(cache_read * mean_cache_read * unit),
    round(cache_write * mean_cache_write * unit),
    round(cache_write_long * mean_cache_write_long * unit),
    div(2 * kv * mean_kv + per * one, 2 * per * one)
FROM (
    SELECT event.id AS event_id, event.starts_at, combination_of.combination_id,
           coalesce(event.output, 0) AS output,
           coalesce(event.input_uncached, 0) AS input_uncached,
           coalesce(event.cache_read, 0) AS cache_read,
           coalesce(event.cache_write, 0) - coalesce(event.cache_write_long, 0) AS cache_write,
           coalesce(event.cache_write_long, 0) AS cache_write_long,
           coalesce(event.output, 0)::numeric
               * (2 * (coalesce(event.input_uncached, 0) + coalesce(event.cache_read, 0) + coalesce(event.cache_write, 0))
                  + coalesce(event.output, 0)) AS kv,  -- output times twice the context, of all requests together
           2 * greatest(coalesce(event.requests, 1), 1)::numeric AS per,
           1000000000000000000::numeric AS one,
           0.000000000000000001::numeric AS unit
    FROM ledger_change AS event
    JOIN combination_of
      ON combination_of.month = date_trunc('month', event.starts_at AT TIME ZONE 'UTC')::date
     AND combination_of.provider = event.provider
     AND combination_of.family = event.family
     AND combination_of.model = coalesce(event.model, chr(1))
     AND combination_of.service_tier = coalesce(event.service_tier, chr(1))
     AND combination_of.region = coalesce(event.region, chr(1))
     AND event.unit IS NULL
     AND combination_of.mode = CASE WHEN event.requests >= 1 THEN 'event' ELSE 'bucket' END
) AS activity
JOIN emissions_factorcombination AS rate ON rate.id = activity.combination_id;
