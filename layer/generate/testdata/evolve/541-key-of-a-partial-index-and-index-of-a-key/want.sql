SELECT (SELECT count(*) = 2 AND bool_and(convalidated) FROM pg_constraint WHERE contype = 'f')
    AND (SELECT NOT attnotnull FROM pg_attribute WHERE attrelid = 'k'::regclass AND attname = 'b');
