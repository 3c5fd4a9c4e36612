SELECT (SELECT count(*) = 120 AND bool_and("Ship-To" = 'To ' || "Id" AND "where" = "Id") FROM "Bk Orders") AND to_regclass('"BkOrders"') IS NULL;
