INSERT INTO bk_a (id) SELECT i FROM generate_series(1, 20) i; -- as a migration leaves it that was cut off
