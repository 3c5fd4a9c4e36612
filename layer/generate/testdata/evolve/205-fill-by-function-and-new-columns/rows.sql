INSERT INTO bk_parts SELECT i, 'ABC-' || i FROM generate_series(1, 300) i;
