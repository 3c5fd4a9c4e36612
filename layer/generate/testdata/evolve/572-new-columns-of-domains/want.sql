SELECT (SELECT count(*) = 30 AND bool_and(a = 7 AND b = 8 AND c > 99 AND d = id * 2 AND e = id * 2 AND f = 7 AND g = 8 AND h = id * 2 AND i > 99) FROM t);
