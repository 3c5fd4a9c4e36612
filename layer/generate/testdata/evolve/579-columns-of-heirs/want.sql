SELECT (SELECT count(*) = 3 AND sum(n) = 6 AND min(fresh) = 'x' FROM p) AND EXISTS (SELECT FROM pg_description WHERE description = 'is fresh');
