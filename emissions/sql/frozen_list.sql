-- Promises: the current ledger rows of one organisation and one span, each with its current figures, in the order of the frozen
-- list. The order of the columns is that of its lines; what a stranger recomputes depends on both.

SELECT event.identity, event.revision, event.starts_at, event.project_id, event.workload_id, event.provider, event.model,
       event.service_tier, event.input_uncached, event.cache_read, event.cache_write, event.cache_write_long, event.output,
       event.requests, figure.combination_id, figure.central_output_ug, figure.central_input_uncached_ug,
       figure.central_cache_read_ug, figure.central_cache_write_ug, figure.central_cache_write_long_ug, figure.central_kv_ug,
       figure.mean_output_ug, figure.mean_input_uncached_ug, figure.mean_cache_read_ug, figure.mean_cache_write_ug,
       figure.mean_cache_write_long_ug, figure.mean_kv_ug, figure.energy_uwh
FROM telemetry_telemetryevent AS event
LEFT JOIN emissions_carboncalculation AS figure
       ON figure.organization_id = %(organization)s
      AND figure.starts_at = event.starts_at
      AND figure.starts_at >= %(start)s AND figure.starts_at < %(end)s
      AND figure.event_id = event.id
      AND figure.superseded_at IS NULL
WHERE event.organization_id = %(organization)s
  AND event.starts_at >= %(start)s AND event.starts_at < %(end)s
  AND event.superseded_at IS NULL
ORDER BY event.starts_at, event.identity
