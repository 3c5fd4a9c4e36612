INSERT INTO bk_e SELECT i, 'x', '{x,y}' FROM generate_series(1, 200) i;
