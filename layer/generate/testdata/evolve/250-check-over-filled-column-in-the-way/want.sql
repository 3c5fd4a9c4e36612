SELECT (SELECT count(*) = 300 FROM bk_c) AND (SELECT count(*) = 2 FROM pg_attribute WHERE attrelid = 'bk_c'::regclass AND attnum > 0 AND NOT attisdropped);
