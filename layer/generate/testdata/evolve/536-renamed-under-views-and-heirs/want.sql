SELECT (SELECT count(*) = 30 AND bool_and(name = 'a') FROM v)
    AND (SELECT count(*) = 60 AND bool_and(words IN ('b', 'k')) FROM notes);
