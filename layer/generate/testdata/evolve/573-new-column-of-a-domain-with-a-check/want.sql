SELECT (SELECT count(*) = 1 FROM t) AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 't'::regclass AND attname IN ('level', 'filled'));
