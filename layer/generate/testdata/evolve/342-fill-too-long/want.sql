SELECT (SELECT count(*) = 2 FROM pg_attribute WHERE attrelid = 'bk_d'::regclass AND attnum > 0 AND NOT attisdropped);
