SELECT (SELECT count(*) = 1 FROM t) AND to_regclass('u') IS NULL;
