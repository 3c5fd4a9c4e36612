SELECT (SELECT count(*) = 200 AND sum(cents) = 20100 AND bool_and(status::text = 'paid') FROM bk_deals) AND (SELECT count(*) = 10 FROM bk_totals) AND (SELECT relacl IS NOT NULL FROM pg_class WHERE relname = 'bk_totals')
 AND to_regclass('bk_sales') IS NULL AND to_regclass('bk_deals_id_seq') IS NOT NULL;
