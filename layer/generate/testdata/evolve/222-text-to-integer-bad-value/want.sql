SELECT (SELECT count(*) = 300 AND count(*) FILTER (WHERE reading = 'n/a') = 1 FROM bk_meters) AND (SELECT count(*) = 2 FROM pg_attribute WHERE attrelid = 'bk_meters'::regclass AND attnum > 0);
