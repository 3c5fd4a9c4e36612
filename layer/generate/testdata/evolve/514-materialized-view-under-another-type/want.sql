SELECT (SELECT (SELECT count(*) = 3 FROM mv) AND (SELECT count(*) = 3 FROM mv2) AND (SELECT count(*) = 3 FROM pg_class WHERE relname IN ('mv', 'mv2', 'vmv') AND relacl IS NOT NULL));
