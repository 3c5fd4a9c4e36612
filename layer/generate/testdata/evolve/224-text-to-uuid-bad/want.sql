SELECT (SELECT count(*) = 300 FROM bk_keys WHERE pg_typeof(token) = 'text'::regtype);
