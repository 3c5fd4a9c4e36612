SELECT (SELECT count(*) = 20 FROM bk_d WHERE pg_typeof(born) = 'text'::regtype);
