-- Promises: the ledger rows of one organisation and one span as of an instant, each with its figures, in the order of the frozen
-- list. The order of the columns is that of its lines; what a stranger recomputes depends on both. Nearly all rows are current
-- still, and the index of current figures finds theirs; the second branch is for those that were superseded since.

SELECT event.identity, event.revision, event.starts_at, event.project_id, event.workload_id, event.provider, event.model,
       event.service_tier, event.input_uncached, event.cache_read, event.cache_write, event.cache_write_long, event.output,
       event.requests, figure.combination_id, figure.central_output_ug, figure.central_input_uncached_ug,
       figure.central_cache_read_ug, figure.central_cache_write_ug, figure.central_cache_write_long_ug, figure.central_kv_ug,
       figure.mean_output_ug, figure.mean_input_uncached_ug, figure.mean_cache_read_ug, figure.mean_cache_write_ug,
       figure.mean_cache_write_long_ug, figure.mean_kv_ug, figure.energy_uwh
FROM telemetry_telemetryevent AS event
LEFT JOIN LATERAL (
    SELECT * FROM emissions_carboncalculation
    WHERE organization_id = %(organization)s AND starts_at = event.starts_at AND event_id = event.id
      AND superseded_at IS NULL AND observed_at <= %(as_of)s
    UNION ALL
    SELECT * FROM emissions_carboncalculation
    WHERE event.superseded_at IS NOT NULL
      AND organization_id = %(organization)s AND starts_at = event.starts_at AND event_id = event.id
      AND superseded_at > %(as_of)s AND observed_at <= %(as_of)s
) AS figure ON true
WHERE event.organization_id = %(organization)s
  AND event.starts_at >= %(start)s AND event.starts_at < %(end)s
  AND event.observed_at <= %(as_of)s AND (event.superseded_at IS NULL OR event.superseded_at > %(as_of)s)
ORDER BY event.starts_at, event.identity
