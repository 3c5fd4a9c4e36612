SELECT (SELECT count(*) = 2 AND bool_and(convalidated) FROM pg_constraint WHERE contype = 'f');
