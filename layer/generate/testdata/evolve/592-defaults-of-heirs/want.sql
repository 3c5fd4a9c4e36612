SELECT (SELECT count(*) = 3 FROM p) AND (SELECT n = 8 AND t = 4 FROM "B");
