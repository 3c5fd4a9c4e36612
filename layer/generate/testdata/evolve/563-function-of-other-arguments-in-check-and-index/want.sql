SELECT (SELECT (SELECT count(*) = 30 FROM v) AND (SELECT count(*) = 1 FROM pg_proc WHERE proname = 'half') AND (SELECT relacl IS NOT NULL FROM pg_class WHERE relname = 'v'));
