INSERT INTO bk_s SELECT i, i FROM generate_series(1, 50) i;
INSERT INTO somebody_stay SELECT i, i FROM generate_series(1, 50) i;
