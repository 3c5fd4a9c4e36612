SELECT (SELECT pg_get_constraintdef(oid) LIKE '%''\%@\%''%' FROM pg_constraint WHERE conname = 'bk_email_check') AND (SELECT count(*) = 300 FROM bk_d);
