SELECT count(*) = 2 AND sum(x) = 3 FROM p LEFT JOIN c USING (id);
