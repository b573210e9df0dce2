-- Promises: the sums of the current figures of one organisation and one span, by combination and term.

SELECT combination_id, sum(energy_uwh)::bigint,
       sum(central_output_ug)::bigint, sum(central_input_uncached_ug)::bigint, sum(central_cache_read_ug)::bigint,
       sum(central_cache_write_ug)::bigint, sum(central_cache_write_long_ug)::bigint, sum(central_kv_ug)::bigint,
       sum(mean_output_ug)::bigint, sum(mean_input_uncached_ug)::bigint, sum(mean_cache_read_ug)::bigint,
       sum(mean_cache_write_ug)::bigint, sum(mean_cache_write_long_ug)::bigint, sum(mean_kv_ug)::bigint
FROM emissions_carboncalculation
WHERE organization_id = %(organization)s
  AND starts_at >= %(start)s AND starts_at < %(end)s
  AND superseded_at IS NULL
GROUP BY combination_id
ORDER BY combination_id
