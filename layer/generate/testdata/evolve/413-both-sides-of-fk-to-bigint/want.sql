SELECT (SELECT count(*) = 50 FROM bk_b JOIN bk_a ON bk_a.id = a_id) AND (SELECT convalidated FROM pg_constraint WHERE conname = 'bk_b_a_id_fkey');
