SELECT (SELECT count(*) = 29 FROM v) AND (SELECT relacl IS NOT NULL FROM pg_class WHERE relname = 'v');
