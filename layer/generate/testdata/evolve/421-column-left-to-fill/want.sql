SELECT (SELECT count(DISTINCT token) = 20 AND count(created_at) = 20 AND count(DISTINCT note) = 20 FROM bk_a);
