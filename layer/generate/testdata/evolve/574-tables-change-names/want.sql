SELECT (SELECT day = '2026-01-01' FROM days) AND (SELECT week = 7 FROM weeks);
