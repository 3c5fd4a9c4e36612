SELECT (SELECT count(*) = 300 AND bool_and(total = id + 3 AND kept = id * 2 AND added = 'n' || id) FROM bk_g) AND (SELECT count(*) = 300 FROM bk_g_view WHERE total = id + 3);
