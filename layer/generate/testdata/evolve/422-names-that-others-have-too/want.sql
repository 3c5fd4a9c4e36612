SELECT (SELECT count(*) = 20 FROM bk_b JOIN bk_a ON bk_a.id = bk_a_id JOIN bk_c ON bk_c.id = number WHERE shout = upper(note)) AND (SELECT count(*) = 1 FROM notes);
