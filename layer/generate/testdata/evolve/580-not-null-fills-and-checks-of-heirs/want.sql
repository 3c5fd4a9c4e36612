SELECT sum(n) = 89 AND count(n) = 6 AND bool_and(k IS NOT NULL AND k = CASE id WHEN 6 THEN 7 ELSE id * 10 END) AND bool_and(l = id * 100 AND m = 4)
    AND EXISTS (SELECT FROM pg_description WHERE description = 'of c')
FROM p;
