SELECT (SELECT count(*) = 1 FROM pg_constraint WHERE conrelid = 'somebody'::regclass AND contype = 'f') AND (SELECT count(*) = 2 FROM pg_attribute WHERE attrelid = 'bk_p'::regclass AND attnum > 0);
