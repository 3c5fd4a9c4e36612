SELECT NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 't'::regclass AND attname IN ('fine', 'a', 'b', 'c'));
