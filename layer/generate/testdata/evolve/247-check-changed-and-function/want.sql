SELECT (SELECT count(*) = 2 AND bool_and(convalidated) FROM pg_constraint WHERE conrelid = 'bk_c'::regclass AND contype = 'c') AND NOT bk_ok('vvv');
