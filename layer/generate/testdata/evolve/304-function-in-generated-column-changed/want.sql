SELECT (SELECT count(*) = 30 AND bool_and(key = bk_norm(name)) FROM bk_s);
