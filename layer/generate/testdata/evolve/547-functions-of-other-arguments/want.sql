SELECT (SELECT (SELECT n = 470 FROM v) AND (SELECT count(*) = 1 FROM pg_proc WHERE proname = 'step') AND (SELECT relacl IS NOT NULL FROM pg_class WHERE relname = 'v'))
    AND (SELECT (SELECT count(*) = 30 FROM t) AND to_regproc('old_f') IS NULL);
