-- Promises: what one organisation's figures of one span came to be worth more (or less) between two instants of its ledger, and
-- how many events changed: those observed since are added, those superseded since are taken away.

SELECT coalesce(sum(sign * energy_uwh), 0)::bigint,
       coalesce(sum(sign * (central_output_ug + central_input_uncached_ug + central_cache_read_ug + central_cache_write_ug
                            + central_cache_write_long_ug + central_kv_ug)), 0)::bigint,
       coalesce(sum(sign * (mean_output_ug + mean_input_uncached_ug + mean_cache_read_ug + mean_cache_write_ug
                            + mean_cache_write_long_ug + mean_kv_ug)), 0)::bigint,
       (SELECT count(*)
        FROM telemetry_telemetryevent AS event
        WHERE event.organization_id = %(organization)s
          AND event.starts_at >= %(start)s AND event.starts_at < %(end)s
          AND event.observed_at > %(since)s AND event.observed_at <= %(until)s)
FROM (
    SELECT figure.*, (observed_at > %(since)s)::integer - (coalesce(superseded_at <= %(until)s, false))::integer AS sign
    FROM emissions_carboncalculation AS figure
    WHERE organization_id = %(organization)s
      AND starts_at >= %(start)s AND starts_at < %(end)s
      AND observed_at <= %(until)s
      AND (superseded_at IS NULL OR superseded_at > %(since)s)
      AND (observed_at > %(since)s OR superseded_at <= %(until)s)
) AS changed
