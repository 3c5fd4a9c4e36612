SELECT (SELECT max(more) = 31 FROM bk_w) AND (SELECT n = 30 FROM bk_x) AND (SELECT count(*) = 2 FROM pg_class WHERE relname IN ('bk_w', 'bk_x') AND relacl IS NOT NULL);
