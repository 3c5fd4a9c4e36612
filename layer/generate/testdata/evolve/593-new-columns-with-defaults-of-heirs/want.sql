SELECT (SELECT bool_and(k = id + 1) FROM p) AND (SELECT n = 7 OR n = 5 FROM a) AND (SELECT m = 3 FROM a);
