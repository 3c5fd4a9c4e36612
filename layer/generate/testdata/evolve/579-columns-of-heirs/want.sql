SELECT (SELECT count(*) = 3 AND sum(n) = 6 AND min(fresh) = 'x' FROM p);
