SELECT (SELECT array_agg(note ORDER BY id) = '{one,two}' FROM b) AND (SELECT amount = 10 FROM c) AND (SELECT count(*) = 0 FROM a);
