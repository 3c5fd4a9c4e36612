SELECT (SELECT id = 1 FROM "Users") AND (SELECT count(*) = 1 FROM people);
