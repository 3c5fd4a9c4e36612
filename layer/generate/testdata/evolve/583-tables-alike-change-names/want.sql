SELECT (SELECT id = 1 FROM days) AND (SELECT id = 2 FROM weeks) AND (SELECT id = 3 FROM months);
