INSERT INTO bk_sales (buyer, amount, junk) SELECT 'b' || i % 10, i, 'j' FROM generate_series(1, 200) i;
GRANT SELECT ON bk_totals TO PUBLIC;
