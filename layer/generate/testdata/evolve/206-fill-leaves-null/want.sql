SELECT (SELECT count(*) = 300 FROM bk_legs) AND (SELECT count(*) = 2 FROM pg_attribute WHERE attrelid = 'bk_legs'::regclass AND attnum > 0 AND NOT attisdropped);
