INSERT INTO bk_s SELECT i, i FROM generate_series(1, 30) i;
GRANT SELECT ON bk_w, bk_x TO PUBLIC;
