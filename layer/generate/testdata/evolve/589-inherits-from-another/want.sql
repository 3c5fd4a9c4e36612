SELECT (SELECT count(*) = 1 FROM q) AND (SELECT n = 3 AND x = 4 FROM c) AND (SELECT count(*) = 1 FROM p);
