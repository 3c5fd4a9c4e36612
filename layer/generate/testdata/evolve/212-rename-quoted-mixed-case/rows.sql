INSERT INTO "BkOrders" ("ship to", "select") SELECT 'To ' || i, i FROM generate_series(1, 120) i;
