SELECT (SELECT array_agg(indexname::text ORDER BY indexname COLLATE "C") FROM pg_indexes WHERE tablename LIKE 'logs%')
    = '{logs_2025_depth_at_key,logs_2025_depth_idx,logs_2026_depth_at_key,logs_2026_depth_idx,logs_height_idx,logs_key}'
    AND (SELECT depth = 7 FROM logs);
