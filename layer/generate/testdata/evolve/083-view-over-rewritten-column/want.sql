SELECT (SELECT count(*) = 20 AND max(best) = 300 FROM hv_plays_top) AND (SELECT count(*) = 20 FROM hv_plays_day)
   AND (SELECT count(*) = 2 AND bool_and(atttypid = 'bigint'::regtype) FROM pg_attribute WHERE attrelid IN ('hv_plays_top'::regclass, 'hv_plays_day'::regclass) AND attname = 'best')
   AND (SELECT indisvalid AND indisunique FROM pg_index WHERE indexrelid = 'hv_plays_day_lane_key'::regclass);
