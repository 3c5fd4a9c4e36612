SELECT (SELECT count(*) = 300 AND count(*) FILTER (WHERE state = 'Done') = 1 FROM bk_jobs) AND to_regtype('bk_state') IS NULL;
