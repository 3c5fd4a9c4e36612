SELECT (SELECT count(*) = 20 FROM bk_b JOIN bk_a ON bk_a.id = a_id WHERE bk_b.kind = 'b' AND weight = 7 AND number > 100 AND bk_a.kind IS NULL);
