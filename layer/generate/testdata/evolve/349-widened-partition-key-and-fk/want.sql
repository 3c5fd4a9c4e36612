SELECT (SELECT count(*) = 100 AND bool_and(value = id AND state = 'new') FROM bk_h) AND (SELECT count(*) = 100 FROM bk_r);
